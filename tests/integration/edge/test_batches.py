"""The states that aiokafka's idempotent producer cannot leave, and how the listener leaves them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from jackfield_common.kafka import Kafka
from jackfield_common.settings import Settings
from jackfield_common.topics import DELIVERY_VERIFIED, KIB, MIB, Service
from jackfield_gateway.edge.batches import MAX_HEADERS, Batches
from jackfield_gateway.edge.reasons import Reason
from tests.platform import make_kafka, make_settings, until

PARTITIONS = 3


@pytest.fixture
def settings(kafka: str, topic_prefix: str, tmp_path: Path) -> Settings:
    return make_settings(
        kafka, "postgresql://nobody@127.0.0.1:1/nothing", topic_prefix, tmp_path / "keys"
    )


class Settled:
    """Who was told what."""

    def __init__(self) -> None:
        self.stored: list[int] = []
        self.unknown: list[int] = []

    def __call__(self, waiters: list[int], stored: bool) -> None:
        (self.stored if stored else self.unknown).extend(waiters)

    @property
    def count(self) -> int:
        return len(self.stored) + len(self.unknown)


@asynccontextmanager
async def batches_on(
    settings: Settings, settled: Settled, *, broker_limit: int = 2 * MIB, **options: int
) -> AsyncGenerator[tuple[Kafka, Batches[int]]]:
    kafka = make_kafka(settings, Service.GATEWAY)
    name = kafka.naming.physical(DELIVERY_VERIFIED)
    admin = AIOKafkaAdminClient(**kafka.connection())
    await admin.start()
    await admin.create_topics(
        [
            NewTopic(
                name=name,
                num_partitions=PARTITIONS,
                replication_factor=1,
                topic_configs={"max.message.bytes": str(broker_limit)},
            )
        ]
    )
    await admin.close()
    topic = replace(DELIVERY_VERIFIED, max_message_bytes=2 * MIB)
    batches = Batches[int](
        kafka,
        topic,
        settle=settled,
        max_outstanding=options.pop("max_outstanding", 64 * MIB),
        publish_timeout=5,
        **options,
    )
    await batches.start()
    try:
        await until(lambda: batches.available)
        yield kafka, batches
    finally:
        await batches.stop(5)


async def records(kafka: Kafka, count: int) -> dict[int, list[ConsumerRecord]]:
    """What is on the topic, by partition; waits for `count` records."""
    consumer = kafka.consumer(group_id=None)
    await consumer.start()
    try:
        name = kafka.naming.physical(DELIVERY_VERIFIED)
        partitions = [TopicPartition(name, index) for index in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        found: dict[int, list[ConsumerRecord]] = {index: [] for index in range(PARTITIONS)}
        async with asyncio.timeout(20):
            while sum(map(len, found.values())) < count:
                for tp, batch in (await consumer.getmany(timeout_ms=100)).items():
                    found[tp.partition] += batch
        return found
    finally:
        await consumer.stop()


async def test_everything_arrives_once_and_in_order(settings: Settings) -> None:
    settled = Settled()
    async with batches_on(settings, settled) as (kafka, batches):
        for number in range(3000):
            reason = batches.put(number % PARTITIONS, b"k", b"%d" % number, [], number)
            assert reason is None
            if number % 7 == 0:
                await asyncio.sleep(0)
        await until(lambda: settled.count == 3000)
        assert batches.outstanding == 0
        assert sorted(settled.stored) == list(range(3000))
        found = await records(kafka, 3000)
    for index, batch in found.items():
        assert [int(one.value or b"") for one in batch] == list(range(index, 3000, PARTITIONS))


async def test_a_producer_is_replaced_before_it_runs_out_of_sequence_numbers(
    settings: Settings,
) -> None:
    settled, sent = Settled(), 0
    async with batches_on(settings, settled, max_records=50) as (kafka, batches):
        async with asyncio.timeout(30):
            while sent < 600:
                if batches.put(sent % PARTITIONS, b"k", b"%d" % sent, [], sent) is None:
                    sent += 1
                    if sent % 60 == 0:
                        # a single batch could hold them all: some must be through before the rest
                        enough = sent - 30
                        await until(lambda enough=enough: settled.count >= enough)
                await asyncio.sleep(0)
        await until(lambda: settled.count == 600)
        assert batches.replaced >= 2
        assert settled.unknown == []
        found = await records(kafka, 600)
    for index, batch in found.items():
        assert [int(one.value or b"") for one in batch] == list(range(index, 600, PARTITIONS))


async def test_a_refused_batch_costs_its_own_records_and_nothing_after_it(
    settings: Settings,
) -> None:
    settled = Settled()
    # the broker takes less than we believe: the refusal that must never be seen in operation
    async with batches_on(settings, settled, broker_limit=20 * KIB) as (kafka, batches):
        assert batches.put(0, b"k", b"before", [], 0) is None
        await until(lambda: settled.stored == [0])
        assert batches.put(0, b"k", b"x" * 30 * KIB, [], 1) is None
        await until(lambda: settled.unknown == [1])
        await until(lambda: batches.available and batches.outstanding == 0)
        assert batches.replaced == 1
        for number in range(2, 40):
            assert batches.put(number % PARTITIONS, b"k", b"after", [], number) is None
            await asyncio.sleep(0.001)
        await until(lambda: settled.count == 40)
        assert settled.unknown == [1]
        await records(kafka, 39)


async def test_what_is_too_large_is_never_appended(settings: Settings) -> None:
    settled = Settled()
    async with batches_on(settings, settled, max_outstanding=3 * MIB) as (_, batches):
        assert batches.put(0, b"k", b"x" * 2 * MIB, [], 0) is Reason.TOO_LARGE_FOR_BUS
        assert batches.put(0, b"k", b"x" * (2 * MIB - MAX_HEADERS - 1), [], 1) is None
        assert batches.put(1, b"k", b"x" * (2 * MIB - MAX_HEADERS - 1), [], 2) is Reason.OVERLOADED
        await until(lambda: settled.stored == [1])
        assert batches.put(1, b"k", b"x" * (2 * MIB - MAX_HEADERS - 1), [], 3) is None
        await until(lambda: settled.stored == [1, 3])
        assert batches.replaced == 0
