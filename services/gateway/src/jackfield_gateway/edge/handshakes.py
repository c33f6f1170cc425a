"""Handshakes: a vendor's question whether this address is ours, answered by the manifest's data."""

import binascii
import hmac
from collections.abc import Awaitable, Callable
from typing import Final

import orjson

from jackfield_common.connector.handshake import Handshake
from jackfield_common.connector.verification import TemplatePart, template_parts
from jackfield_common.ids import IntegrationId
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.schemes.places import NO_PARTS, Value, compile_place

SecretTaker = Callable[[IntegrationId, str, str], Awaitable[None]]
"""Stores a secret that a vendor chose: integration, field, value. Raises NotReady when it cannot."""

MAX_VALUE: Final = 4096
"""Bytes of a value from the request that an answer repeats."""
_PHRASES: Final = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content"}


class Unanswerable(Exception):
    """The question holds something that cannot stand in an answer."""


class CompiledHandshake:
    """One handshake of one integration."""

    def __init__(self, handshake: Handshake, secrets: tuple[str, ...]) -> None:
        self.method = handshake.method.encode()
        self.verified = handshake.verified
        self.status = handshake.status
        self.phrase = _PHRASES.get(handshake.status, "OK")
        self._conditions = [
            (compile_place(one.place), None if one.equals is None else one.equals.encode())
            for one in handshake.when
        ]
        self.reads_body = any(one.place.startswith("body:") for one in handshake.when)
        self._key = secrets[0].encode() if secrets else None
        self._text = None if handshake.text is None else self._template(handshake.text)
        self._fields = {name: self._template(text) for name, text in handshake.json_fields.items()}
        self._headers = {name: self._template(text) for name, text in handshake.headers.items()}
        self._delivers = None if handshake.delivers is None else compile_place(handshake.delivers)
        self._confirms = None if handshake.confirms is None else compile_place(handshake.confirms)
        self._hosts = handshake.hosts

    def matches(self, exchange: Exchange) -> bool:
        """Whether the request asks this question."""
        if exchange.method != self.method:
            return False
        for value, wanted in self._conditions:
            given = value(exchange, NO_PARTS)
            if given is None or (wanted is not None and given != wanted):
                return False
        return True

    def body(self, exchange: Exchange) -> tuple[bytes, str | None]:
        """The answer's body and its media type. Raises Unanswerable."""
        if self._text is not None:
            text = _filled(self._text, exchange)
            return text.encode(), "text/plain; charset=utf-8"
        if self._fields:
            document = {name: _filled(parts, exchange) for name, parts in self._fields.items()}
            return orjson.dumps(document), "application/json"
        return b"", None

    def headers(self, exchange: Exchange) -> dict[str, str]:
        """The answer's headers. Raises Unanswerable."""
        found: dict[str, str] = {}
        for name, parts in self._headers.items():
            text = _filled(parts, exchange)
            if not text.isascii() or not text.isprintable():
                raise Unanswerable(f"the value for {name} is not printable ASCII")
            found[name] = text
        return found

    @property
    def delivers_secret(self) -> bool:
        """Whether the question brings the secret."""
        return self._delivers is not None

    def secret(self, exchange: Exchange) -> str:
        """The secret that the question brings. Raises Unanswerable."""
        assert self._delivers is not None
        raw = self._delivers(exchange, NO_PARTS)
        if not raw or len(raw) > MAX_VALUE:
            raise Unanswerable("there is no secret in it")
        return raw.decode("latin-1")

    def confirmation(self, exchange: Exchange) -> str | None:
        """The address to fetch, if there is one. Raises Unanswerable when it leads elsewhere."""
        if self._confirms is None:
            return None
        raw = self._confirms(exchange, NO_PARTS)
        url = "" if raw is None else raw.decode("latin-1")
        host = url.removeprefix("https://").partition("/")[0]
        known = any(
            host.endswith(one) if one.startswith(".") else host == one for one in self._hosts
        )
        if not url.startswith("https://") or not known or not url.isascii():
            raise Unanswerable("the address to confirm is not the vendor's")
        return url

    def _template(self, text: str) -> list[Value]:
        return [self._part(one) for one in template_parts(text)]

    def _part(self, part: TemplatePart) -> Value:
        kind, name = part
        if kind == "literal":
            raw = name.encode()
            return lambda exchange, parts: raw
        if not name.startswith("hmac:"):
            return compile_place(name)
        value, key = compile_place(name.removeprefix("hmac:")), self._key

        def signed(exchange: Exchange, parts: object) -> bytes | None:
            given = value(exchange, NO_PARTS)
            if given is None or key is None:
                return None
            return binascii.hexlify(hmac.digest(key, given, "sha256"))

        return signed


def _filled(values: list[Value], exchange: Exchange) -> str:
    pieces: list[bytes] = []
    for value in values:
        piece = value(exchange, NO_PARTS)
        if piece is None or len(piece) > MAX_VALUE:
            raise Unanswerable("a value that the answer needs is absent or too long")
        pieces.append(piece)
    try:
        return b"".join(pieces).decode()
    except UnicodeDecodeError:
        raise Unanswerable("a value is not UTF-8") from None
