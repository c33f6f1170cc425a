"""Figures of this worker: for Prometheus, and for `GET /webhooks/stats`."""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from prometheus_client import Counter, Histogram

from jackfield_common.events.message import now
from jackfield_common.telemetry import LATENCY_BUCKETS

Status = Literal["processed", "duplicate", "failed"]

RECEIVED: Final = Counter(
    "jackfield_webhooks_received_total", "Deliveries and ingested events taken up", ["kind"]
)
ENDED: Final = Counter(
    "jackfield_webhooks_ended_total", "Deliveries and ingested events by their outcome", ["status"]
)
REPEATED: Final = Counter(
    "jackfield_webhooks_repeated_total", "Records read again after they were done"
)
ACTIONS: Final = Counter("jackfield_webhooks_actions_total", "Actions asked for by routes")
FAILED_ROUTES: Final = Counter(
    "jackfield_webhooks_failed_routes_total", "Events that a route failed on"
)
UNDECLARED: Final = Counter(
    "jackfield_webhooks_undeclared_total",
    "Events of a type that the connector's manifest does not declare",
    ["connector"],
)
SECONDS: Final = Histogram(
    "jackfield_webhooks_processing_seconds",
    "Time from acceptance to the end of routing",
    buckets=LATENCY_BUCKETS,
)
INGRESS: Final = Counter(
    "jackfield_ingress_events_total", "CloudEvents taken over from public topics", ["tenant"]
)

REMEMBERED: Final = 4_096


@dataclass(slots=True)
class Counts:
    """What has been counted since the start."""

    received: int = 0
    processed: int = 0
    duplicate: int = 0
    failed: int = 0
    actions: int = 0
    failed_routes: int = 0


class Statistics:
    """Counts what happens, and remembers the last durations."""

    def __init__(self) -> None:
        self.since = now()
        self.counts = Counts()
        self._milliseconds: deque[float] = deque(maxlen=REMEMBERED)

    def received(self, kind: Literal["delivery", "event"]) -> None:
        """A record was taken up."""
        RECEIVED.labels(kind).inc()
        self.counts.received += 1

    def routed(self, actions: int, failed_routes: int) -> None:
        """An event was routed."""
        if actions:
            ACTIONS.inc(actions)
            self.counts.actions += actions
        if failed_routes:
            FAILED_ROUTES.inc(failed_routes)
            self.counts.failed_routes += failed_routes

    def ended(self, status: Status, seconds: float) -> None:
        """A record came to its end, this long after it was accepted."""
        ENDED.labels(status).inc()
        setattr(self.counts, status, getattr(self.counts, status) + 1)
        if status == "processed":
            SECONDS.observe(seconds)
            self._milliseconds.append(seconds * 1000)

    def percentiles(self) -> tuple[float, float, float] | None:
        """p50, p95 and p99 of the last durations in milliseconds; None before the first."""
        if not self._milliseconds:
            return None
        ordered = sorted(self._milliseconds)
        last = len(ordered) - 1
        return (
            ordered[round(last * 0.5)],
            ordered[round(last * 0.95)],
            ordered[round(last * 0.99)],
        )


def seconds_since(moment: datetime) -> float:
    """Seconds since a moment; 0 when the clock it was taken from is ahead of ours."""
    return max((datetime.now(UTC) - moment).total_seconds(), 0.0)
