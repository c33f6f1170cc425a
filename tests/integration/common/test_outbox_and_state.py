"""A row and its record appear together, in commit order, whatever is killed in between."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaError

from jackfield_common.database import Pool
from jackfield_common.errors import ErrorKind, Failure, NotReady, StaleRead
from jackfield_common.events import IntegrationState
from jackfield_common.ids import IntegrationId, TenantId
from jackfield_common.kafka import Kafka
from jackfield_common.outbox import Outbox
from jackfield_common.settings import Settings
from jackfield_common.state import ReadModel
from jackfield_common.topics import INTEGRATION, Service
from tests.platform import make_kafka, make_settings, pool_of, until


@dataclass
class Ground:
    settings: Settings
    kafka: Kafka
    pool: Pool
    outbox: Outbox

    @asynccontextmanager
    async def relaying(self) -> AsyncGenerator[None]:
        task = asyncio.create_task(self.outbox.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @asynccontextmanager
    async def following(self) -> AsyncGenerator[ReadModel[IntegrationState]]:
        model = ReadModel(make_kafka(self.settings, Service.WEBHOOKS), IntegrationState)
        await model.start()
        try:
            yield model
        finally:
            await model.stop()


@pytest.fixture
async def ground(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> AsyncGenerator[Ground]:
    settings = make_settings(kafka, database, topic_prefix, tmp_path)
    async with AsyncExitStack() as stack:
        clients = make_kafka(settings, Service.GATEWAY)
        await clients.create_topics()
        pool = await stack.enter_async_context(pool_of(settings, "gateway", "jackfield_common"))
        yield Ground(settings, clients, pool, Outbox(pool, clients))


class DiesBeforeDeleting:
    """A pool whose process is killed when it comes to delete what was published."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    async def execute(self, query: str, *arguments: object) -> str:
        if query.startswith("DELETE FROM outbox"):
            raise asyncio.CancelledError
        return await self._pool.execute(query, *arguments)


def integration(name: str, version: int, **fields: object) -> IntegrationState:
    return IntegrationState.model_validate(
        {
            "tenant": TenantId("default"),
            "integration_id": IntegrationId(name),
            "template": "github",
            "connector": "github",
            "name": f"{name} {version}",
            "version": version,
            **fields,
        }
    )


async def put(ground: Ground, *states: IntegrationState) -> None:
    async with ground.outbox.transaction() as connection:
        for state in states:
            await ground.outbox.put(connection, state)


async def test_a_committed_row_reaches_every_reader(ground: Ground) -> None:
    async with ground.relaying(), ground.following() as model:
        await put(ground, integration("one", 1), integration("two", 1))
        assert (await model.wait_for("one", 1, timeout=10)).name == "one 1"
        assert (await model.wait_for("two", 1, timeout=10)).name == "two 1"
        async with asyncio.timeout(10):
            while await ground.pool.fetchval("SELECT count(*) FROM outbox"):
                await asyncio.sleep(0.02)


async def test_what_rolls_back_is_never_seen(ground: Ground) -> None:
    async with ground.relaying(), ground.following() as model:
        with pytest.raises(ZeroDivisionError):
            async with ground.outbox.transaction() as connection:
                await ground.outbox.put(connection, integration("ghost", 1))
                raise ZeroDivisionError
        await put(ground, integration("real", 1))
        await model.wait_for("real", 1, timeout=10)
        assert model.get("ghost") is None


async def test_a_slow_writer_holds_back_what_would_overtake_it(ground: Ground) -> None:
    """Transaction A takes the earlier id and commits later: B, which committed first, waits for A."""
    async with ground.following() as model:
        slow = await ground.pool.acquire()
        transaction = slow.transaction()
        await transaction.start()
        await ground.outbox.put(slow, integration("entity", 1))
        await put(ground, integration("entity", 2))
        async with ground.relaying():
            await asyncio.sleep(0.6)
            assert model.get("entity") is None
            await transaction.commit()
            await ground.pool.release(slow)
            await model.wait_for("entity", 2, timeout=10)
    assert [version for _, version in await versions_on_topic(ground)] == [1, 2]


async def test_a_kill_between_topic_and_row_repeats_but_never_loses_or_reorders(
    ground: Ground,
) -> None:
    """The relay dies after Kafka committed and before the rows are deleted; its successor repeats them."""
    await put(ground, *(integration("entity", version) for version in range(1, 6)))
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(20):
            await Outbox(cast(Pool, DiesBeforeDeleting(ground.pool)), ground.kafka).run()
    assert await ground.pool.fetchval("SELECT count(*) FROM outbox") == 5

    await ground.pool.execute("UPDATE outbox_lease SET expires = now() - interval '1 s'")
    successor = Ground(
        ground.settings,
        ground.kafka,
        ground.pool,
        Outbox(ground.pool, make_kafka(ground.settings, Service.GATEWAY)),
    )
    async with successor.relaying(), ground.following() as model:
        await model.wait_for("entity", 5, timeout=20)
        async with asyncio.timeout(10):
            while await ground.pool.fetchval("SELECT count(*) FROM outbox"):
                await asyncio.sleep(0.02)
    seen = [version for _, version in await versions_on_topic(ground)]
    assert seen == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]


async def test_a_relay_that_stalled_is_fenced_by_its_successor(ground: Ground) -> None:
    stalled = ground.kafka.producer(
        transactional_id=f"{ground.settings.topic_prefix}jackfield-gateway-outbox"
    )
    await stalled.start()
    await stalled.begin_transaction()
    await stalled.send(ground.kafka.naming.physical(INTEGRATION), value=b"{}", key=b"entity")
    async with ground.relaying(), ground.following() as model:
        await put(ground, integration("entity", 7))
        await model.wait_for("entity", 7, timeout=20)
        with pytest.raises(KafkaError):
            await stalled.commit_transaction()
        await stalled.stop()
        assert [version for _, version in await versions_on_topic(ground)] == [7]


async def test_two_relays_take_turns(ground: Ground) -> None:
    other = Outbox(ground.pool, make_kafka(ground.settings, Service.GATEWAY))
    second = asyncio.create_task(other.run())
    async with ground.relaying(), ground.following() as model:
        for version in range(1, 30):
            await put(ground, integration("entity", version))
        await model.wait_for("entity", 29, timeout=20)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert [version for _, version in await versions_on_topic(ground)] == list(range(1, 30))


async def test_a_deleted_entity_is_gone_and_stays_gone(ground: Ground) -> None:
    async with ground.relaying(), ground.following() as model:
        await put(ground, integration("one", 1))
        await model.wait_for("one", 1, timeout=10)
        async with ground.outbox.transaction() as connection:
            await ground.outbox.delete(connection, INTEGRATION, "one", 2)
        await until(lambda: model.get("one") is None)
        await put(ground, integration("one", 1), integration("marker", 1))
        await model.wait_for("marker", 1, timeout=10)
        assert model.get("one") is None
        with pytest.raises(StaleRead, match="deleted"):
            await model.wait_for("one", 2, timeout=1)


async def test_an_event_too_large_for_its_topic_is_refused_where_it_is_made(ground: Ground) -> None:
    huge = integration("huge", 1, config={"text": "x" * INTEGRATION.max_message_bytes})
    with pytest.raises(Failure) as refused:
        await put(ground, huge)
    assert refused.value.kind is ErrorKind.INVALID


async def test_an_empty_topic_is_ready(ground: Ground) -> None:
    async with ground.following() as model:
        await model.wait_ready(10)
        assert len(model) == 0


async def test_ready_means_that_everything_there_at_start_was_applied(ground: Ground) -> None:
    """Every partition ends in a transaction marker, which is no record: the position has to pass it."""
    async with ground.relaying():
        await put(ground, *(integration(f"i{number}", 1) for number in range(300)))
        async with asyncio.timeout(20):
            while await ground.pool.fetchval("SELECT count(*) FROM outbox"):
                await asyncio.sleep(0.02)
    async with ground.following() as model:
        await model.wait_ready(20)
        assert len(model) == 300


async def test_a_reader_that_is_behind_says_so(ground: Ground) -> None:
    async with ground.following() as model:
        with pytest.raises(StaleRead, match="version 0, 3 did not arrive"):
            await model.wait_for("nobody", 3, timeout=0.1)


async def test_a_model_whose_topic_is_missing_is_not_ready(
    kafka: str, database: str, tmp_path: Path
) -> None:
    settings = make_settings(kafka, database, "nobody-made-this.", tmp_path)
    model = ReadModel(make_kafka(settings, Service.WEBHOOKS), IntegrationState)
    await model.start()
    with pytest.raises(NotReady):
        await model.wait_ready(0.5)
    await model.stop()


async def test_garbage_on_a_state_topic_does_not_stop_its_readers(ground: Ground) -> None:
    producer = ground.kafka.producer()
    await producer.start()
    name = ground.kafka.naming.physical(INTEGRATION)
    for key, value in ((b"a", b"not json"), (b"\xff", b"{}"), (b"b", None)):
        await producer.send_and_wait(name, value=value, key=key)
    await producer.stop()
    async with ground.relaying(), ground.following() as model:
        await put(ground, integration("good", 1))
        assert await model.wait_for("good", 1, timeout=10)


async def versions_on_topic(ground: Ground) -> list[tuple[bytes, int]]:
    """Every committed record of the integration topic, as (key, version), in the order of partitions."""
    consumer = ground.kafka.consumer(group_id=None)
    await consumer.start()
    try:
        partitions = await ground.kafka.partitions(INTEGRATION)
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[tuple[bytes, int]] = []
        async with asyncio.timeout(20):
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        state = IntegrationState.from_bytes(record.value or b"")
                        found.append((record.key or b"", state.version))
        return found
    finally:
        await consumer.stop()


async def test_migrations_are_applied_once_by_replicas_that_start_together(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    settings = make_settings(kafka, database, topic_prefix, tmp_path)
    async with AsyncExitStack() as stack:
        pools = await asyncio.gather(
            *(
                stack.enter_async_context(pool_of(settings, "webhooks", "jackfield_common"))
                for _ in range(4)
            )
        )
        assert await pools[0].fetchval("SELECT count(*) FROM migration") == 1


async def test_an_edited_migration_is_refused(
    kafka: str, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    settings = make_settings(kafka, database, topic_prefix, tmp_path)
    async with pool_of(settings, "webhooks", "jackfield_common") as pool:
        await pool.execute("UPDATE migration SET digest = 'another'")
    with pytest.raises(RuntimeError, match="edited after it was applied"):
        async with pool_of(settings, "webhooks", "jackfield_common"):
            pass
