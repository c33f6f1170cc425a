"""Many callers, one round trip."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from jackfield_common.envelope import OutgoingRecord
from jackfield_common.errors import Fenced
from jackfield_common.events.message import now
from jackfield_common.ids import DEFAULT_TENANT
from jackfield_common.outbox import Outbox
from jackfield_webhooks.models import DoneBy, PastDelivery, Place
from jackfield_webhooks.repository.batches import Batches
from jackfield_webhooks.repository.history import History
from jackfield_webhooks.repository.marks import Marks
from jackfield_webhooks.repository.settlements import Settlement, Settlements


async def test_what_arrives_while_a_batch_runs_forms_the_next() -> None:
    runs: list[Sequence[int]] = []
    going = asyncio.Event()

    async def double(items: Sequence[int]) -> Sequence[int]:
        runs.append(items)
        await going.wait()
        return [item * 2 for item in items]

    batches = Batches("double", double, limit=3)
    first = asyncio.create_task(batches(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = [asyncio.create_task(batches(number)) for number in range(1, 6)]
    await asyncio.sleep(0)
    going.set()
    assert await asyncio.gather(first, *later) == [0, 2, 4, 6, 8, 10]
    assert runs == [[0], [1, 2, 3], [4, 5]]


async def test_a_pace_gathers_more_under_load_and_delays_nobody_alone() -> None:
    runs: list[Sequence[int]] = []

    async def keep(items: Sequence[int]) -> Sequence[int]:
        runs.append(items)
        return items

    batches = Batches("paced", keep, limit=10, pace=0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await batches(0) == 0
    assert loop.time() - began < 0.04
    later = [asyncio.create_task(batches(number)) for number in range(1, 4)]
    await asyncio.sleep(0.01)
    assert await asyncio.gather(batches(4), *later) == [4, 1, 2, 3]
    assert loop.time() - began >= 0.05
    assert runs == [[0], [1, 2, 3, 4]]


async def test_an_error_is_told_to_everyone_in_the_batch_and_to_nobody_else() -> None:
    async def fail_first(items: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0)
        if 0 in items:
            raise OSError("away")
        return items

    batches = Batches("fail", fail_first, limit=2)
    results = await asyncio.gather(*(batches(n) for n in range(4)), return_exceptions=True)
    assert [isinstance(result, OSError) for result in results] == [True, True, False, False]
    assert await batches(9) == 9


async def test_a_caller_that_was_cancelled_is_left_out() -> None:
    runs: list[Sequence[int]] = []

    async def keep(items: Sequence[int]) -> Sequence[int]:
        runs.append(items)
        await asyncio.sleep(0.01)
        return items

    batches = Batches("keep", keep, limit=10)
    first = asyncio.create_task(batches(1))
    await asyncio.sleep(0)
    gone, stays = asyncio.create_task(batches(2)), asyncio.create_task(batches(3))
    await asyncio.sleep(0)
    gone.cancel()
    assert await asyncio.gather(first, stays) == [1, 3]
    assert runs == [[1], [3]]


class _Fence:
    """The fence of one partition."""

    def __init__(self, partition: int, *, stale: bool) -> None:
        self.partition = ("topic", partition)
        self._stale = stale

    async def fence(self, connection: object) -> None:
        if self._stale:
            raise Fenced("lost")


class _Tables:
    """Stands for the outbox and the marks: what was committed, and only that."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.marks: dict[UUID, DoneBy] = {}
        self.transactions = 0
        self._pending: list[Any] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[object]:
        self.transactions += 1
        records, marks = list(self.records), dict(self.marks)
        try:
            yield object()
        except BaseException:
            self.records, self.marks = records, marks
            raise

    async def put_records(self, connection: object, records: Sequence[OutgoingRecord]) -> None:
        self.records.extend(records)

    async def put(self, connection: object, marks: dict[UUID, DoneBy]) -> None:
        self.marks.update(marks)


class _History:
    """Stands for the history."""

    async def put(self, connection: object, past: Sequence[PastDelivery]) -> None:
        assert past


def _settlements(tables: _Tables) -> Settlements:
    return Settlements(cast(Outbox, tables), cast(Marks, tables), cast(History, _History()))


PAST = PastDelivery(
    event_id="e",
    tenant=DEFAULT_TENANT,
    integration_id=None,
    source="/s",
    event_type=None,
    canonical_type=None,
    delivery_id=None,
    status="processed",
    reason=None,
    accepted_at=now(),
    occurrence=None,
    place=Place(topic="topic", partition=0, offset=0),
    size=0,
)


def _record(number: int) -> OutgoingRecord:
    return OutgoingRecord("topic", b"", str(number).encode(), [])


async def test_work_of_a_lost_partition_is_left_out_and_told_so() -> None:
    tables = _Tables()
    settlements = _settlements(tables)
    marks = [uuid4() for _ in range(6)]
    results = await asyncio.gather(
        *(
            settlements.settle(
                Settlement(
                    _Fence(number % 3, stale=number % 3 == 1),
                    (_record(number),),
                    PAST,
                    (marks[number], DoneBy(str(number), "place")),
                )
            )
            for number in range(6)
        ),
        return_exceptions=True,
    )
    lost = [number for number, result in enumerate(results) if isinstance(result, Fenced)]
    assert lost == [1, 4]
    assert [record.value for record in tables.records] == [b"0", b"2", b"3", b"5"]
    assert list(tables.marks) == [marks[number] for number in (0, 2, 3, 5)]
    assert tables.transactions <= 4


async def test_a_batch_of_lost_work_alone_writes_nothing() -> None:
    tables = _Tables()
    settlements = _settlements(tables)
    with pytest.raises(Fenced, match="topic/0"):
        await settlements.settle(Settlement(_Fence(0, stale=True), (_record(0),), PAST))
    assert not tables.records
