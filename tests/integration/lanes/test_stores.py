"""Effects that come together share a transaction, and none of them suffers for another's fault."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import TopicPartition

from jackfield_common.database import Connection, Pool
from jackfield_common.errors import ErrorKind, Failure, Fenced
from jackfield_common.lanes.gate import Gate
from jackfield_common.lanes.ledger import Ledger
from jackfield_common.lanes.partition import Partition
from jackfield_common.lanes.stores import Stores
from jackfield_common.lanes.work import Effect
from tests.platform import make_settings, pool_of


@pytest.fixture
async def pool(kafka: str, database: str, tmp_path: Path) -> AsyncGenerator[Pool]:
    settings = make_settings(kafka, database, "", tmp_path)
    async with pool_of(settings, "webhooks", "jackfield_common.lanes") as one:
        await one.execute("CREATE TABLE note (number int PRIMARY KEY, transaction xid8)")
        yield one


async def owned(pool: Pool, number: int) -> tuple[Ledger, Partition]:
    ledger = Ledger(pool, "test", "worker")
    partition = Partition(TopicPartition("t", number), "t")
    partition.epoch = await ledger.take(partition)
    return ledger, partition


def note(number: int) -> Effect:
    async def effect(connection: Connection) -> None:
        await connection.execute("INSERT INTO note VALUES ($1, pg_current_xact_id())", number)

    return effect


async def too_large(_connection: Connection) -> None:
    raise Failure(ErrorKind.INVALID, "too large for its topic")


async def noted(pool: Pool) -> set[int]:
    return {row["number"] for row in await pool.fetch("SELECT number FROM note")}


async def test_effects_that_come_together_share_transactions(pool: Pool) -> None:
    ledger, partition = await owned(pool, 0)
    stores = Stores(pool, ledger, Gate(pool, "test"))
    await asyncio.gather(*(stores.store(partition, note(number)) for number in range(500)))
    assert await noted(pool) == set(range(500))
    assert await pool.fetchval("SELECT count(DISTINCT transaction) FROM note") < 20


async def test_one_at_fault_fails_alone(pool: Pool) -> None:
    ledger, partition = await owned(pool, 0)
    stores = Stores(pool, ledger, Gate(pool, "test"))
    await stores.store(partition, note(3))
    results = await asyncio.gather(
        *(stores.store(partition, note(number)) for number in range(6)),
        stores.store(partition, too_large),
        return_exceptions=True,
    )
    assert isinstance(results[3], asyncpg.UniqueViolationError)
    assert isinstance(results[6], Failure)
    assert [result for number, result in enumerate(results) if number not in (3, 6)] == [None] * 5
    assert await noted(pool) == set(range(6))


async def test_an_older_epoch_is_refused_and_its_neighbours_are_not(pool: Pool) -> None:
    ledger, stays = await owned(pool, 0)
    _, moves = await owned(pool, 1)
    await Ledger(pool, "test", "another").take(Partition(moves.tp, "t"))
    stores = Stores(pool, ledger, Gate(pool, "test"))
    results = await asyncio.gather(
        stores.store(stays, note(1)),
        stores.store(moves, note(2)),
        stores.store(stays, note(3)),
        return_exceptions=True,
    )
    assert results[0] is None
    assert isinstance(results[1], Fenced)
    assert results[2] is None
    assert await noted(pool) == {1, 3}
    assert moves.closed
    assert not stays.closed


async def test_a_caller_that_is_cancelled_does_not_take_its_effect_back(pool: Pool) -> None:
    ledger, partition = await owned(pool, 0)
    stores = Stores(pool, ledger, Gate(pool, "test"))
    caller = asyncio.create_task(stores.store(partition, note(1)))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await stores.store(partition, note(2))
    assert await noted(pool) == {1, 2}
