"""Workers come and go, stall and lose PostgreSQL: nothing is lost, reordered, or written twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from pydantic import SecretStr

from jackfield_common.database import Connection, Pool, connect
from jackfield_common.errors import ErrorKind, Failure, Fenced
from jackfield_common.lanes import Policy, Work
from jackfield_common.lanes.ledger import Ledger
from jackfield_common.lanes.partition import Partition
from tests.integration.lanes.conftest import SCHEMA, WORK, Bench, Seen, until
from tests.integration.lanes.proxy import Proxy


async def test_a_rebalance_neither_repeats_nor_reorders_what_is_drained(bench: Bench) -> None:
    seen = Seen()
    total = 3_000

    async def handle(work: Work) -> None:
        await asyncio.sleep(0.001)
        seen.add(work)

    async def feed() -> None:
        for number in range(total):
            await bench.post(f"key-{number % 30}", number)
            if number % 100 == 0:
                await asyncio.sleep(0.1)

    feeding = asyncio.create_task(feed())
    async with AsyncExitStack() as stack:
        first = bench.lanes(handle)
        await first.__aenter__()
        await until(lambda: len(seen.works) > 200)
        second = await stack.enter_async_context(bench.lanes(handle))
        await until(lambda: second.ready)
        await until(lambda: len(seen.works) > 1_000)
        await stack.enter_async_context(bench.lanes(handle))
        await until(lambda: len(seen.works) > 1_500)
        await first.__aexit__(None, None, None)
        await feeding
        await until(bench.all_committed)
    assert sorted(number for *_, number, _ in seen.works) == list(range(total))
    for key in range(30):
        assert seen.numbers(f"key-{key}") == list(range(key, total, 30))


async def test_a_running_handler_outlives_a_rebalance_that_leaves_its_partition(
    bench: Bench,
) -> None:
    runs: list[tuple[str, int]] = []
    ended: list[str] = []

    async def handle(work: Work) -> None:
        runs.append((work.key, work.record.partition))
        await asyncio.sleep(6)  # longer than the drain of two seconds
        ended.append(work.key)

    for partition in range(WORK.partitions):
        await bench.send(f"key-{partition}", partition, partition=partition)
    async with bench.lanes(handle):
        await until(lambda: len(runs) == WORK.partitions)
        async with bench.lanes(handle) as other:
            await until(lambda: other.ready)
            await until(bench.all_committed, within=40)
    # Half of the partitions moved: their handlers were cut off and run again at the other worker.
    assert sorted(ended) == [f"key-{partition}" for partition in range(WORK.partitions)]
    assert len(runs) == WORK.partitions + WORK.partitions // 2


async def test_an_older_epoch_cannot_write(bench: Bench) -> None:
    refused: list[Fenced] = []
    seen = Seen()

    async def handle(work: Work) -> None:
        if seen.add(work) == 0 and work.attempt == 1 and not refused:
            await bench.pool.execute("UPDATE lane_epoch SET epoch = epoch + 1")
            try:
                async with bench.pool.acquire() as connection, connection.transaction():
                    await work.fence(connection)
            except Fenced as error:
                refused.append(error)
                raise

    await bench.send("key", 0)
    async with bench.lanes(handle):
        await until(lambda: bool(refused))
        # The group still counts on this worker, so it begins a new epoch and reads again.
        await until(bench.all_committed)
    assert "epoch 1" in str(refused[0])
    assert seen.numbers("key") == [0, 0]


async def test_a_new_owner_waits_for_what_the_old_one_has_under_way(bench: Bench) -> None:
    partition = Partition(bench.tp(0), WORK.name)
    old = Ledger(bench.pool, "bench", "old")
    new = Ledger(bench.pool, "bench", "new")
    partition.epoch = await old.take(partition)
    async with bench.pool.acquire() as connection:
        async with connection.transaction():
            await old.fence(connection, partition)
            taking = asyncio.create_task(new.take(partition))
            await asyncio.sleep(0.3)
            assert not taking.done()
        assert await taking == partition.epoch + 1
        async with connection.transaction():
            with pytest.raises(Fenced):
                await old.fence(connection, partition)


async def test_parking_by_an_older_epoch_is_refused_and_left_to_the_new_owner(
    bench: Bench,
) -> None:
    seen = Seen()

    async def handle(work: Work) -> None:
        seen.add(work)
        if len(seen.works) == 1:
            await bench.pool.execute("UPDATE lane_epoch SET epoch = epoch + 1")
        raise Failure(ErrorKind.UNAVAILABLE, "down", retry_after=60)

    await bench.send("key", 0)
    async with bench.lanes(handle, policy=Policy(park_after=0)):
        await until(bench.all_committed)
    (row,) = await bench.rows()
    assert row["attempts"] == 1, "the attempt of the older epoch was written"
    assert seen.numbers("key") == [0, 0]


@pytest.fixture
async def proxied(bench: Bench, database: str) -> AsyncIterator[tuple[Proxy, Pool]]:
    parts = urlsplit(database)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = Proxy(parts.hostname, parts.port)
    await proxy.start()
    login = f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}"
    settings = bench.settings.model_copy(
        update={"postgres_dsn": SecretStr(urlunsplit(parts._replace(netloc=login)))}
    )
    pool = await connect(settings, SCHEMA)
    yield proxy, pool
    await proxy.cut()
    pool.terminate()


async def test_while_postgres_is_away_nothing_starts_and_what_is_finished_is_kept(
    bench: Bench, proxied: tuple[Proxy, Pool]
) -> None:
    proxy, bench.pool = proxied
    await bench.pool.execute("CREATE TABLE done (number int PRIMARY KEY)")
    calls: list[int] = []

    async def handle(work: Work) -> None:
        number = int(work.record.value or b"")
        work.check()
        calls.append(number)
        await asyncio.sleep(0.2)

        async def effect(connection: Connection) -> None:
            await connection.execute("INSERT INTO done VALUES ($1)", number)

        await work.store(effect)

    async with bench.lanes(handle) as lanes:
        await until(lambda: lanes.ready)
        for number in range(5):
            await bench.send(f"key-{number}", number)
        await until(lambda: len(calls) == 5)
        await proxy.cut()  # the calls have been made, their results are not stored yet
        for number in range(5, 10):
            await bench.send("later", number)
        await asyncio.sleep(1.5)
        started_while_away = calls[5:]
        await proxy.start()
        await until(bench.all_committed)
    rows = await bench.pool.fetch("SELECT number FROM done ORDER BY number")
    assert [row["number"] for row in rows] == list(range(10))
    assert sorted(calls) == list(range(10)), "a call was repeated"
    assert len(started_while_away) <= 1  # the one that found out


async def test_a_lane_whose_head_lost_its_connection_is_parked_and_comes_back(
    bench: Bench,
) -> None:
    seen = Seen()

    async def handle(work: Work) -> None:
        seen.add(work)
        if len(seen.works) == 1:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed")

    for number in range(3):
        await bench.send("key", number)
    async with bench.lanes(handle, policy=Policy(park_after=0, initial_delay=0.01)):
        await until(lambda: seen.numbers("key") == [0, 0, 1, 2])
        await until(bench.all_committed)
