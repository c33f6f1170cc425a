"""Certification through the API."""

from typing import Literal

from pydantic import AwareDatetime, Field

from jackfield_common.events.certification import Level, RunCompleted
from jackfield_common.ids import Slug
from jackfield_gateway.models.value import Identifier, Value, Wanted


class RunDraft(Wanted):
    """Certify one integration, by these suites; by all when none is named."""

    integration_id: Identifier
    suites: tuple[Slug, ...] = Field(default=(), max_length=16, examples=[["basic_functionality"]])


class CertificationRun(Value):
    """A run, and its report once it is completed."""

    run_id: str
    integration_id: str
    connector: str
    suites: tuple[str, ...]
    status: Literal["requested", "completed"]
    requested_at: AwareDatetime
    finished_at: AwareDatetime | None = None
    report: RunCompleted | None = None


class ConnectorLevel(Value):
    """The level a connector holds, and the run it rests on."""

    connector: str
    level: Level
    score: float
    run_id: str
    reason: str


class Levels(Value):
    """The level of every certified connector."""

    items: tuple[ConnectorLevel, ...]
