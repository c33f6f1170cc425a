"""Settings of the connectors service, beside those every service has."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from jackfield_common.settings import Settings


class ConnectorsSettings(Settings):
    """The settings of the connectors service."""

    catalog_paths: Annotated[tuple[Path, ...], NoDecode] = ()
    """Folders with connectors of your own, beside the catalogue's, separated by commas."""
    vendor_connections: int = Field(default=32, ge=1, le=1024)
    """Connections open at once to the vendor of one integration."""
    vendor_ca_file: Path | None = None
    """PEM file of authorities to trust beside the system's, for vendors inside your network."""
    trace_vendors: bool = False
    """Whether vendors are sent our trace context (`traceparent`)."""
    actions_in_flight: int = Field(default=256, ge=1, le=10_000)
    """Actions performed at once by this process."""
    action_retries: int = Field(default=8, ge=0, le=1000)
    """How often an action is tried again after a failure that may pass."""
    action_retry_max_delay: float = Field(default=600, gt=0, le=86_400)
    """Seconds between two attempts at most, unless the vendor asks for more."""
    action_budget: float = Field(default=86_400, gt=0)
    """Seconds after its first attempt within which an action is tried again."""
    result_retention_days: float = Field(default=8, ge=1)
    """How long finished actions are remembered; longer than the bus keeps requests (7 days)."""

    @field_validator("catalog_paths", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        return [part for part in value.split(",") if part] if isinstance(value, str) else value
