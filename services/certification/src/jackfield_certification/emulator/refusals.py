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


def acting_out(rule: On) -> Status:
    """The answer that a rule of the error map describes."""
    headers: tuple[tuple[str, str], ...] = (
        ((rule.header, rule.equals or "1"),) if rule.header is not None else ()
    )
    body = _at(rule.body, rule.equals or "error") if rule.body is not None else None
    return Status(rule.status, headers=headers, body=body)


def refusal(manifest: Manifest, kind: ErrorKind) -> Status:
    """The vendor's answer for a kind: by its own rule where it has one, else by the usual status."""
    usual = _USUAL[kind]
    rules = [rule for rule in manifest.errors if rule.kind is kind]
    # A rule for the usual status is the plainest; one that needs a header or body is next.
    rules.sort(key=lambda rule: (rule.status != usual, rule.header is None and rule.body is None))
    claimed = any(
        rule.status == usual and rule.header is None and rule.body is None and rule.kind is not kind
        for rule in manifest.errors
    )
    if rules and (claimed or rules[0].status == usual or rules[0].status < 300):
        return acting_out(rules[0])
    return Status(usual)


def _at(path: str, value: str) -> JsonValue:
    """The smallest document with this value at a dotted path."""
    if not path:
        words: dict[str, JsonValue] = {"true": True, "false": False}
        return words.get(value, value)
    name, _, rest = path.partition(".")
    inner = _at(rest, value)
    return [inner] if name == "0" else {name: inner}
