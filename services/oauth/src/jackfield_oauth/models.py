"""The oauth service's own types."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from jackfield_common.events import SealedSecret
from jackfield_common.ids import IntegrationId, TenantId

ClientAuthMethod = Literal["client_secret_basic", "client_secret_post", "none"]
"""How a client proves who it is at the token endpoint (RFC 7591, 2)."""


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


def scopes_of(text: str | None) -> tuple[str, ...]:
    """The scope parameter (RFC 6749, 3.3) as a tuple, in order, each once."""
    return tuple(dict.fromkeys(text.split())) if text else ()


def scope_text(scopes: Sequence[str]) -> str:
    """Scopes as a parameter."""
    return " ".join(scopes)
