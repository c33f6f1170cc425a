"""What a worker of the webhooks service says of itself, for `GET /webhooks/stats`."""

from typing import ClassVar

from pydantic import AwareDatetime, Field

from jackfield_common.events.message import State
from jackfield_common.topics import WEBHOOKS_STATISTICS, Topic


class WebhooksStatisticsState(State):
    """One worker's figures, each a few seconds old at most; a worker that ends deletes its own.

    Counters are since `since`; add them up over the workers. A worker whose `at` is older than
    `stale_after` seconds has gone without a word. Percentiles are in milliseconds from acceptance to
    the end of routing, over the last few thousand; take the largest over the workers.
    """

    topic: ClassVar[Topic] = WEBHOOKS_STATISTICS

    instance: str
    since: AwareDatetime
    stale_after: float = 15.0
    queued: int = Field(default=0, ge=0)
    in_flight: int = Field(default=0, ge=0)
    workers: int = Field(default=0, ge=0)
    received: int = Field(default=0, ge=0)
    processed: int = Field(default=0, ge=0)
    failed: int = Field(default=0, ge=0)
    duplicate: int = Field(default=0, ge=0)
    actions: int = Field(default=0, ge=0)
    failed_routes: int = Field(default=0, ge=0)
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None

    def key(self) -> str:
        """The worker's instance."""
        return self.instance
