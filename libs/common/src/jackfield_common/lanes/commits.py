"""Commits watermarks: what is done below them is never read again."""

import asyncio
import time
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from jackfield_common.lanes import metrics
from jackfield_common.lanes.partition import Partition

log = structlog.get_logger(__name__)

_TIMEOUT = 10.0


class Commits:
    """Commits for one consumer; at most one commit is under way.

    A commit that aiokafka still repeats when a rebalance begins would be sent in the next generation,
    with an offset of the last: it is ended before the rebalance goes on.
    """

    def __init__(self, consumer: str) -> None:
        self._name = consumer
        self._current: asyncio.Task[None] | None = None
        self._suspended = False

    async def commit(self, consumer: AIOKafkaConsumer, partitions: Sequence[Partition]) -> None:
        """Commit what has moved; a failure is counted, and tried again the next time."""
        if self._suspended or self._current is not None:
            return
        await self._commit(consumer, partitions, _TIMEOUT)

    async def suspend(
        self, consumer: AIOKafkaConsumer | None, partitions: Sequence[Partition], seconds: float
    ) -> None:
        """End what is under way, commit a last time, then nothing until `resume`."""
        self._suspended = True
        if self._current is not None:
            self._current.cancel()
            await asyncio.wait((self._current,))
        if consumer is not None:
            await self._commit(consumer, partitions, seconds)

    def resume(self) -> None:
        """A new assignment is there."""
        self._suspended = False

    async def _commit(
        self, consumer: AIOKafkaConsumer, partitions: Sequence[Partition], seconds: float
    ) -> None:
        moved: dict[TopicPartition, int] = {}
        for partition in partitions:
            position = await self._position(consumer, partition)
            if position > partition.committed and not partition.closed:
                moved[partition.tp] = position
        if not moved:
            return
        task = asyncio.create_task(self._send(consumer, moved, seconds))
        self._current = task
        try:
            await asyncio.wait((task,))
        finally:
            if not task.done():
                task.cancel()
            self._current = None
        if not task.cancelled() and task.exception() is None:
            now = time.monotonic()
            for partition in partitions:
                if partition.tp in moved:
                    partition.committed = moved[partition.tp]
                    partition.moved_at = now

    async def _position(self, consumer: AIOKafkaConsumer, partition: Partition) -> int:
        """The watermark; with nothing outstanding it passes over transaction markers as well."""
        watermark = partition.watermark
        if not len(watermark) and not partition.closed:
            try:
                async with asyncio.timeout(0.1):
                    position = await consumer.position(partition.tp)
            except (IllegalStateError, KafkaError, TimeoutError):
                return watermark.position
            if not len(watermark):
                watermark.pass_over(position)
        return watermark.position

    async def _send(
        self, consumer: AIOKafkaConsumer, moved: dict[TopicPartition, int], seconds: float
    ) -> None:
        try:
            async with asyncio.timeout(seconds):
                await consumer.commit(moved)
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            metrics.COMMIT_FAILURES.labels(self._name, type(error).__name__).inc()
            log.warning(
                "commit_failed", consumer=self._name, error=f"{type(error).__name__}: {error}"
            )
            raise
