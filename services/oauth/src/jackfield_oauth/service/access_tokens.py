"""Access tokens: JWTs after RFC 9068, made and read here alone."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from pydantic import BaseModel, ConfigDict, ValidationError

from jackfield_common.ids import TenantId, new_id
from jackfield_oauth.models import Client, Person
from jackfield_oauth.service.signing_keys import KeyRing

ALGORITHMS: Final = ["ES256", "Ed25519"]
TYPES: Final = ("at+jwt", "application/at+jwt")
_MAX_LENGTH: Final = 8 * 1024


class AccessToken(BaseModel):
    """The claims of an access token (RFC 9068, 2.2). Times are seconds since 1970."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iss: str
    sub: str
    aud: str | tuple[str, ...]
    exp: int
    iat: int
    jti: str
    client_id: str
    scope: str = ""
    tenant: TenantId
    auth_time: int | None = None
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Issue:
    """What a token is to say. `person` is whom it acts for, None when the client acts for itself."""

    client: Client
    scope: str
    audience: str
    person: Person | None = None
    auth_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A token just signed."""

    token: str = field(repr=False)
    jti: str
    expires_at: datetime


class AccessTokens:
    """Makes and reads the access tokens of this issuer."""

    def __init__(self, keys: KeyRing, issuer: str, lifetime: int) -> None:
        self._keys = keys
        self._issuer = issuer
        self.lifetime = lifetime

    def make(self, issue: Issue) -> Made:
        """Sign a token. Raises NotReady before a key is there."""
        issued, jti = int(time.time()), new_id()
        signer = self._keys.signer()
        person = issue.person
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": issue.client.client_id if person is None else person.user_id,
            "aud": issue.audience,
            "exp": issued + self.lifetime,
            "iat": issued,
            "jti": jti,
            "client_id": issue.client.client_id,
            "scope": issue.scope,
            "tenant": issue.client.tenant if person is None else person.tenant,
        }
        if person is not None:
            claims["roles"] = [person.role.value]
        if issue.auth_time is not None:
            claims["auth_time"] = int(issue.auth_time.timestamp())
        header = {"alg": signer.algorithm, "typ": TYPES[0], "kid": signer.kid}
        token = jwt.encode(header, claims, signer.key, algorithms=ALGORITHMS)
        return Made(token, jti, datetime.fromtimestamp(issued + self.lifetime, UTC))

    def read(self, token: str) -> AccessToken | None:
        """The claims of a token that this issuer signed and that is not over; None for any other."""
        if len(token) > _MAX_LENGTH:
            return None
        try:
            header = jws.extract_compact(token.encode("ascii")).headers()
            signer = self._keys.find(str(header.get("kid", "")))
            if signer is None or header.get("alg") != signer.algorithm:
                return None
            if str(header.get("typ", "")).lower() not in TYPES:
                return None
            decoded = jwt.decode(token, signer.key, algorithms=[signer.algorithm])
            read = AccessToken.model_validate(decoded.claims)
        except (JoseError, ValidationError, ValueError):
            return None
        if read.iss != self._issuer or read.exp <= time.time():
            return None
        return read
