"""The queue on disk: nothing accepted is lost, nothing half-written is read, the order stays."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.spool import Spool, SpoolError, Stored, Window
from tests.platform import until


class Bus:
    """Kafka, there or away; what it takes it acknowledges, except when told otherwise."""

    def __init__(self, *, there: bool) -> None:
        self.there = there
        self.taken: list[int] = []
        self.loses: set[int] = set()

    def publish(self, record: Stored, window: Window) -> Reason | None:
        if not self.there:
            return Reason.KAFKA
        number = int(record.value)
        lost = number in self.loses
        self.loses.discard(number)
        if not lost:
            self.taken.append(number)
        asyncio.get_running_loop().call_soon(window.settle, not lost)
        return None


class Answers:
    def __init__(self) -> None:
        self.stored: list[int] = []
        self.refused: list[int] = []

    def __call__(self, waiters: list[int], stored: bool) -> None:
        (self.stored if stored else self.refused).extend(waiters)


def record(number: int) -> Stored:
    return Stored(number % 12, b"key", b"%d" % number, [("ce_id", b"\xff"), ("b", b"")])


@asynccontextmanager
async def spool_in(
    directory: Path, bus: Bus, answers: Answers, *, max_bytes: int = 10**7, segment: int = 10**6
) -> AsyncGenerator[Spool[int]]:
    spool = Spool[int](
        directory,
        max_bytes,
        publish=bus.publish,
        available=lambda: bus.there,
        settle=answers,
        segment_bytes=segment,
    )
    await spool.start()
    try:
        yield spool
    finally:
        await spool.stop()


def test_a_record_survives_its_frame() -> None:
    frame = record(7).frame()
    assert Stored.from_payload(frame[8:]) == record(7)


async def test_what_is_accepted_is_drained_in_order_once_kafka_is_back(tmp_path: Path) -> None:
    bus, answers = Bus(there=False), Answers()
    async with spool_in(tmp_path, bus, answers, segment=500) as spool:
        for number in range(1000):
            assert spool.append(record(number), number) is None
            if number % 90 == 0:
                await until(lambda: not spool._pending)  # pyright: ignore[reportPrivateUsage]
        await until(lambda: len(answers.stored) == 1000)
        assert answers.stored == list(range(1000))
        assert (spool.count, spool.holding, bus.taken) == (1000, True, [])
        bus.there = True
        await until(lambda: not spool.holding)
        assert bus.taken == list(range(1000))
    assert [path.stat().st_size for path in tmp_path.glob("*.spool")] == [0]


async def test_new_deliveries_stand_behind_old_ones_until_all_are_gone(tmp_path: Path) -> None:
    bus, answers = Bus(there=False), Answers()
    async with spool_in(tmp_path, bus, answers) as spool:
        for number in range(10):
            spool.append(record(number), number)
        await until(lambda: spool.count == 10)
        bus.there = True
        for number in range(10, 2000):
            assert spool.holding or number > 10
            spool.append(record(number), number)
            if number % 100 == 0:
                await asyncio.sleep(0.001)
        await until(lambda: not spool.holding)
        assert bus.taken == list(range(2000))


async def test_a_window_that_was_not_acknowledged_is_sent_again(tmp_path: Path) -> None:
    bus, answers = Bus(there=False), Answers()
    async with spool_in(tmp_path, bus, answers) as spool:
        for number in range(20):
            spool.append(record(number), number)
        await until(lambda: spool.count == 20)
        bus.loses = {7}
        bus.there = True
        await until(lambda: not spool.holding)
        assert set(bus.taken) == set(range(20))
        assert bus.taken[-20:] == list(range(20))


async def test_the_next_process_goes_on_where_a_crash_left_off(tmp_path: Path) -> None:
    answers = Answers()
    async with spool_in(tmp_path, Bus(there=False), answers, segment=300) as spool:
        for number in range(50):
            spool.append(record(number), number)
            await until(lambda number=number: len(answers.stored) == number + 1)
    # a crash in the middle of a write: this one was never accepted
    last = max(tmp_path.glob("*.spool"))
    with last.open("ab") as file:
        file.write(record(99).frame()[:-3])
    bus = Bus(there=True)
    async with spool_in(tmp_path, bus, Answers()) as spool:
        assert spool.count == 50
        await until(lambda: not spool.holding)
    assert bus.taken == list(range(50))


async def test_a_full_spool_takes_no_more(tmp_path: Path) -> None:
    answers = Answers()
    async with spool_in(tmp_path, Bus(there=False), answers, max_bytes=300) as spool:
        taken = [spool.append(record(number), number) for number in range(20)]
        assert taken[0] is None
        assert taken[-1] is Reason.KAFKA
        accepted = taken.count(None)
        await until(lambda: len(answers.stored) == accepted)
        assert spool.count == accepted


async def test_two_processes_do_not_share_a_directory(tmp_path: Path) -> None:
    async with spool_in(tmp_path, Bus(there=False), Answers()):
        with pytest.raises(SpoolError, match="in use"):
            async with spool_in(tmp_path, Bus(there=False), Answers()):
                pass
