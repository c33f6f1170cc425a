"""JSON Web Tokens (RFC 7519), signed with keys from a JWK set (RFC 7517) or with a shared secret."""

import base64
import binascii
import json
import math
from collections.abc import Coroutine, Sequence
from typing import Final, cast

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from pydantic import JsonValue

from jackfield_common.connector import verification
from jackfield_common.connector.selector import as_text
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.schemes.documents import Documents
from jackfield_gateway.edge.schemes.places import NO_PARTS, compile_place, headers_of
from jackfield_gateway.edge.schemes.verifier import Secrets, Unusable

KEYS_LIFETIME: Final = 600.0
_MAX_TOKEN: Final = 16 * 1024


def read_keys(raw: bytes) -> KeySet:
    """A JWK set. Raises ValueError."""
    try:
        return KeySet.import_key_set(json.loads(raw))
    except (JoseError, KeyError, TypeError) as error:
        raise ValueError(f"not a JWK set: {type(error).__name__}") from None


class JwtVerifier:
    """Checks signature, algorithm, issuer, audience, times and further claims."""

    def __init__(
        self, scheme: verification.Jwt, secrets: Secrets, documents: Documents[KeySet]
    ) -> None:
        self._value = compile_place(scheme.place)
        self._prefix = scheme.prefix.encode().lower()
        self._algorithms = list(scheme.algorithms)
        self._leeway = scheme.leeway
        self._documents = documents
        self._url: str | None = None
        self._keys: list[OctKey | KeySet] = []
        if scheme.algorithms == ("HS256",):
            self._keys = [OctKey.import_key(text) for text in secrets.all("webhook_secret")]
        else:
            field = scheme.jwks_field
            self._url = scheme.jwks_url if field is None else secrets.all(field)[0]
        self._issuers = set(scheme.issuers)
        if scheme.issuer_field is not None:
            self._issuers |= set(secrets.all(scheme.issuer_field))
        if not self._issuers:
            raise Unusable("a token whose issuer nobody names proves nothing")
        self._audiences = _audiences(scheme, secrets)
        self._claims = {
            claim: frozenset(secrets.all(field)) for claim, field in scheme.claims.items()
        }
        self.proof_headers = headers_of((scheme.place,))
        self.secret_places: tuple[str, ...] = (
            () if scheme.place.startswith("header:") else (scheme.place,)
        )
        audience = "the webhook's address" if self._audiences is None else "the audience given"
        self.expected = (
            f"{scheme.place}: {scheme.prefix}JWT ({', '.join(scheme.algorithms)}) by "
            f"{', '.join(sorted(self._issuers))} for {audience}"
        )

    def prepare(self, exchange: Exchange, now: float) -> Coroutine[None, None, None] | None:
        """As `Preparing.prepare`: fetch the keys when they are missing, old, or lack the one named."""
        if self._url is None:
            return None
        token = self._token(exchange)
        if isinstance(token, Reason):
            return None
        keys = self._documents.get(self._url)
        wanted = keys is None or not _holds(keys, _key_id(token))
        if self._documents.may_fetch(self._url, wanted=wanted):
            return self._documents.fetch(self._url)
        return None

    def verify(self, exchange: Exchange, now: float) -> Reason | None:
        """As `Verifier.verify`."""
        if exchange.repeated is not None and not self.proof_headers.isdisjoint(exchange.repeated):
            return Reason.REPEATED
        token = self._token(exchange)
        if isinstance(token, Reason):
            return token
        candidates: Sequence[OctKey | KeySet] = self._keys
        if self._url is not None:
            keys = self._documents.get(self._url)
            if keys is None:
                return Reason.KEYS
            candidates = [keys]
        claims = self._signed_claims(token, candidates)
        if isinstance(claims, Reason):
            return claims
        return self._judge(claims, exchange, now)

    def _token(self, exchange: Exchange) -> bytes | Reason:
        given = self._value(exchange, NO_PARTS)
        if not given:
            return Reason.MISSING
        prefix = self._prefix
        if given[: len(prefix)].lower() != prefix or len(given) > _MAX_TOKEN:
            return Reason.MALFORMED
        token = given[len(prefix) :]
        segments = token.split(b".")
        if len(segments) != 3 or not all(_is_canonical(segment) for segment in segments):
            return Reason.MALFORMED
        return token

    def _signed_claims(
        self, token: bytes, candidates: Sequence[OctKey | KeySet]
    ) -> dict[str, JsonValue] | Reason:
        for keys in candidates:
            try:
                signed = jws.deserialize_compact(token, keys, algorithms=self._algorithms)
                claims = json.loads(signed.payload)
            except (JoseError, ValueError, RecursionError):
                continue
            if isinstance(claims, dict):
                return cast(dict[str, JsonValue], claims)
            return Reason.MALFORMED
        return Reason.SIGNATURE

    def _judge(self, claims: dict[str, JsonValue], exchange: Exchange, now: float) -> Reason | None:
        expires, begins = claims.get("exp"), claims.get("nbf", 0)
        if not _is_time(expires) or not _is_time(begins):
            return Reason.MALFORMED
        if now > cast(float, expires) + self._leeway or now < cast(float, begins) - self._leeway:
            return Reason.STALE
        issued = claims.get("iat", 0)
        if not _is_time(issued) or now < cast(float, issued) - self._leeway:
            return Reason.STALE
        if claims.get("iss") not in self._issuers:
            return Reason.SIGNATURE
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        given = {one for one in named if isinstance(one, str)}
        wanted = {_without_query(exchange.url)} if self._audiences is None else self._audiences
        if given.isdisjoint(wanted):
            return Reason.SIGNATURE
        for claim, values in self._claims.items():
            if as_text(claims.get(claim)) not in values:
                return Reason.SIGNATURE
        return None


def _audiences(scheme: verification.Jwt, secrets: Secrets) -> frozenset[str] | None:
    """The audiences; None stands for the webhook's own address."""
    if scheme.audience_is_url:
        return None
    if scheme.audience_field is None:
        raise Unusable("a token for any audience proves nothing")
    return frozenset(secrets.all(scheme.audience_field))


def _without_query(url: str) -> str:
    return url.partition("?")[0]


def _is_time(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_canonical(segment: bytes) -> bool:
    """Whether it is base64url as an encoder writes it (RFC 7515, 2), so that each token has one form."""
    try:
        raw = base64.b64decode(segment + b"=" * (-len(segment) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return base64.urlsafe_b64encode(raw).rstrip(b"=") == segment


def _key_id(token: bytes) -> str | None:
    try:
        header = json.loads(base64.urlsafe_b64decode(token.partition(b".")[0] + b"=="))
    except (ValueError, RecursionError):
        return None
    found = cast(dict[str, object], header).get("kid") if isinstance(header, dict) else None
    return found if isinstance(found, str) else None


def _holds(keys: KeySet, key_id: str | None) -> bool:
    return key_id is None or any(key.kid == key_id for key in keys.keys)
