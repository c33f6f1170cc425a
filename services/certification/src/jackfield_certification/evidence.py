"""What a check has seen: bounded in size, and free of secrets."""

import json
from collections.abc import Iterable
from typing import Final, cast

from pydantic import JsonValue

from jackfield_certification.emulator import Call
from jackfield_common.events.message import JsonObject
from jackfield_common.logs import REDACTED, scrub

MAX_ITEMS: Final = 24
MAX_ITEM_BYTES: Final = 4 * 1024
_MAX_TEXT: Final = 512
_MAX_ENTRIES: Final = 16
_DEPTH: Final = 6


class Evidence:
    """Collects what was seen during one check.

    `secrets` are values that must not be in it: the credentials of the run.
    """

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._items: list[JsonObject] = []
        self._left_out = 0

    def hide(self, secrets: Iterable[str]) -> None:
        """Remove these values wherever they turn up from now on."""
        self._secrets.update(secret for secret in secrets if secret)

    @property
    def hidden(self) -> frozenset[str]:
        """The values that are removed."""
        return frozenset(self._secrets)

    def add(self, kind: str, **seen: JsonValue) -> None:
        """Keep one observation. Beyond `MAX_ITEMS` they are only counted."""
        if len(self._items) >= MAX_ITEMS:
            self._left_out += 1
            return
        item = cast(JsonObject, self._clean({"kind": kind, **seen}, _DEPTH))
        text = json.dumps(item)
        if len(text) > MAX_ITEM_BYTES:
            item: JsonObject = {"kind": kind, "excerpt": text[: MAX_ITEM_BYTES - 100]}
        self._items.append(item)

    def add_call(self, call: Call) -> None:
        """Keep a call as the vendor saw it."""
        request = call.request
        self.add(
            "vendor_call",
            method=request.method,
            path=request.path,
            query=[[name, value] for name, value in request.query],
            headers=cast(JsonValue, dict(request.headers)),
            body=request.body[:_MAX_TEXT].decode("utf-8", "replace"),
            sign_in=call.sign_in,
            understood_as=call.recording or call.action,
            differences=list(call.differences),
            fault=call.fault,
            status=call.status,
        )

    def items(self) -> tuple[JsonObject, ...]:
        """Everything kept, oldest first."""
        if not self._left_out:
            return tuple(self._items)
        return (*self._items, {"kind": "left_out", "count": self._left_out})

    def _clean(self, value: JsonValue, depth: int) -> JsonValue:
        return cast(JsonValue, scrub(self._bounded(value, depth)))

    def _bounded(self, value: JsonValue, depth: int) -> JsonValue:
        match value:
            case str():
                for secret in self._secrets:
                    value = value.replace(secret, REDACTED)
                return value if len(value) <= _MAX_TEXT else value[:_MAX_TEXT] + "…"
            case dict() | list() if depth <= 0:
                return "…"
            case dict():
                kept = list(value.items())[:_MAX_ENTRIES]
                return {key[:100]: self._bounded(one, depth - 1) for key, one in kept}
            case list():
                return [self._bounded(one, depth - 1) for one in value[:_MAX_ENTRIES]]
            case _:
                return value
