"""How a request differs from the recorded one."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import parse_qsl

from pydantic import JsonValue

from jackfield_certification.emulator.recording import ExpectedRequest
from jackfield_common.connector.selector import as_text

MAX_DIFFERENCES: Final = 20
FORM: Final = "application/x-www-form-urlencoded"
_SHOWN: Final = 120


@dataclass(frozen=True, slots=True)
class ArrivedRequest:
    """A request as it reached the emulator: percent-encoded path, lowercase header names."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    def json(self) -> JsonValue:
        """The body as JSON; None when it is none."""
        try:
            return cast(JsonValue, json.loads(self.body))
        except (ValueError, RecursionError):
            return None

    def form(self) -> dict[str, str]:
        """The fields of a form body (the last of equal names)."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


def differences(
    expected: ExpectedRequest,
    arrived: ArrivedRequest,
    *,
    ignore_query: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """What of the request is not as recorded, in words; empty when it is the recorded request.

    `ignore_query` names query parameters that may be there in addition, such as a credential that
    stands in the query.
    """
    found: list[str] = []
    if arrived.method != expected.method:
        found.append(f"method is {arrived.method}, recorded {expected.method}")
    if arrived.path != expected.path:
        found.append(f"path is {_short(arrived.path)}, recorded {_short(expected.path)}")
    query = sorted(pair for pair in arrived.query if pair[0] not in ignore_query)
    if query != list(expected.query):
        found.append(f"query is {_short(query)}, recorded {_short(list(expected.query))}")
    for name, value in expected.headers.items():
        if arrived.headers.get(name) != value:
            found.append(
                f"header {name} is {_short(arrived.headers.get(name))}, recorded {_short(value)}"
            )
    found.extend(_body_differences(expected, arrived))
    return tuple(found[:MAX_DIFFERENCES])


def _body_differences(expected: ExpectedRequest, arrived: ArrivedRequest) -> list[str]:
    if expected.body is None:
        empty = not arrived.body or arrived.json() == {}
        return [] if empty else ["there is a body, recorded none"]
    if arrived.content_type == FORM:
        recorded = (
            dict(parse_qsl(expected.body, keep_blank_values=True))
            if isinstance(expected.body, str)
            else dict(bracketed("", expected.body))
        )
        return _value_differences(
            "form", cast(JsonValue, recorded), cast(JsonValue, arrived.form())
        )
    if isinstance(expected.body, str):
        text = arrived.body.decode("utf-8", "replace")
        if text == expected.body or arrived.json() == expected.body:
            return []
        return [f"body is {_short(text)}, recorded {_short(expected.body)}"]
    document = arrived.json()
    if document is None:
        return ["the body is not JSON"]
    return _value_differences("body", expected.body, document)


def bracketed(name: str, value: JsonValue) -> Iterator[tuple[str, str]]:
    """A document as the fields of a form, nested with brackets: `metadata[key]`, `items[0][id]`."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from bracketed(f"{name}[{key}]" if name else key, inner)
        case list():
            for index, inner in enumerate(value):
                yield from bracketed(f"{name}[{index}]", inner)
        case None:
            return
        case _:
            yield name, as_text(value) or ""


def _value_differences(where: str, expected: JsonValue, arrived: JsonValue) -> list[str]:
    if isinstance(expected, dict) and isinstance(arrived, dict):
        found: list[str] = []
        for name in sorted(expected.keys() | arrived.keys()):
            place = f"{where}.{name}"
            if name not in arrived:
                found.append(f"{place} is missing")
            elif name not in expected:
                found.append(f"{place} is not in the recording")
            else:
                found.extend(_value_differences(place, expected[name], arrived[name]))
        return found
    if isinstance(expected, list) and isinstance(arrived, list) and len(expected) == len(arrived):
        return [
            difference
            for index, pair in enumerate(zip(expected, arrived, strict=True))
            for difference in _value_differences(f"{where}.{index}", *pair)
        ]
    # In JSON 1 and true differ although Python holds them equal.
    if expected == arrived and isinstance(expected, bool) == isinstance(arrived, bool):
        return []
    return [f"{where} is {_short(arrived)}, recorded {_short(expected)}"]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
