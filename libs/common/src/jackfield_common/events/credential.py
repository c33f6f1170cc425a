"""Credentials and keys on the bus: always sealed, always versioned."""

from typing import ClassVar, Literal

from pydantic import Field

from jackfield_common.errors import ErrorKind
from jackfield_common.events.integration import SealedSecret
from jackfield_common.events.message import Event, JsonObject, State
from jackfield_common.events.question import Question
from jackfield_common.ids import IntegrationId, Slug
from jackfield_common.topics import (
    CONNECTION_COMPLETED,
    CONNECTION_REQUESTED,
    CREDENTIAL,
    JWKS,
    REFRESH_REQUESTED,
    REVOCATION,
    Topic,
)


class ConnectionRequested(Event):
    """Keep what the user typed as version `credential_version` of this integration's credential.

    `sealed` is a JSON object sealed to the vault: nobody else can open it. With `authorize` and nothing
    sealed, the user is to sign in at the vendor (again) with the OAuth client that is kept; the browser
    goes to `return_to` afterwards.
    """

    topic: ClassVar[Topic] = CONNECTION_REQUESTED

    integration_id: IntegrationId
    connector: Slug
    auth: str
    credential_version: int = Field(ge=1)
    sealed: SealedSecret | None = None
    delete: bool = False
    authorize: bool = False
    return_to: str | None = None
    question: Question | None = None

    def key(self) -> str:
        """The integration id."""
        return self.integration_id


class ConnectionCompleted(Event):
    """The vault kept, renewed, refused, deleted or lost a credential.

    On success, workers must hold at least `credential_version` from now on. `authorization` is a link,
    sealed to the gateway, that the user has to open to sign in at the vendor: it lives ten minutes.
    Without success and with the error AUTH, the vendor took the grant back: the user has to reconnect.
    """

    topic: ClassVar[Topic] = CONNECTION_COMPLETED

    integration_id: IntegrationId
    credential_version: int
    success: bool
    message: str = ""
    error: ErrorKind | None = None
    authorization: SealedSecret | None = None

    def key(self) -> str:
        """The integration id."""
        return self.integration_id


class CredentialState(State):
    """A credential for the workers.

    `token` is a compact JWS (RFC 7515) by the vault's key over `{integration_id, version, tenant, jwe}`,
    where `jwe` is sealed to the workers' key. Its `version` is the credential's.
    """

    topic: ClassVar[Topic] = CREDENTIAL

    integration_id: IntegrationId
    token: str = Field(repr=False)

    def key(self) -> str:
        """The integration id."""
        return self.integration_id


class RefreshRequested(Event):
    """A worker met AUTH with this version of a credential: refresh it."""

    topic: ClassVar[Topic] = REFRESH_REQUESTED

    integration_id: IntegrationId
    credential_version: int

    def key(self) -> str:
        """The integration id."""
        return self.integration_id


class JwksState(State):
    """Public keys (RFC 7517): `tokens` verify access tokens of the authorization server.

    `audience` is the `aud` of the access tokens that are meant for the API (RFC 9068, 2.2).
    """

    topic: ClassVar[Topic] = JWKS

    set: Literal["tokens"]
    issuer: str
    audience: str = ""
    keys: tuple[JsonObject, ...]

    def key(self) -> str:
        """The name of the set."""
        return self.set


class RevocationState(State):
    """A revoked token, until it would have expired; or, under the key `heartbeat`, a sign of life."""

    topic: ClassVar[Topic] = REVOCATION

    jti: str
    expires_at: float = 0

    def key(self) -> str:
        """The token's `jti`, or `heartbeat`."""
        return self.jti
