"""Each bad record is dead-lettered alone, with the reason; its neighbours are untouched."""

import asyncio
import base64
from typing import ClassVar

import pytest

from jackfield_common.errors import ContractError, ErrorKind
from jackfield_common.events.message import Event
from jackfield_common.lanes import Policy, Work
from jackfield_common.topics import Topic
from tests.integration.lanes.conftest import WORK, Bench, Seen, until
from tests.integration.lanes.foreign import GZIP, NAME, send_foreign


class Counted(Event):
    """The bench's event."""

    topic: ClassVar[Topic] = WORK
    number: int


def counted(number: int) -> bytes:
    return Counted(tenant="default", number=number).to_bytes()  # pyright: ignore[reportArgumentType]


class Reader:
    """Decodes, as a service does, and remembers what it could read."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    async def handle(self, work: Work) -> None:
        self.numbers.append(work.decode(Counted).number)


@pytest.mark.parametrize(
    ("key", "value", "headers", "reason"),
    [
        (b"k", counted(-1), [("ce_lane", b"\xff\xfe")], "ordering key is not UTF-8"),
        (b"k", counted(-1), [("ce_type", b"\xff\xfe")], "ce_type is not UTF-8"),
        (b"k", counted(-1), [("ce_lane", b"x" * 2_000)], "longer than 1024 bytes"),
        (b"k", counted(-1), [("ce_lane", b"a\x00b")], "NUL"),
        (b"k", counted(-1), [("x-large", b"x" * 70_000)], "headers are larger"),
        (b"k", counted(-1), [("ce_type", b"lanes.work.v2")], "this reads lanes.work.v1"),
        (b"k", counted(-1), [("ce_specversion", b"2.0")], "only 1.0 is known"),
        (b"k", None, [], "value is null"),
        (b"k", b"{", [], "Invalid JSON"),
        (b"k", b"\xff\xfe", [], "Invalid JSON"),
        (b"k", b"[" * 100_000, [], "Invalid JSON"),
        (b"k", b'{"tenant": "default", "number": "many"}', [], "number"),
        (None, counted(-1), [], "no key"),
        (b"\xff\xfe", counted(-1), [], "record key is not UTF-8"),
        (b"k\x00", counted(-1), [], "NUL"),
        (b"k" * 2_000, counted(-1), [], "longer than 1024 bytes"),
    ],
)
async def test_a_bad_record_is_dead_lettered_alone(
    bench: Bench,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes]],
    reason: str,
) -> None:
    reader = Reader()
    await bench.send("k", counted(0), partition=1)
    await bench.send(key, value, headers=headers, partition=1)
    await bench.send("k", counted(1), partition=1)
    async with bench.lanes(reader.handle, policy=Policy(then="block")):
        await until(lambda: reader.numbers == [0, 1])
        (letter,) = await bench.dead_letters(1)
        await until(bench.all_committed)
    assert letter.kind is ErrorKind.INVALID
    assert reason in letter.message
    assert letter.offset == 1
    assert letter.value == (None if value is None else base64.b64encode(value).decode())
    assert letter.record_key == (None if key is None else base64.b64encode(key).decode())
    for name, content in headers:
        assert (name, base64.b64encode(content).decode()) in letter.headers
    (row,) = await bench.rows()
    assert row["state"] == "dead"


@pytest.mark.parametrize("compression", [0, GZIP])
async def test_a_header_name_that_is_not_utf8_does_not_block_its_partition(
    bench: Bench, compression: int
) -> None:
    reader = Reader()
    batch = [(b"k", counted(number), number in (3, 4)) for number in range(8)]
    await bench.send("k", counted(100), partition=1)
    await bench.send("k", counted(200), partition=2)
    await send_foreign(bench.producer, bench.tp(1), batch, compression=compression)
    await bench.send("k", counted(101), partition=1)
    async with bench.lanes(reader.handle):
        await until(lambda: len(reader.numbers) == 9)
        letters = await bench.dead_letters(2)
        await until(bench.all_committed)
    assert [n for n in reader.numbers if n != 200] == [100, 0, 1, 2, 5, 6, 7, 101]
    for letter, number in zip(letters, (3, 4), strict=True):
        assert "header's name is not UTF-8" in letter.message
        assert Counted.from_bytes(base64.b64decode(letter.value or "")).number == number
        assert (NAME.decode("utf-8", "replace"), base64.b64encode(b"\x01").decode()) in (
            letter.headers
        )


async def test_null_header_values_are_no_obstacle(bench: Bench) -> None:
    reader = Reader()
    nothing: bytes = None  # pyright: ignore[reportAssignmentType]
    names = ("ce_lane", "ce_tenant", "ce_type", "traceparent", "tracestate", "x-other")
    await bench.send("k", counted(1), headers=[(name, nothing) for name in names])
    await bench.send(
        "k", counted(2), headers=[("traceparent", b"nonsense"), ("tracestate", b"=,=")]
    )
    async with bench.lanes(reader.handle):
        await until(lambda: sorted(reader.numbers) == [1, 2])
        await until(bench.all_committed)


async def test_an_ordering_function_may_refuse_and_may_fail(bench: Bench) -> None:
    seen = Seen()

    def ordering(record: object) -> str:
        value = getattr(record, "value", None)
        if value == b"1":
            raise ContractError("no customer in it")
        if value == b"2":
            raise KeyError("customer")
        return "lane"

    async def handle(work: Work) -> None:
        seen.add(work)

    for number in range(4):
        await bench.send("k", number)
    async with bench.lanes(handle, lane=ordering):
        letters = await bench.dead_letters(2)
        await until(bench.all_committed)
    assert seen.numbers("k", "lane") == [0, 3]
    assert [letter.message for letter in letters] == [
        "no customer in it",
        "no ordering key: KeyError",
    ]


async def test_an_error_that_is_not_mapped_is_a_bug_and_a_dead_letter(bench: Bench) -> None:
    seen = Seen()

    async def handle(work: Work) -> None:
        if seen.add(work) == 0:
            raise ZeroDivisionError

    for number in range(2):
        await bench.send("k", number)
    async with bench.lanes(handle):
        (letter,) = await bench.dead_letters(1)
        await until(bench.all_committed)
    assert seen.numbers("k") == [0, 1]
    assert (letter.kind, letter.message) == (ErrorKind.BUG, "ZeroDivisionError in the handler")


async def test_a_handler_that_takes_too_long_is_cut_off_and_tried_again(bench: Bench) -> None:
    seen = Seen()

    async def handle(work: Work) -> None:
        if seen.add(work) == 0 and work.attempt == 1:
            await asyncio.sleep(60)

    for number in range(2):
        await bench.send("k", number)
    policy = Policy(timeout=0.2, initial_delay=0.01, max_delay=0.01)
    async with bench.lanes(handle, policy=policy):
        await until(bench.all_committed)
    assert seen.numbers("k") == [0, 0, 1]
