"""Tells the gateway how this worker fares: a small compacted state, one key a worker."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog
from prometheus_client import REGISTRY

from jackfield_common.envelope import tombstone
from jackfield_common.errors import NotReady
from jackfield_common.events import WebhooksStatisticsState
from jackfield_common.events.message import now
from jackfield_common.ids import DEFAULT_TENANT
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.state import ReadModel
from jackfield_common.topics import WEBHOOKS_STATISTICS
from jackfield_webhooks.service.statistics import Statistics

log = structlog.get_logger(__name__)

FORGOTTEN_AFTER: Final = timedelta(minutes=10)
"""A worker that said nothing for so long was killed; whoever notices deletes its figures."""


class Reporter:
    """Publishes figures every `seconds`, and deletes them at the end."""

    def __init__(
        self,
        kafka: Kafka,
        publisher: Publisher,
        statistics: Statistics,
        peers: ReadModel[WebhooksStatisticsState],
        *,
        consumer: str,
        seconds: float,
    ) -> None:
        self._kafka = kafka
        self._publisher = publisher
        self._statistics = statistics
        self._peers = peers
        self._consumer = consumer
        self._seconds = seconds
        self._version = 0

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                await self._publish()
                await self._forget_the_dead()
            except NotReady as error:
                log.debug("statistics_not_published", reason=str(error))
            await asyncio.sleep(self._seconds)

    async def end(self) -> None:
        """Delete this worker's figures."""
        try:
            await self._delete(self._kafka.instance, self._version + 1)
        except NotReady as error:
            log.info("statistics_left_behind", reason=str(error))

    def state(self) -> WebhooksStatisticsState:
        """The figures now."""
        self._version += 1
        counts, percentiles = self._statistics.counts, self._statistics.percentiles()
        p50, p95, p99 = percentiles or (None, None, None)
        return WebhooksStatisticsState(
            tenant=DEFAULT_TENANT,
            version=self._version,
            instance=self._kafka.instance,
            since=self._statistics.since,
            stale_after=max(self._seconds * 5, 5.0),
            queued=self._gauge("jackfield_lanes_backlog_records"),
            in_flight=self._gauge("jackfield_lanes_running"),
            workers=1,
            received=counts.received,
            processed=counts.processed,
            failed=counts.failed,
            duplicate=counts.duplicate,
            actions=counts.actions,
            failed_routes=counts.failed_routes,
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
        )

    async def _publish(self) -> None:
        await self._publisher.publish(self.state(), {})

    async def _forget_the_dead(self) -> None:
        horizon = now() - FORGOTTEN_AFTER
        for peer in list(self._peers.values()):
            if peer.instance != self._kafka.instance and peer.at < horizon:
                await self._delete(peer.instance, peer.version)

    async def _delete(self, instance: str, version: int) -> None:
        await self._publisher.send(
            tombstone(WEBHOOKS_STATISTICS, instance, version, self._kafka.naming)
        )

    def _gauge(self, name: str) -> int:
        value = REGISTRY.get_sample_value(name, {"consumer": self._consumer})
        return max(int(value or 0), 0)
