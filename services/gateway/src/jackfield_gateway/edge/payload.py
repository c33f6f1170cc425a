"""What of a verified request goes on the bus: its depth checked, what is secret in it removed."""

import json
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode

from pydantic import JsonValue

from jackfield_gateway.edge.exchange import FORM, Exchange, is_document

REMOVED: Final = "[removed]"

_STRINGS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_PAIRS: Final = re.compile(rb"\[\]|\{\}")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
LARGE: Final = 256 * 1024
"""Bytes from which the exact check of the depth is too slow for the event loop."""


def may_be_deep(body: bytes, limit: int) -> bool:
    """Whether `too_deep` has to look; fast, and False for nearly everything."""
    return body.count(b"[") + body.count(b"{") > limit


def too_deep(body: bytes, limit: int) -> bool:
    """Whether JSON is nested more than `limit` deep; brackets that never close count as nested."""
    rest = _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS)
    for _ in range(limit):
        # each pass takes away the innermost level
        shorter = _PAIRS.sub(b"", rest)
        if len(shorter) == len(rest):
            return may_be_deep(rest, limit)
        rest = shorter
    return may_be_deep(rest, 0)


def redacted(exchange: Exchange, places: Sequence[str]) -> tuple[str, bytes]:
    """Query and body without what stands at these places of the query and the body."""
    query, body = exchange.query, exchange.body
    for place in places:
        where, _, name = place.partition(":")
        if where == "query":
            pairs = parse_qsl(query, keep_blank_values=True)
            query = urlencode([(key, value) for key, value in pairs if key != name])
        elif where == "body":
            body = _without(exchange, body, name)
    return query, body


def _without(exchange: Exchange, body: bytes, path: str) -> bytes:
    if exchange.content_type != FORM:
        return _cleaned(body.decode(), path).encode()
    pairs = parse_qsl(body.decode(), keep_blank_values=True)
    cleaned = [
        (key, _cleaned(value, path) if is_document(key, value) else value)
        for key, value in pairs
        if key != path
    ]
    return urlencode(cleaned).encode()


def _cleaned(text: str, path: str) -> str:
    document = _replaced(json.loads(text, parse_int=_whole), path.split("."))
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < 100 else float(digits)


def _replaced(value: JsonValue, path: list[str]) -> JsonValue:
    if not path:
        return REMOVED
    name, rest = path[0], path[1:]
    if isinstance(value, list):
        if name == "*":
            return [_replaced(item, rest) for item in value]
        if name.isdecimal() and int(name) < len(value):
            index = int(name)
            return [*value[:index], _replaced(value[index], rest), *value[index + 1 :]]
    elif isinstance(value, dict) and name in value:
        return {**value, name: _replaced(value[name], rest)}
    return value
