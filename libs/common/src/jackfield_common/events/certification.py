"""Certification: commands, reports, levels."""

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from jackfield_common.events.message import Event, JsonObject, State
from jackfield_common.ids import IntegrationId, Slug
from jackfield_common.topics import LEVEL, RUN_COMPLETED, RUN_REQUESTED, Topic


class Level(StrEnum):
    """What a score is worth: Bronze from 60 %, Silver from 80 %, Gold from 95 %, Platinum at 100 %."""

    NONE = "none"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    PLATINUM = "platinum"


class Check(BaseModel):
    """One named check of a suite, with what was seen.

    `against` says what stood at the other side. A check that does not apply is left out of the score,
    with its reason in `message`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    suite: str
    name: str
    weight: float = Field(gt=0)
    outcome: Literal["passed", "failed", "not_applicable", "not_run"]
    message: str
    against: Literal["emulator", "specification", "sdk", "live"] = "emulator"
    duration_ms: float = 0
    evidence: tuple[JsonObject, ...] = ()


class RunRequested(Event):
    """Certify one integration, by the suites named; all of them when none is."""

    topic: ClassVar[Topic] = RUN_REQUESTED

    run_id: str
    integration_id: IntegrationId
    connector: Slug
    suites: tuple[str, ...] = ()

    def key(self) -> str:
        """The integration id."""
        return self.integration_id


class RunCompleted(Event):
    """The report of one run. `complete` is false when it was cut off: then there is no level.

    `manifest_digest` is the SHA-256 of the manifest it speaks of, `environment` says what it was made
    with, and `signature` is the certification service's word for it (see `jackfield_common.certificates`).
    """

    topic: ClassVar[Topic] = RUN_COMPLETED

    run_id: str
    integration_id: IntegrationId
    connector: Slug
    connector_version: str
    suites: tuple[str, ...]
    complete: bool
    score: float = Field(ge=0, le=100)
    level: Level
    checks: tuple[Check, ...]
    started_at: AwareDatetime
    finished_at: AwareDatetime
    message: str = ""
    manifest_digest: str = ""
    environment: JsonObject = {}
    signature: str | None = None

    def key(self) -> str:
        """The integration id."""
        return self.integration_id


class LevelState(State):
    """The level a connector holds now, and the report it rests on."""

    topic: ClassVar[Topic] = LEVEL

    connector: Slug
    level: Level
    score: float = Field(ge=0, le=100)
    run_id: str
    reason: str = ""

    def key(self) -> str:
        """The connector's slug."""
        return self.connector
