"""Shared secrets sent as they are: tokens and Basic credentials; and Standard Webhooks."""

import base64
import binascii
import hmac
from typing import Final

from pydantic import JsonValue

from jackfield_common.connector import verification
from jackfield_common.connector.selector import as_text
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.schemes.places import NO_PARTS, compile_place, headers_of
from jackfield_gateway.edge.schemes.signed import MAX_SIGNATURES, key_bytes
from jackfield_gateway.edge.schemes.verifier import Secrets

_MAX_ITEMS: Final = 10_000


class TokenVerifier:
    """A shared token in a header, a query parameter or a field of the body."""

    def __init__(self, scheme: verification.StaticToken, secrets: Secrets) -> None:
        place = scheme.token_place()
        self._value = compile_place(place)
        self._every = place.removeprefix("body:").split(".") if ".*" in place else None
        self._prefix = scheme.prefix.encode()
        self._tokens = [text.encode() for text in secrets.all("webhook_secret")]
        self.proof_headers = headers_of((place,))
        self.secret_places: tuple[str, ...] = () if place.startswith("header:") else (place,)
        self.expected = f"the token at {place}"

    def verify(self, exchange: Exchange, now: float) -> Reason | None:
        """As `Verifier.verify`. Where the place has a `*`, every item must carry the token."""
        if exchange.repeated is not None and not self.proof_headers.isdisjoint(exchange.repeated):
            return Reason.REPEATED
        if self._every is not None:
            return self._verify_every(exchange, self._every)
        given = self._value(exchange, NO_PARTS)
        if not given:
            return Reason.MISSING
        if not given.startswith(self._prefix):
            return Reason.MALFORMED
        return None if self._is_known(given[len(self._prefix) :]) else Reason.SIGNATURE

    def _verify_every(self, exchange: Exchange, path: list[str]) -> Reason | None:
        try:
            found = _every(exchange.document(), path)
        except ValueError:
            return Reason.MISSING
        if not found or len(found) > _MAX_ITEMS or None in found:
            return Reason.MISSING
        known = [self._is_known((text or "").encode()) for text in found]
        return None if all(known) else Reason.SIGNATURE

    def _is_known(self, given: bytes) -> bool:
        known = False
        for token in self._tokens:
            known |= hmac.compare_digest(token, given)
        return known


def _every(value: JsonValue, path: list[str]) -> list[str | None]:
    for index, name in enumerate(path):
        if name == "*":
            if not isinstance(value, list):
                return [None]
            return [one for item in value for one in _every(item, path[index + 1 :])]
        value = value.get(name) if isinstance(value, dict) else None
    return [as_text(value)]


class BasicVerifier:
    """User name and password (RFC 7617, 2)."""

    def __init__(self, scheme: verification.BasicCredentials, secrets: Secrets) -> None:
        self._wanted = [base64.b64encode(text.encode()) for text in secrets.all("webhook_secret")]
        self.proof_headers = frozenset({b"authorization"})
        self.secret_places: tuple[str, ...] = ()
        self.expected = "header Authorization: Basic with user name and password"

    def verify(self, exchange: Exchange, now: float) -> Reason | None:
        """As `Verifier.verify`."""
        if exchange.repeated is not None and b"authorization" in exchange.repeated:
            return Reason.REPEATED
        given = exchange.headers.get(b"authorization")
        if not given:
            return Reason.MISSING
        scheme, _, credentials = given.partition(b" ")
        if scheme.lower() != b"basic":
            return Reason.MALFORMED
        known = False
        for wanted in self._wanted:
            known |= hmac.compare_digest(wanted, credentials)
        return None if known else Reason.SIGNATURE


class StandardWebhooksVerifier:
    """The Standard Webhooks specification 1.0, symmetric signatures (`v1`)."""

    def __init__(self, scheme: verification.StandardWebhooks, secrets: Secrets) -> None:
        self._keys = [key_bytes(text, "base64", "whsec_") for text in secrets.all("webhook_secret")]
        prefix = scheme.header_prefix.lower().encode()
        self._id, self._timestamp = prefix + b"id", prefix + b"timestamp"
        self._signature = prefix + b"signature"
        self._proof = frozenset({self._id, self._timestamp, self._signature})
        self._tolerance = scheme.tolerance
        self.proof_headers = frozenset({self._signature})
        self.secret_places: tuple[str, ...] = ()
        self.expected = (
            f"headers {scheme.header_prefix}id, -timestamp and -signature "
            f"(Standard Webhooks, v1), within {scheme.tolerance:g} s"
        )

    def verify(self, exchange: Exchange, now: float) -> Reason | None:
        """As `Verifier.verify`."""
        if exchange.repeated is not None and not self._proof.isdisjoint(exchange.repeated):
            return Reason.REPEATED
        headers = exchange.headers
        message, timestamp = headers.get(self._id), headers.get(self._timestamp)
        given = headers.get(self._signature)
        if not message or not timestamp or not given:
            return Reason.MISSING
        # the id must not hold the separator, or two messages could have the same signed content
        if not timestamp.isdigit() or len(timestamp) > 16 or b"." in message:
            return Reason.MALFORMED
        if abs(now - int(timestamp)) > self._tolerance:
            return Reason.STALE
        signatures = [
            text[3:] for text in given.split(b" ")[:MAX_SIGNATURES] if text.startswith(b"v1,")
        ]
        if not signatures:
            return Reason.MALFORMED
        content = b".".join((message, timestamp, exchange.body))
        for key in self._keys:
            wanted = binascii.b2a_base64(hmac.digest(key, content, "sha256"), newline=False)
            for signature in signatures:
                if hmac.compare_digest(wanted, signature):
                    return None
        return Reason.SIGNATURE
