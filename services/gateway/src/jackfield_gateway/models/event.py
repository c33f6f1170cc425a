"""What became of deliveries and events."""

from typing import Literal

from pydantic import AwareDatetime, Field

from jackfield_gateway.edge.statistics import EdgeStats
from jackfield_gateway.models.value import Value


class ProcessedEvent(Value):
    """The final state of an accepted delivery, or of an event sent in."""

    event_id: str
    integration_id: str
    status: Literal["processed", "duplicate", "failed"]
    event_type: str | None
    matched: tuple[str, ...] = Field(description="The routes that took it.")
    actions: tuple[str, ...] = Field(description="The actions asked for; see /api/actions/{id}.")
    reason: str | None
    at: AwareDatetime


class ProcessedCounts(Value):
    """How many deliveries and events ended in each state."""

    processed: int = 0
    duplicate: int = 0
    failed: int = 0


class WebhookStats(EdgeStats):
    """What this gateway's listener counted since it started, and how the tenant's deliveries ended."""

    queue_size: int = Field(description="Requests received and not yet answered, or spooled.")
    workers_started: int = Field(description="Listeners that this process runs.")
    processed: int
    duplicate: int
    failed: int
