"""The gateway's settings, beside those that every service has."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from jackfield_common.ids import DEFAULT_TENANT, TenantId, tenant_id
from jackfield_common.settings import Settings
from jackfield_common.topics import MIB
from jackfield_gateway.edge.settings import EdgeSettings


class WebhookSettings(EdgeSettings):
    """The listener's settings, as the environment gives them: lists separated by commas."""

    model_config = ConfigDict(extra="ignore")

    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    kept_headers: Annotated[tuple[str, ...], NoDecode] = ()

    @field_validator("trusted_proxies", "kept_headers", mode="before")
    @classmethod
    def _split_lists(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value


class GatewaySettings(Settings):
    """Everything an operator can set at the gateway.

    The webhook listener's are `JACKFIELD_WEBHOOK_HOST`, `JACKFIELD_WEBHOOK_PORT` and so on.
    """

    model_config = SettingsConfigDict(env_nested_delimiter="_", env_nested_max_split=1)

    webhook: WebhookSettings = WebhookSettings()

    api_host: str = "127.0.0.1"
    """Address that the API listens on."""
    api_port: int = Field(default=8080, ge=0, le=65535)
    """Port of the API; 0 picks a free one."""
    api_max_body: int = Field(default=4 * MIB, ge=1024, le=24 * MIB)
    """Largest body of an API request, in bytes."""
    api_max_requests: int = Field(default=1_000, ge=1)
    """Requests served at a time; beyond it the answer is 503."""

    api_key_file: Path | None = None
    """Holds the bootstrap administrator's API key; without the file there is no such key."""
    api_key_tenant: TenantId = DEFAULT_TENANT
    """The tenant that the bootstrap key belongs to."""
    revocation_silence: float = Field(default=5, gt=0)
    """Seconds without a sign of life from the revocations, after which access tokens are answered
    with 503."""

    public_url: str = ""
    """Where vendors reach the webhook listener: forms the webhook addresses. Empty: this machine."""

    result_retention: timedelta = timedelta(hours=24)
    """How long results of actions, and what was asked under an Idempotency-Key, are kept."""
    event_retention: timedelta = timedelta(days=7)
    """How long the final states of deliveries and events are kept."""
    retention_interval: float = Field(default=300, gt=0)
    """Seconds between two rounds of dropping what is old."""

    @field_validator("api_key_tenant")
    @classmethod
    def _tenant_fits_topics(cls, value: TenantId) -> TenantId:
        return tenant_id(value)

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("the public address starts with https:// (or http://)")
        return value.rstrip("/")

    def webhook_origin(self) -> str:
        """Where webhook addresses begin."""
        return self.public_url or f"http://127.0.0.1:{self.webhook.port}"

    def ages(self) -> dict[str, timedelta]:
        """How old the rows of a table may get."""
        return {
            "action": self.result_retention,
            "idempotency": self.result_retention,
            "processed": self.event_retention,
        }

    def edge(self) -> EdgeSettings:
        """The settings of the webhook listener."""
        return self.webhook.model_copy(update={"public_url": self.public_url})
