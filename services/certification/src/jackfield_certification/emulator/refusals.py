"""How this vendor words a refusal: its answers read back from the connector's error map."""

from typing import Final

from pydantic import JsonValue

from jackfield_certification.emulator.faults import Status
from jackfield_common.connector.error_map import On
from jackfield_common.connector.manifest import Manifest
from jackfield_common.errors import ErrorKind

_USUAL: Final = {
    ErrorKind.AUTH: 401,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.INVALID: 422,
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.UNAVAILABLE: 503,
}
_OF_THE_CALLER: Final = frozenset({ErrorKind.AUTH, ErrorKind.FORBIDDEN, ErrorKind.NOT_FOUND})


def acting_out(rule: On) -> Status:
    """The answer that a rule of the error map describes."""
    headers: tuple[tuple[str, str], ...] = (
        ((rule.header, rule.equals or "1"),) if rule.header is not None else ()
    )
    body = _at(rule.body, rule.equals or "error") if rule.body is not None else None
    return Status(rule.status, headers=headers, body=body)


def refusal(manifest: Manifest, kind: ErrorKind) -> Status:
    """The vendor's answer for a kind.

    By the usual status, unless the connector says that this status means something else or that the
    vendor words this refusal of a caller in the body of a success.
    """
    usual = _USUAL[kind]
    own = [rule for rule in manifest.errors if rule.kind is kind]
    plain = [rule for rule in own if rule.status == usual]
    if plain:
        return acting_out(plain[0])
    taken = any(
        rule.status == usual and rule.header is None and rule.body is None
        for rule in manifest.errors
    )
    in_success = own and own[0].status < 300 and kind in _OF_THE_CALLER
    return acting_out(own[0]) if own and (taken or in_success) else Status(usual)


def _at(path: str, value: str) -> JsonValue:
    """The smallest document with this value at a dotted path."""
    if not path:
        words: dict[str, JsonValue] = {"true": True, "false": False}
        return words.get(value, value)
    name, _, rest = path.partition(".")
    inner = _at(rest, value)
    return [inner] if name == "0" else {name: inner}
