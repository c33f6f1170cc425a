"""How routing fares: what the workers of the webhooks service say of themselves, taken together."""

from collections.abc import Iterable

from jackfield_common.events.message import now
from jackfield_common.events.statistics import WebhooksStatisticsState
from jackfield_gateway.models.event import RoutingStats
from jackfield_gateway.service.ports import View, loaded


class RoutingStatistics:
    """Adds the workers' figures up; those of a worker that has gone without a word do not count."""

    def __init__(self, workers: View[WebhooksStatisticsState]) -> None:
        self._workers = workers

    def now(self) -> RoutingStats:
        """The figures of the workers there are. Raises NotReady while they are being loaded."""
        at = now()
        return together(
            one
            for one in loaded(self._workers, "the workers' figures").values()
            if (at - one.at).total_seconds() <= one.stale_after
        )


def together(workers: Iterable[WebhooksStatisticsState]) -> RoutingStats:
    """Sums of what is counted, the largest of each percentile."""
    all_of = tuple(workers)
    return RoutingStats(
        since=min((one.since for one in all_of), default=None),
        workers=sum(one.workers for one in all_of),
        queued=sum(one.queued for one in all_of),
        in_flight=sum(one.in_flight for one in all_of),
        received=sum(one.received for one in all_of),
        processed=sum(one.processed for one in all_of),
        failed=sum(one.failed for one in all_of),
        duplicate=sum(one.duplicate for one in all_of),
        actions=sum(one.actions for one in all_of),
        failed_routes=sum(one.failed_routes for one in all_of),
        p50_ms=_largest(one.p50_ms for one in all_of),
        p95_ms=_largest(one.p95_ms for one in all_of),
        p99_ms=_largest(one.p99_ms for one in all_of),
    )


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
