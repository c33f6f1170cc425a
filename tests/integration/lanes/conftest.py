"""A bench for lanes: a topic, a database, workers in this process, and what they handled."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import SecretStr

from jackfield_common.database import Pool, connect, migrate
from jackfield_common.events.dead import DeadLetter
from jackfield_common.ids import new_id
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.lanes import Lanes, Limits, Policy, Work
from jackfield_common.settings import Settings
from jackfield_common.topics import Kind, Service, Topic

WORK = Topic("lanes.work.v1", Service.WEBHOOKS, Kind.WORK, partitions=4, max_message_bytes=48 << 20)
DEAD = Topic("lanes.dead.v1", Service.WEBHOOKS, Kind.FEED, partitions=1, max_message_bytes=48 << 20)
SCHEMA = "lanes"

QUICK = Limits(session_timeout=6.0, heartbeat=0.5, margin=1.0, drain=2.0, commit_interval=0.05)

Handle = Callable[[Work], Awaitable[None]]


@dataclass
class Seen:
    """What handlers were given, in order."""

    works: list[tuple[str, str, int, int]] = field(default_factory=list[tuple[str, str, int, int]])
    """(key, lane, number in the value, attempt)"""

    def numbers(self, key: str, lane: str = "") -> list[int]:
        return [number for k, name, number, _ in self.works if (k, name) == (key, lane)]

    def add(self, work: Work) -> int:
        number = int(work.record.value or b"-1")
        self.works.append((work.key, work.lane, number, work.attempt))
        return number


@dataclass
class Bench:
    settings: Settings
    pool: Pool
    producer: AIOKafkaProducer
    kafka: Kafka
    publisher: Publisher

    async def send(
        self,
        key: str | bytes | None,
        value: int | bytes | None,
        lane: str = "",
        *,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> None:
        await (await self.post(key, value, lane, headers=headers, partition=partition))

    async def post(
        self,
        key: str | bytes | None,
        value: int | bytes | None,
        lane: str = "",
        *,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> Awaitable[Any]:
        pairs = [("ce_tenant", b"default"), *headers]
        if lane:
            pairs.append(("ce_lane", lane.encode()))
        return await self.producer.send(
            self.kafka.naming.physical(WORK),
            value=str(value).encode() if isinstance(value, int) else value,
            key=key.encode() if isinstance(key, str) else key,
            headers=pairs,
            partition=partition,
        )

    def lanes(
        self,
        handle: Handle,
        *,
        policy: Policy | None = None,
        limits: Limits = QUICK,
        instance: str | None = None,
        **options: Any,
    ) -> Lanes:
        kafka = Kafka(self.settings, Service.WEBHOOKS, instance or new_id()[:8])
        return Lanes(
            kafka,
            self.pool,
            self.publisher,
            name="bench",
            topics=[WORK],
            handle=handle,
            dead=DEAD,
            policy=policy,
            limits=limits,
            **options,
        )

    async def rows(self, where: str = "true") -> list[Any]:
        return list(await self.pool.fetch(f"SELECT * FROM lane_work WHERE {where} ORDER BY place"))  # noqa: S608

    async def committed(self) -> dict[int, int]:
        """Committed offsets by partition; 0 where none is."""
        async with self.reader(group_id=self.kafka.group("bench")) as consumer:
            tps = [self.tp(number) for number in range(WORK.partitions)]
            return {tp.partition: await consumer.committed(tp) or 0 for tp in tps}

    async def ends(self) -> dict[int, int]:
        async with self.reader() as consumer:
            tps = [self.tp(number) for number in range(WORK.partitions)]
            return {tp.partition: end for tp, end in (await consumer.end_offsets(tps)).items()}

    async def all_committed(self) -> bool:
        return await self.committed() == await self.ends()

    def tp(self, number: int) -> Any:
        from aiokafka import TopicPartition

        return TopicPartition(self.kafka.naming.physical(WORK), number)

    @asynccontextmanager
    async def reader(self, **options: Any) -> AsyncGenerator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(**(self.kafka.connection() | options))
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def dead_letters(self, count: int, within: float = 20) -> list[DeadLetter]:
        """The first `count` letters on the feed."""
        letters: list[DeadLetter] = []
        async with self.reader(auto_offset_reset="earliest") as consumer:
            from aiokafka import TopicPartition

            consumer.assign([TopicPartition(self.kafka.naming.physical(DEAD), 0)])
            async with asyncio.timeout(within):
                while len(letters) < count:
                    record: ConsumerRecord = await consumer.getone()
                    assert record.value is not None
                    letters.append(DeadLetter.from_bytes(record.value))
        return letters


async def make_topics(admin: AIOKafkaAdminClient, kafka: Kafka) -> None:
    """Create the bench's topics, and wait until the broker says so."""
    wanted = [
        NewTopic(
            kafka.naming.physical(topic),
            topic.partitions,
            1,
            topic_configs=topic.configuration(),
        )
        for topic in (WORK, DEAD)
    ]
    async with asyncio.timeout(30):
        while True:
            answer = await admin.create_topics(wanted, timeout_ms=10_000)
            if all(code in (0, 36) for _, code, *_ in answer.topic_errors):  # 36: it exists
                return


async def until(condition: Callable[[], bool | Awaitable[bool]], within: float = 20) -> None:
    """Wait for a condition; fails after `within` seconds."""
    async with asyncio.timeout(within):
        while True:
            found = condition()
            if not isinstance(found, bool):
                found = await found
            if found:
                return
            await asyncio.sleep(0.02)


@pytest.fixture
async def bench(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[Bench]:
    settings = Settings(
        kafka_bootstrap_servers=kafka,
        postgres_dsn=SecretStr(database),
        topic_prefix=topic_prefix,
        keys_dir=tmp_path,
        drain_seconds=3,
    )
    async with contextlib.AsyncExitStack() as stack:
        pool = await connect(settings, SCHEMA)
        stack.push_async_callback(pool.close)
        await migrate(pool, SCHEMA, ("jackfield_common.lanes",))
        client = Kafka(settings, Service.WEBHOOKS, "bench")
        admin = AIOKafkaAdminClient(**client.connection())
        await admin.start()
        stack.push_async_callback(admin.close)
        names = [client.naming.physical(topic) for topic in (WORK, DEAD)]
        await make_topics(admin, client)
        stack.push_async_callback(admin.delete_topics, names)
        producer = client.producer()
        await producer.start()
        stack.push_async_callback(producer.stop)
        publisher = Publisher(client)
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        yield Bench(settings, pool, producer, client, publisher)
