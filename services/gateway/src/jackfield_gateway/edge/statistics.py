"""What the listener counts: plain numbers on the hot path, read by the API and by Prometheus."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from pydantic import BaseModel, ConfigDict

from jackfield_common.telemetry import LATENCY_BUCKETS
from jackfield_gateway.edge.reasons import Reason

_BOUNDS: Final = tuple(50e-6 * 1.12**n for n in range(120))
"""Upper bounds in seconds, 50 µs to 35 s, 12 % apart."""
_WINDOW: Final = 300.0
_REFUSALS_KEPT: Final = 20
_INTEGRATIONS_KEPT: Final = 5_000


class EdgeStats(BaseModel):
    """Counters since start; times in milliseconds over the last five to ten minutes."""

    model_config = ConfigDict(frozen=True)

    received: int
    accepted: int
    refused: dict[str, int]
    handshakes: int
    rate_limited_ips: int
    connections: int
    in_flight: int
    """Requests received and not yet answered."""
    outstanding_bytes: int
    """Accepted, and not yet acknowledged by Kafka."""
    spooled: int
    """Accepted, and waiting on disk for Kafka."""
    kafka: bool
    """Whether Kafka acknowledges."""
    processing_p50_ms: float
    processing_p95_ms: float
    processing_p99_ms: float
    processing_p999_ms: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused request, for the owner of the integration. `expected` says what would have passed."""

    at: float
    reason: Reason
    expected: str
    source: str


class Latencies:
    """How long accepted requests took, in buckets."""

    def __init__(self) -> None:
        self._buckets = [0] * (len(_BOUNDS) + 1)
        self._current = [0] * (len(_BOUNDS) + 1)
        self._previous = [0] * (len(_BOUNDS) + 1)
        self._turned = 0.0
        self.sum = 0.0
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count one."""
        index = bisect_right(_BOUNDS, seconds)
        self._current[index] += 1
        self.sum += seconds
        self.count += 1

    def turn(self, now: float) -> None:
        """Begin a new window when the current one is over; `now` is monotonic."""
        if now - self._turned >= _WINDOW:
            self._turned = now
            self._buckets = [a + b for a, b in zip(self._buckets, self._current, strict=True)]
            self._previous, self._current = self._current, [0] * (len(_BOUNDS) + 1)

    def quantile(self, q: float) -> float:
        """The q-quantile of the recent ones in seconds, rounded up to its bucket; 0 without any."""
        recent = [a + b for a, b in zip(self._previous, self._current, strict=True)]
        rank, seen = q * sum(recent), 0
        for bound, count in zip((*_BOUNDS, _BOUNDS[-1]), recent, strict=True):
            seen += count
            if seen and seen >= rank:
                return bound
        return 0.0

    def cumulative(self) -> list[tuple[str, int]]:
        """Prometheus buckets: the count at or below each bound (to the next finer bucket)."""
        totals = [a + b for a, b in zip(self._buckets, self._current, strict=True)]
        found: list[tuple[str, int]] = []
        for bound in LATENCY_BUCKETS:
            below = sum(totals[: bisect_right(_BOUNDS, bound)])
            found.append((str(float(bound)), below))
        return [*found, ("+Inf", self.count)]


class Statistics:
    """The listener's counters."""

    def __init__(self) -> None:
        self.received = 0
        self.accepted = 0
        self.handshakes = 0
        self.answered = 0
        self.connections = 0
        self.producers_replaced = 0
        self.refused: dict[Reason, int] = dict.fromkeys(Reason, 0)
        self.latencies = Latencies()
        self._refusals: dict[str, deque[Refusal]] = {}

    def note(self, integration: str, refusal: Refusal) -> None:
        """Keep a refusal for the integration's owner; bounded, the integrations heard last stay."""
        kept = self._refusals.pop(integration, None)
        if kept is None:
            kept = deque[Refusal](maxlen=_REFUSALS_KEPT)
            if len(self._refusals) >= _INTEGRATIONS_KEPT:
                del self._refusals[next(iter(self._refusals))]
        self._refusals[integration] = kept
        kept.append(refusal)

    def refusals(self, integration: str) -> tuple[Refusal, ...]:
        """The last refused requests of one integration, oldest first."""
        return tuple(self._refusals.get(integration, ()))


class EdgeCollector(Collector):
    """The counters as Prometheus metrics, made when they are asked for."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics
        self.outstanding_bytes = 0

    def collect(self) -> Iterator[Metric]:
        """The metric families."""
        statistics = self._statistics
        yield CounterMetricFamily(
            "jackfield_edge_received", "Webhook requests received", statistics.received
        )
        yield CounterMetricFamily(
            "jackfield_edge_accepted", "Webhook requests on the bus", statistics.accepted
        )
        yield CounterMetricFamily(
            "jackfield_edge_handshakes", "Handshakes answered", statistics.handshakes
        )
        yield CounterMetricFamily(
            "jackfield_edge_producers_replaced",
            "Kafka producers given up",
            statistics.producers_replaced,
        )
        refused = CounterMetricFamily(
            "jackfield_edge_refused", "Webhook requests refused", labels=["reason"]
        )
        for reason, count in statistics.refused.items():
            refused.add_metric([reason.value], count)
        yield refused
        yield GaugeMetricFamily(
            "jackfield_edge_connections", "Open connections", statistics.connections
        )
        yield GaugeMetricFamily(
            "jackfield_edge_in_flight",
            "Requests not yet answered",
            statistics.received - statistics.answered,
        )
        yield HistogramMetricFamily(
            "jackfield_edge_processing_seconds",
            "From the first byte to the answer, accepted requests",
            buckets=statistics.latencies.cumulative(),
            sum_value=statistics.latencies.sum,
        )
