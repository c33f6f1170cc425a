"""Installed integrations."""

from typing import Literal

from pydantic import AwareDatetime, Field, SecretStr

from jackfield_common.connector.manifest import Category
from jackfield_common.events.health import Health
from jackfield_common.events.integration import IntegrationState, SealedSecret
from jackfield_common.events.message import JsonObject
from jackfield_common.ids import IntegrationId, Slug, TenantId
from jackfield_gateway.models.marketplace import NeededField
from jackfield_gateway.models.page import Page
from jackfield_gateway.models.value import Identifier, Name, Value, Wanted

CredentialStatus = Literal["none", "pending", "stored", "failed", "sign_in", "reconnect"]
"""`sign_in`: the user has to sign in at the vendor; `reconnect`: again, the vendor took it back."""


class Integration(Value):
    """A row: one installation."""

    integration_id: IntegrationId
    tenant: TenantId
    template: Slug
    connector: Slug
    name: str
    config: JsonObject
    auth: str | None
    enabled: bool
    webhook_secrets: tuple[SealedSecret, ...]
    credential_version: int
    credential_status: CredentialStatus
    credential_message: str
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime

    def state(self) -> IntegrationState:
        """What the other services are told."""
        return IntegrationState(
            tenant=self.tenant,
            version=self.version,
            integration_id=self.integration_id,
            template=self.template,
            connector=self.connector,
            name=self.name,
            config=self.config,
            auth=self.auth,
            enabled=self.enabled,
            webhook_secrets=self.webhook_secrets,
            credential_version=self.credential_version,
        )


class InstallRequest(Wanted):
    """Install a connector, or a template of one."""

    template_name: Slug = Field(examples=["slack"])
    config_overrides: JsonObject = Field(default={}, examples=[{}])
    custom_name: Name | None = Field(default=None, examples=["Deployments channel"])
    auth: Slug | None = Field(
        default=None, description="The way to sign in; the template's or the first when absent."
    )


class ConfigureRequest(Wanted):
    """Change an installation; what is absent stays as it is."""

    integration_id: Identifier
    credentials: dict[str, SecretStr] = Field(
        default={},
        max_length=64,
        description="Fields of one way to sign in, all of them, and of the webhook's secret.",
        examples=[{"webhook_secret": "the text you typed at the vendor"}],
    )
    auth: Slug | None = Field(
        default=None,
        description="The way to sign in; found by the names of the fields when absent.",
    )
    config: JsonObject | None = Field(default=None, description="Values to set; null removes one.")
    custom_name: Name | None = None
    enabled: bool | None = None
    retire_webhook_secret: bool = Field(
        default=False, description="Stop accepting the previous webhook secret at once."
    )


class AuthorizeRequest(Wanted):
    """Sign in at the vendor."""

    return_to: str | None = Field(
        default=None,
        max_length=2_000,
        description="Where the browser goes afterwards: https, or on this machine.",
        examples=["https://console.example.com/integrations"],
    )


class Authorization(Value):
    """A link that the user opens in a browser to sign in at the vendor."""

    url: str = Field(repr=False)
    expires_at: AwareDatetime


class InstalledIntegration(Value):
    """An installation, what it still needs, and how it does. Holds no secret."""

    integration_id: str
    template_name: str
    connector: str
    title: str = Field(description="The connector's title.")
    category: Category | None
    name: str
    config: JsonObject
    auth: str | None
    enabled: bool
    credential_status: CredentialStatus = Field(
        description="`pending` until the vault has kept what was given; `sign_in` and `reconnect`:"
        " the user has to sign in at the vendor, through `authorize`."
    )
    credential_message: str
    credential_version: int
    webhook_url: str | None = Field(description="The address to enter at the vendor.")
    webhook_secret_configured: bool
    setup_steps: tuple[str, ...] = Field(description="What to do at the vendor, in order.")
    missing_fields: tuple[NeededField, ...] = Field(
        description="What `configure` still has to be given."
    )
    warnings: tuple[str, ...]
    health: Health
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime


class InstalledPage(Page[InstalledIntegration]):
    """A page of installed integrations."""


class IntegrationHealth(Value):
    """How an installation does, by checks and live traffic."""

    integration_id: str
    status: Health
    authentication_status: Literal["ok", "failed", "reconnect", "unknown"]
    response_time_ms: float | None
    last_check: AwareDatetime | None
    last_successful_operation: AwareDatetime | None
    error: str | None
    message: str
