"""Access tokens of our authorization server, verified offline (RFC 9068)."""

import time
from collections.abc import Callable
from typing import Any, Final, cast

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from jackfield_common.errors import NotReady
from jackfield_common.events.credential import JwksState, RevocationState
from jackfield_common.ids import tenant_id
from jackfield_gateway.models.actor import Actor, Scope
from jackfield_gateway.models.problem import Unauthenticated
from jackfield_gateway.service.ports import View, loaded

TOKENS: Final = "tokens"
HEARTBEAT: Final = "heartbeat"
TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
ALGORITHMS: Final = ["ES256", "ES384", "Ed25519", "EdDSA", "RS256", "PS256"]
"""Asymmetric ones only: nobody but the authorization server can make a token."""
LEEWAY: Final = 5
"""Seconds that two clocks may differ."""
MAX_LENGTH: Final = 8 * 1024

_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat", "jti", "client_id")


class Revocations:
    """What was revoked, and whether the feed that says so is alive.

    Silence is not trust: while the heartbeat is missing, nobody knows what was revoked.
    """

    def __init__(self, silence: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._silence = silence
        self._clock = clock
        self._heard: float | None = None
        self._view: View[RevocationState] | None = None

    def follow(self, view: View[RevocationState]) -> None:
        """Look into this view; its changes are told to `changed`."""
        self._view = view

    def changed(self, key: str, _state: RevocationState | None) -> None:
        """The feed said something. What it said before the view was complete is old."""
        if key == HEARTBEAT and self._view is not None and self._view.ready:
            self._heard = self._clock()

    def revoked(self, jti: str) -> bool:
        """Whether this token was revoked. Raises NotReady while nobody can say."""
        if self._view is None or self._heard is None:
            raise NotReady("it is not known yet which access tokens were revoked")
        if self._clock() - self._heard > self._silence:
            raise NotReady("it is not known which access tokens were revoked: their feed is silent")
        return self._view.get(jti) is not None


class AccessTokens:
    """Recognises who holds an access token."""

    def __init__(
        self,
        jwks: View[JwksState],
        revocations: Revocations,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._jwks = jwks
        self._revocations = revocations
        self._now = now
        self._keys: tuple[int, KeySet] | None = None

    def actor(self, token: str) -> Actor:
        """Who holds this token. Raises Unauthenticated saying why not, NotReady."""
        state = loaded(self._jwks, "the authorization server's keys").get(TOKENS)
        if state is None:
            raise NotReady("the authorization server has published no keys yet")
        claims = self._verified(token, state)
        self._check(claims, state)
        if self._revocations.revoked(str(claims["jti"])):
            raise _refused("the token was revoked")
        words = str(claims.get("scope", "")).split()
        scopes = frozenset(scope for scope in Scope if scope.value in words)
        try:
            tenant = tenant_id(str(claims.get("tenant", "")))
        except ValueError:
            raise _refused("the token names no tenant") from None
        return Actor(f"client:{claims['client_id']}/{claims['sub']}", tenant, scopes)

    def _verified(self, token: str, state: JwksState) -> dict[str, Any]:
        if len(token) > MAX_LENGTH:
            raise _refused("the token is too long")
        try:
            decoded = jwt.decode(token, self._key_set(state), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            raise _refused("the token is not signed by our authorization server") from None
        if str(decoded.header.get("typ", "")).lower() not in TYPES:
            raise _refused("the token is not an access token (typ is not at+jwt)")
        return decoded.claims

    def _check(self, claims: dict[str, Any], state: JwksState) -> None:
        missing = [name for name in _REQUIRED if not claims.get(name)]
        if missing:
            raise _refused(f"the token lacks {', '.join(missing)}")
        if claims["iss"] != state.issuer:
            raise _refused("the token is of another issuer")
        audience = claims["aud"]
        audiences = cast(list[Any], audience) if isinstance(audience, list) else [audience]
        if not state.audience or state.audience not in audiences:
            raise _refused("the token is not meant for this API")
        now = self._now()
        if not _is_number(claims["exp"]) or claims["exp"] <= now - LEEWAY:
            raise _refused("the token has expired")
        not_before = claims.get("nbf", 0)
        if not _is_number(not_before) or not_before > now + LEEWAY:
            raise _refused("the token is not valid yet")

    def _key_set(self, state: JwksState) -> KeySet:
        if self._keys is None or self._keys[0] != state.version:
            public = cast(KeySetSerialization, {"keys": list(state.keys)})
            self._keys = state.version, KeySet.import_key_set(public)
        return self._keys[1]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"The access token is refused: {why}.", error="invalid_token")
