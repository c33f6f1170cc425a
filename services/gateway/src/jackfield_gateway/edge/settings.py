"""What an operator can set at the webhook listener."""

from ipaddress import ip_network
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from jackfield_common.topics import KIB, MAX_BODY, MIB

ALWAYS_KEPT: Final = ("content-type", "user-agent")


class EdgeSettings(BaseModel):
    """The settings of the webhook listener; sizes in bytes, times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8090, ge=0, le=65535)
    """0 picks a free one."""
    reuse_port: bool = False
    """Several processes share the port, and the kernel spreads connections over them (SO_REUSEPORT)."""
    backlog: int = Field(default=1024, ge=1)
    public_url: str = ""
    """What senders know this listener by; some vendors sign it. Empty: http:// and the Host header."""

    max_body: int = Field(default=MAX_BODY, ge=KIB, le=MAX_BODY)
    max_head: int = Field(default=32 * KIB, ge=KIB, le=256 * KIB)
    """Request line and headers together."""
    max_headers: int = Field(default=100, ge=8, le=1000)
    max_json_depth: int = Field(default=128, ge=4, le=512)
    max_connections: int = Field(default=10_000, ge=1)
    max_pipelined: int = Field(default=32, ge=1)
    """Requests of one connection that wait for their answer before it is read on."""
    max_receiving: int = Field(default=256 * MIB, ge=MIB)
    """Bodies being received, all connections together; beyond it the answer is 503."""
    max_outstanding: int = Field(default=96 * MIB, ge=MIB)
    """Accepted and not yet acknowledged by Kafka; beyond it the answer is 503."""

    head_timeout: float = Field(default=10, gt=0)
    body_timeout: float = Field(default=60, gt=0)
    """From the end of the headers to the end of the body."""
    min_body_rate: int = Field(default=1 * KIB, ge=0)
    """Bytes per second that a body must come at, on average, after the first five seconds."""
    idle_timeout: float = Field(default=75, gt=0)
    publish_timeout: float = Field(default=3.5, gt=0, le=60)
    """Without Kafka's acknowledgement by then the answer is 503."""
    retry_after: int = Field(default=2, ge=1)
    """What a 503 tells its reader to wait."""
    spool_dir: Path | None = None
    """A directory of this process's own, on a persistent volume, that deliveries are accepted into while
    Kafka is away. None: they are answered 503, and senders send again."""
    spool_max: int = Field(default=1024 * MIB, ge=MIB)
    drain: float = Field(default=10, gt=0)
    """How long a shutdown waits for requests under way."""

    trusted_proxies: tuple[str, ...] = ()
    """Networks (CIDR) whose X-Forwarded-For and forwarded client certificates are believed."""
    kept_headers: tuple[str, ...] = ()
    """Headers that go on the bus beside content-type, user-agent and those a manifest names."""

    integration_rate: float = Field(default=5_000, gt=0)
    """Requests a second that one integration may sustain."""
    integration_burst: int = Field(default=20_000, ge=1)
    source_rate: float = Field(default=5_000, gt=0)
    """Requests a second that one source address may sustain."""
    source_burst: int = Field(default=20_000, ge=1)
    refusal_rate: float = Field(default=5, gt=0)
    """Refused requests a second (unknown id, wrong proof) after which a source address has to wait."""
    refusal_burst: int = Field(default=200, ge=1)

    traces_per_second: float = Field(default=50, ge=0)
    """Spans recorded a second at most; the rest is passed on unsampled. Only with a collector."""

    @field_validator("trusted_proxies")
    @classmethod
    def _networks_parse(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            ip_network(one)
        return value

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("the public address starts with https:// (or http://)")
        return value.rstrip("/")
