"""Settings of the certification service, beside those that every service has."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, HttpUrl, UrlConstraints

from jackfield_common.settings import Settings

Address = Annotated[HttpUrl, UrlConstraints(allowed_schemes=["http", "https"])]


class CertificationSettings(Settings):
    """How certification reaches the product's front door, and where it plays the vendors."""

    api_url: Address
    """The gateway's public API."""
    api_key_file: Path
    """Holds the API key that runs are made with; read for every run, so that it can be rotated."""
    webhook_url: Address
    """The public webhook listener."""

    emulator_host: str = "127.0.0.1"
    """Where emulated vendors listen."""
    emulator_name: str = ""
    """The host name under which workers reach them; `emulator_host` when empty. It has to be in the
    workers' and the gateway's `JACKFIELD_EGRESS_ALLOW`."""

    concurrent_runs: int = Field(default=2, ge=1, le=16)
    """Runs that one process works on at once."""
    check_seconds: float = Field(default=120, gt=0, le=3_600)
    """A check that takes longer has failed."""
    patience_seconds: float = Field(default=60, gt=0, le=3_600)
    """How long an unreachable API is waited for before a run is given up as incomplete."""
    run_attempts: int = Field(default=3, ge=1, le=20)
    """How often a run is resumed after its process died, before it is reported incomplete."""
    lease_seconds: float = Field(default=20, ge=2, le=600)
    """After so long without a sign of life another process takes a run over."""
    recertify_hours: float = Field(default=24, ge=0)
    """A certified connector is certified again after about so many hours; 0 never does."""
    retention_days: int = Field(default=90, ge=1)
    """How long reports are kept; the report that a level rests on is kept in any case."""
