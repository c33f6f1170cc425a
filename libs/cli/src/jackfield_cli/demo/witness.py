"""Watches the bus while the demo runs: which record appeared when."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from jackfield_cli.bus import LARGEST_RECORD_BYTES, bootstrap_servers
from jackfield_cli.local.errors import LocalError
from jackfield_common.ids import tenant_id
from jackfield_common.topics import (
    ACTION_COMPLETED,
    ACTION_REQUESTED,
    DELIVERY_VERIFIED,
    Naming,
    Topic,
    events_out,
)

EVENTS = events_out(tenant_id("default"))
WATCHED = (DELIVERY_VERIFIED, EVENTS, ACTION_REQUESTED, ACTION_COMPLETED)


@dataclass(frozen=True)
class Sighting:
    """A record: its topic's logical name, its key, when its producer made it (epoch seconds)."""

    topic: str
    key: str
    at: float


class Witness:
    """Remembers every record on the watched topics since it began to watch."""

    def __init__(self, consumer: AIOKafkaConsumer, naming: Naming) -> None:
        self._consumer = consumer
        self._naming = naming
        self._seen: list[Sighting] = []
        self._news = asyncio.Condition()

    async def first(self, topic: Topic, key: str, after: float) -> Sighting:
        """The first record of this key made at or after `after`; waits for it."""
        async with self._news:
            while True:
                for each in self._seen:
                    # Kafka keeps milliseconds: a record may seem to be made a little earlier.
                    if (each.topic, each.key) == (topic.name, key) and each.at > after - 0.002:
                        return each
                await self._news.wait()

    async def caught_up(self) -> None:
        """Return when everything that is on the topics now has been seen."""
        partitions = list(self._consumer.assignment())
        ends = await self._consumer.end_offsets(partitions)
        async with self._news:
            while not await self._has_read(ends):
                await self._news.wait()

    def count(self, topic: Topic, key: str) -> int:
        """How many records of this key were seen."""
        return sum((each.topic, each.key) == (topic.name, key) for each in self._seen)

    async def _has_read(self, ends: dict[TopicPartition, int]) -> bool:
        for partition, end in ends.items():
            if await self._consumer.position(partition) < end:
                return False
        return True

    async def watch(self) -> None:
        """Read until cancelled."""
        while True:
            batches = await self._consumer.getmany(timeout_ms=50)
            async with self._news:
                for partition, records in batches.items():
                    topic = self._naming.logical(partition.topic)
                    for record in records:
                        key = (record.key or b"").decode(errors="replace")
                        self._seen.append(Sighting(topic, key, record.timestamp / 1000))
                self._news.notify_all()


@asynccontextmanager
async def watching() -> AsyncGenerator[Witness]:
    """A witness that misses nothing from here on. Raises `LocalError` when Kafka is away."""
    naming = Naming(os.environ.get("JACKFIELD_TOPIC_PREFIX", ""))
    servers = bootstrap_servers()
    consumer = AIOKafkaConsumer(
        *(naming.physical(topic) for topic in WATCHED),
        bootstrap_servers=servers,
        auto_offset_reset="latest",
        enable_auto_commit=False,
        # Seen as soon as it is there: the times are those of the records.
        isolation_level="read_uncommitted",
        max_partition_fetch_bytes=LARGEST_RECORD_BYTES,
        fetch_max_wait_ms=50,
    )
    try:
        await consumer.start()
        # The position is decided on the first question, not at the start.
        for partition in consumer.assignment():
            await consumer.position(partition)
        witness = Witness(consumer, naming)
        task = asyncio.create_task(witness.watch())
        try:
            yield witness
        finally:
            task.cancel()
            await asyncio.wait([task])
    except KafkaError as error:
        raise LocalError(
            f"Kafka at {servers} cannot be read: {error}.", "Is it running? See `jackfield status`."
        ) from error
    finally:
        await consumer.stop()
