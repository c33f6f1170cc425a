"""The oauth service's own types."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from jackfield_common.events import SealedSecret
from jackfield_common.ids import IntegrationId, TenantId

ClientAuthMethod = Literal["client_secret_basic", "client_secret_post", "none"]
"""How a client proves who it is at the token endpoint (RFC 7591, 2)."""


class IdentityScope(StrEnum):
    """What of a person a client may learn (OpenID Connect Core 1.0, 5.4; 11)."""

    OPENID = "openid"
    PROFILE = "profile"
    EMAIL = "email"
    OFFLINE_ACCESS = "offline_access"


class Role(StrEnum):
    """What a person may do in their tenant, from most to least."""

    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    DEVELOPER = "developer"
    VIEWER = "viewer"

    @property
    def administers(self) -> bool:
        """Whether the scope `sudo` is open to it."""
        return self in (Role.OWNER, Role.ADMINISTRATOR)


class Scope(StrEnum):
    """What an access token may open. `docs/` maps each to operations of the API."""

    API = "api"
    READ_API = "read_api"
    READ_USER = "read_user"
    READ_REPOSITORY = "read_repository"
    WRITE_REPOSITORY = "write_repository"
    READ_REGISTRY = "read_registry"
    WRITE_REGISTRY = "write_registry"
    SUDO = "sudo"


@dataclass(frozen=True, slots=True)
class Client:
    """A registered OAuth client (RFC 6749, 2). `secret_digest` is a keyed hash, None for a public one."""

    client_id: str
    tenant: TenantId
    name: str
    auth_method: ClientAuthMethod
    secret_digest: bytes | None
    grant_types: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    introspects: bool = False


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs access tokens; `private` is its JWK sealed to the vault, `public` a JWK as JSON.

    Published from `created_at`, it signs from `signs_from` until a later one does, and stays published
    until `published_until`, when the last token it signed has expired.
    """

    kid: str
    algorithm: str
    public: str
    private: SealedSecret
    created_at: datetime
    signs_from: datetime
    published_until: datetime | None


class CredentialStatus(StrEnum):
    """How a kept credential stands."""

    KEPT = "kept"
    """As the user typed it."""
    CONNECTED = "connected"
    """The vendor's authorization server gave tokens for it."""
    RECONNECT = "reconnect"
    """The vendor took its grant back: the user has to sign in there again."""
    DELETED = "deleted"
    """Gone; the row stays, so that no version comes back."""


@dataclass(frozen=True, slots=True)
class Spending:
    """A refresh token of this version is being spent, by one process, until its call must have ended."""

    version: int
    by: str
    until: datetime


@dataclass(frozen=True, slots=True)
class KeptCredential:
    """A credential as the vault keeps it; `sealed` is None once it was deleted.

    `refresh_at` is when to renew it, None for never.
    """

    integration_id: IntegrationId
    tenant: TenantId
    connector: str
    auth: str
    version: int
    requested_version: int
    sealed: SealedSecret | None
    status: CredentialStatus = CredentialStatus.KEPT
    reason: str = ""
    refresh_at: datetime | None = None
    spending: Spending | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    """A user on the way to a vendor and back; digests and sealed text only."""

    ticket_digest: bytes
    integration_id: IntegrationId
    tenant: TenantId
    requested_version: int
    return_to: str | None
    expires_at: datetime
    state_digest: bytes | None = None
    browser_digest: bytes | None = None
    verifier: SealedSecret | None = None


@dataclass(frozen=True, slots=True)
class Revocation:
    """A token revoked before its time."""

    jti: str
    tenant: TenantId
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """A user. `password_digest` is argon2id in PHC string format."""

    user_id: str
    tenant: TenantId
    email: str
    name: str
    role: Role
    password_digest: str = field(repr=False)
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whoever holds its token may become a user; `email` is theirs, None where they choose it."""

    token_digest: bytes
    tenant: TenantId
    email: str | None
    role: Role
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person in a browser, and when they proved who they are."""

    person: Person
    at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person allowed a client once; codes and tokens hang on it."""

    grant_id: str
    client_id: str
    user_id: str
    tenant: TenantId
    scopes: tuple[str, ...]
    auth_time: datetime
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """An authorization code as it is kept (RFC 6749, 4.1.2; RFC 7636, 4.4), with method S256."""

    code_digest: bytes
    grant: Grant
    redirect_uri: str
    redirect_given: bool
    challenge: str
    nonce: str | None
    expires_at: datetime
    used: bool = False


@dataclass(frozen=True, slots=True)
class IssuedRefreshToken:
    """A refresh token as it is kept. `successor_used` is whether the one after it was used."""

    token_digest: bytes
    grant: Grant
    expires_at: datetime
    used_at: datetime | None = None
    successor_used: bool = False


@dataclass(frozen=True, slots=True)
class PushedRequest:
    """An authorization request that a client sent ahead (RFC 9126)."""

    request_digest: bytes
    parameters: dict[str, str]
    pushed_at: datetime


@dataclass(frozen=True, slots=True)
class Device:
    """A device that waits for a person's word (RFC 8628). `interval` is in seconds."""

    device_digest: bytes
    user_digest: bytes
    client_id: str
    scopes: tuple[str, ...]
    expires_at: datetime
    interval: int
    polled_at: datetime | None = None
    denied: bool = False
    used: bool = False
    grant: Grant | None = None


def scopes_of(text: str | None) -> tuple[str, ...]:
    """The scope parameter (RFC 6749, 3.3) as a tuple, in order, each once."""
    return tuple(dict.fromkeys(text.split())) if text else ()


def scope_text(scopes: Sequence[str]) -> str:
    """Scopes as a parameter."""
    return " ".join(scopes)
