"""The health of an integration."""

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import AwareDatetime

from jackfield_common.errors import ErrorKind
from jackfield_common.events.message import State
from jackfield_common.ids import IntegrationId
from jackfield_common.topics import HEALTH, Topic


class Health(StrEnum):
    """How an integration does."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class HealthState(State):
    """The latest word on an integration's health, from checks and live traffic."""

    topic: ClassVar[Topic] = HEALTH

    integration_id: IntegrationId
    status: Health
    authentication_status: Literal["ok", "failed", "reconnect", "unknown"] = "unknown"
    response_time_ms: float | None = None
    last_check: AwareDatetime | None = None
    last_successful_operation: AwareDatetime | None = None
    error: ErrorKind | None = None
    message: str = ""

    def key(self) -> str:
        """The integration id."""
        return self.integration_id
