"""Settings that every service has. Each service adds its own in its `settings.py`.

Everything is read from the environment with the prefix `JACKFIELD_`. A setting is documented where it
stands; there is no default for a secret.
"""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from jackfield_common.ids import DEFAULT_TENANT, TenantId, tenant_id


def _split(value: object) -> object:
    return (
        [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, str)
        else value
    )


class Settings(BaseSettings):
    """The settings of a Jackfield service."""

    model_config = SettingsConfigDict(env_prefix="JACKFIELD_", extra="ignore", frozen=True)

    kafka_bootstrap_servers: str
    """`host:port`, several separated by commas."""
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_sasl_username: str = ""
    kafka_sasl_password: SecretStr = SecretStr("")
    kafka_ca_file: Path | None = None
    """PEM file of the authority that signed the brokers' certificates; the system's when absent."""
    topic_prefix: str = ""
    """Put before every topic, group and transactional id, for a shared cluster."""
    topic_replication: int = Field(default=1, ge=1)
    """Replication of created topics. Deployed: 3, with min.insync.replicas 2."""
    topic_partitions: int = Field(default=0, ge=0)
    """At most so many partitions for created topics, for a small installation; 0: as declared. A topic
    keeps what it was created with: partitions decide which lane a key falls into."""
    topics_created_by: Literal["services", "administrator"] = "services"
    """Whether services create the topics they own, or only check that they are there."""

    postgres_dsn: SecretStr
    """`postgresql://user:password@host:port/database`, with the service's own login."""
    postgres_pool: int = Field(default=8, ge=2, le=100)
    """Connections kept open at most."""

    keys_dir: Path
    """Holds `<service>.jwks` (private, this service's) and `public.jwks` (everyone's public keys)."""

    tenants: Annotated[tuple[TenantId, ...], NoDecode] = (DEFAULT_TENANT,)
    """Whose public topics exist, separated by commas."""
    egress_allow: Annotated[tuple[str, ...], NoDecode] = ()
    """Networks (CIDR) that outside calls may reach although they are private, loopback or link-local;
    plain http is allowed there as well."""

    ops_host: str = "127.0.0.1"
    ops_port: int = Field(default=0, ge=0, le=65535)
    """Port of `/health/live`, `/health/ready` and `/metrics`; 0 picks a free one."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    otlp_endpoint: str = ""
    """Base address of an OpenTelemetry collector (OTLP over HTTP); empty sends nothing."""
    drain_seconds: float = Field(default=10, gt=0)
    """How long a shutdown waits for work in flight."""

    _split_lists = field_validator("tenants", "egress_allow", mode="before")(_split)

    @field_validator("tenants")
    @classmethod
    def _tenants_fit_topics(cls, value: tuple[TenantId, ...]) -> tuple[TenantId, ...]:
        return tuple(tenant_id(one) for one in value)

    @field_validator("egress_allow")
    @classmethod
    def _networks_parse(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            ip_network(one)
        return value
