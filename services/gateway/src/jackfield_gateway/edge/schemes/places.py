"""Places and templates, compiled: from the text in a manifest to a function of the request."""

from collections.abc import Callable, Mapping
from typing import Final

from jackfield_common.connector.selector import as_text, at_path
from jackfield_common.connector.verification import template_terms
from jackfield_gateway.edge.exchange import Exchange, decoded

Parts = Mapping[bytes, bytes]
"""The parts of a structured signature header."""
Value = Callable[[Exchange, Parts], bytes | None]
"""Reads one value; None where it is absent."""

NO_PARTS: Final[Parts] = {}


def compile_place(place: str) -> Value:
    """A function that reads what stands at `place`."""
    where, _, name = place.partition(":")
    if where == "header":
        header = name.lower().encode()
        return lambda exchange, parts: exchange.headers.get(header)
    if where == "part":
        part = name.encode()
        return lambda exchange, parts: parts.get(part)
    if where == "query":
        return lambda exchange, parts: _encoded(exchange.parameters().get(name))
    return lambda exchange, parts: _in_body(exchange, name)


def headers_of(places: tuple[str, ...]) -> frozenset[bytes]:
    """The headers that these places name."""
    found = {place.partition(":")[2].lower() for place in places if place.startswith("header:")}
    return frozenset(name.encode() for name in found)


def places_of(template: str) -> tuple[str, ...]:
    """The places that a template names."""
    return tuple(name for kind, name in template_terms(template) if kind == "value" and ":" in name)


def compile_template(template: str, timestamp: Value | None, secret: bytes = b"") -> Value:
    """A function that builds the signed content; None when something in it is absent."""
    if template == "{body}":
        return lambda exchange, parts: exchange.body
    values = [
        _named(name, timestamp, secret) if kind == "value" else _literal(name)
        for kind, name in template_terms(template)
    ]

    def build(exchange: Exchange, parts: Parts) -> bytes | None:
        pieces: list[bytes] = []
        for value in values:
            piece = value(exchange, parts)
            if piece is None:
                return None
            pieces.append(piece)
        return b"".join(pieces)

    return build


def _literal(text: str) -> Value:
    raw = text.encode()
    return lambda exchange, parts: raw


def _named(name: str, timestamp: Value | None, secret: bytes) -> Value:
    match name:
        case "body":
            return lambda exchange, parts: exchange.body
        case "method":
            return lambda exchange, parts: exchange.method
        case "url":
            return lambda exchange, parts: exchange.url.encode("latin-1")
        case "decoded_url":
            return lambda exchange, parts: decoded(exchange.url).encode()
        case "path":
            return lambda exchange, parts: exchange.path.encode("latin-1")
        case "secret":
            return lambda exchange, parts: secret
        case "timestamp":
            return timestamp if timestamp is not None else _absent
        case _:
            return compile_place(name)


def _absent(exchange: Exchange, parts: Parts) -> bytes | None:
    return None


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _in_body(exchange: Exchange, path: str) -> bytes | None:
    try:
        document = exchange.document()
    except ValueError:
        return None
    return _encoded(as_text(at_path(document, path)))
