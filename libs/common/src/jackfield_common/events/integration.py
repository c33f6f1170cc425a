"""An installed integration, as its owner (gateway) publishes it."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from jackfield_common.events.message import JsonObject, State
from jackfield_common.ids import IntegrationId, Slug
from jackfield_common.topics import INTEGRATION, Topic


class SealedSecret(BaseModel):
    """A secret that only one service can open.

    `jwe` is a compact JWE (RFC 7516) sealed to the key `kid`; `label` says which field it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    label: str
    kid: str
    jwe: str = Field(repr=False)


class IntegrationState(State):
    """One installation of a connector by a tenant.

    `config` holds what is not secret. `webhook_secrets` are sealed to the gateway, newest first: two
    live during a rotation. `credential_version` is the version of the credential that a worker must
    at least hold before it calls the vendor; 0 means none was given yet.
    """

    topic: ClassVar[Topic] = INTEGRATION

    integration_id: IntegrationId
    template: Slug
    connector: Slug
    name: str = Field(min_length=1, max_length=200)
    config: JsonObject = {}
    auth: str | None = None
    enabled: bool = True
    webhook_secrets: tuple[SealedSecret, ...] = ()
    credential_version: int = 0

    def key(self) -> str:
        """The integration id."""
        return self.integration_id
