"""A worker's ordinary life: order, concurrency, retries, parking, dead letters."""

import asyncio
import base64

from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.lanes import Policy, Work
from tests.integration.lanes.conftest import Bench, Seen, until

FAST = Policy(max_retries=2, initial_delay=0.01, max_delay=0.02)


async def test_every_record_is_done_once_and_in_the_order_of_its_lane(bench: Bench) -> None:
    seen = Seen()

    async def handle(work: Work) -> None:
        await asyncio.sleep(0)
        seen.add(work)

    for number in range(2_000):
        await bench.post(f"key-{number % 20}", number, f"lane-{number % 3}")
    await bench.producer.flush()
    async with bench.lanes(handle) as lanes:
        await until(lambda: len(seen.works) == 2_000)
        await until(bench.all_committed)
        assert lanes.ready
    assert sorted(number for *_, number, _ in seen.works) == list(range(2_000))
    for key in range(20):
        for lane in range(3):
            numbers = seen.numbers(f"key-{key}", f"lane-{lane}")
            assert numbers == sorted(numbers)


async def test_lanes_run_side_by_side_and_a_lane_runs_one_at_a_time(bench: Bench) -> None:
    running: set[str] = set()
    most = 0

    async def handle(work: Work) -> None:
        nonlocal most
        name = f"{work.key}/{work.lane}"
        assert name not in running
        running.add(name)
        most = max(most, len(running))
        await asyncio.sleep(0.02)
        running.discard(name)

    for number in range(100):
        await bench.post("key", number, f"lane-{number % 50}")
    await bench.producer.flush()
    async with bench.lanes(handle):
        await until(bench.all_committed)
    assert most >= 40


async def test_a_failure_is_retried_in_memory_before_what_follows_in_its_lane(
    bench: Bench,
) -> None:
    seen = Seen()

    async def handle(work: Work) -> None:
        if seen.add(work) == 0 and work.attempt < 3:
            raise Failure(ErrorKind.UNAVAILABLE, "come back later")

    for number in range(3):
        await bench.send("key", number)
    async with bench.lanes(handle, policy=FAST):
        await until(bench.all_committed)
    assert [(number, attempt) for *_, number, attempt in seen.works] == [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 1),
        (2, 1),
    ]
    assert await bench.rows() == []


async def test_work_whose_retries_are_spent_becomes_a_dead_letter_and_the_lane_goes_on(
    bench: Bench,
) -> None:
    seen = Seen()

    async def handle(work: Work) -> None:
        if seen.add(work) == 0:
            raise Failure(ErrorKind.TIMEOUT, "no answer")

    await bench.send("key", 0, "lane", headers=[("x-odd", b"\xff\x00")])
    await bench.send("key", 1, "lane")
    async with bench.lanes(handle, policy=FAST):
        (letter,) = await bench.dead_letters(1)
        await until(bench.all_committed)
    assert seen.numbers("key", "lane") == [0, 0, 0, 1]
    (row,) = await bench.rows()
    assert (row["state"], row["attempts"], row["kind"]) == ("dead", 3, "timeout")
    assert letter.kind is ErrorKind.TIMEOUT
    assert [one.kind for one in letter.attempts] == [ErrorKind.TIMEOUT] * 3
    assert base64.b64decode(letter.value or "") == b"0"
    assert ("x-odd", base64.b64encode(b"\xff\x00").decode()) in letter.headers


async def test_a_lane_that_waits_long_is_parked_and_its_neighbours_never_notice(
    bench: Bench,
) -> None:
    seen = Seen()
    up = False

    async def handle(work: Work) -> None:
        if work.key == "down" and not up:
            raise Failure(ErrorKind.UNAVAILABLE, "down", retry_after=0.3)
        seen.add(work)

    policy = Policy(max_retries=1_000, initial_delay=0.05, max_delay=0.1, park_after=0.2)
    for number in range(300):
        await bench.post("down" if number % 3 == 0 else f"up-{number % 3}", number)
    await bench.producer.flush()
    async with bench.lanes(handle, policy=policy):
        await until(lambda: len(seen.works) == 200)
        await until(bench.all_committed)
        assert len(await bench.rows("state = 'parked'")) == 100
        await bench.post("down", 300)
        up = True
        await until(lambda: len(seen.works) == 301)
        await bench.send("down", 301)
        await until(lambda: len(seen.works) == 302)
    assert seen.numbers("down") == [*range(0, 300, 3), 300, 301]
    assert await bench.rows() == []


async def test_what_is_parked_survives_a_restart_with_its_attempts_and_its_order(
    bench: Bench,
) -> None:
    seen = Seen()

    async def failing(work: Work) -> None:
        raise Failure(ErrorKind.UNAVAILABLE, "down", retry_after=0.5)

    async def handle(work: Work) -> None:
        seen.add(work)

    policy = Policy(max_retries=100, park_after=0.0)
    for number in range(50):
        await bench.post("key", number)
    await bench.producer.flush()
    async with bench.lanes(failing, policy=policy):
        await until(bench.all_committed)
    async with bench.lanes(handle, policy=policy):
        await bench.send("key", 50)
        await until(lambda: len(seen.works) == 51)
        await until(bench.all_committed)
    assert seen.numbers("key") == list(range(51))
    assert seen.works[0][3] >= 2
    assert await bench.rows() == []
