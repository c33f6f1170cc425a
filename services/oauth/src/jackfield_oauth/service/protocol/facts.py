"""What was read for a request, and what is to be written after it."""

from dataclasses import dataclass
from datetime import datetime

from jackfield_oauth.models import (
    Client,
    Device,
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
    code, `device` the device; `person` is whom the grant behind them belongs to, `signed_in` who sits at
    the browser.
    """

    client: Client | None
    token: AccessToken | None = None
    revoked: bool = False
    code: IssuedCode | None = None
    refresh: IssuedRefreshToken | None = None
    device: Device | None = None
    person: Person | None = None
    signed_in: SignedIn | None = None

    @property
    def grant(self) -> Grant | None:
        """What was presented hangs on this."""
        for one in (self.code, self.refresh, self.device):
            if one is not None:
                return one.grant
        return None


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


@dataclass(frozen=True, slots=True)
class KeepDevice:
    """A device was given its codes."""

    device: Device


@dataclass(frozen=True, slots=True)
class PollDevice:
    """A device asked whether it may; `interval` is how long it has to wait now, in seconds."""

    device_digest: bytes
    interval: int


@dataclass(frozen=True, slots=True)
class UseDevice:
    """A device got its tokens."""

    device_digest: bytes


Effect = (
    RevokeAccessToken
    | RevokeGrant
    | StartGrant
    | KeepCode
    | UseCode
    | KeepRefreshToken
    | UseRefreshToken
    | KeepGrantedToken
    | KeepDevice
    | PollDevice
    | UseDevice
)
