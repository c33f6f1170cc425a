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


class RoutingStats(Value):
    """What the workers that route deliveries say of themselves, taken together.

    Counters are since each worker's start. Percentiles are the largest of any worker, in milliseconds
    from acceptance to the end of routing, absent before the first delivery.
    """

    since: AwareDatetime | None = Field(description="When the oldest worker started.")
    workers: int
    queued: int = Field(description="Accepted, and not yet begun.")
    in_flight: int
    received: int
    processed: int
    failed: int
    duplicate: int
    actions: int = Field(description="Actions asked for.")
    failed_routes: int = Field(description="So often a route failed on an event.")
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class WebhookStats(EdgeStats):
    """What this gateway's listener counted since it started, how routing fares, and how the tenant's
    deliveries ended.
    """

    queue_size: int = Field(
        description="Received and not yet answered, spooled, or accepted and not yet routed."
    )
    workers_started: int = Field(description="Workers that route deliveries now.")
    routing: RoutingStats
    processed: int
    duplicate: int
    failed: int
