"""What was read for a request, and what is to be written after it."""

from dataclasses import dataclass
from datetime import datetime

from jackfield_oauth.models import (
    Client,
    Grant,
    IssuedCode,
    IssuedRefreshToken,
    Person,
    SignedIn,
)
from jackfield_oauth.service.access_tokens import AccessToken


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read for one request.

    `token` is the access token that it is about, `refresh` the refresh token, `code` the authorization
    code; `person` is whom the grant behind them belongs to, `signed_in` who sits at the browser.
    """

    client: Client | None
    token: AccessToken | None = None
    revoked: bool = False
    code: IssuedCode | None = None
    refresh: IssuedRefreshToken | None = None
    person: Person | None = None
    signed_in: SignedIn | None = None


@dataclass(frozen=True, slots=True)
class RevokeAccessToken:
    """This token is no longer good."""

    token: AccessToken


@dataclass(frozen=True, slots=True)
class RevokeGrant:
    """Nothing that hangs on this grant is good any more."""

    grant: Grant
    reason: str


@dataclass(frozen=True, slots=True)
class StartGrant:
    """A person allowed a client something."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class KeepCode:
    """An authorization code was given out."""

    code: IssuedCode


@dataclass(frozen=True, slots=True)
class UseCode:
    """An authorization code was exchanged."""

    code_digest: bytes


@dataclass(frozen=True, slots=True)
class KeepRefreshToken:
    """A refresh token was given out."""

    token_digest: bytes
    grant: Grant
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UseRefreshToken:
    """A refresh token was exchanged for its successor."""

    token_digest: bytes


@dataclass(frozen=True, slots=True)
class KeepGrantedToken:
    """An access token was given out that ends with its grant."""

    jti: str
    grant: Grant
    expires_at: datetime


Effect = (
    RevokeAccessToken
    | RevokeGrant
    | StartGrant
    | KeepCode
    | UseCode
    | KeepRefreshToken
    | UseRefreshToken
    | KeepGrantedToken
)
