"""Bounds: on time (a vendor that is down for an hour), on a slow neighbour, on memory."""

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import psutil

from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.lanes import Limits, Policy, Work
from jackfield_common.lanes.clock import SystemClock
from tests.integration.lanes.conftest import WORK, Bench, Seen, until

MIB = 1024 * 1024
BACKLOG = int(os.environ.get("JACKFIELD_LANES_BACKLOG", "100000"))
ROOT = Path(__file__).parents[3]


class Leaping:
    """The machine's clock, and what was added to it."""

    def __init__(self) -> None:
        self.added = 0.0

    def time(self) -> float:
        return SystemClock().time() + self.added


async def test_a_vendor_that_is_down_for_an_hour_gets_everything_afterwards_in_order(
    bench: Bench,
) -> None:
    seen = Seen()
    clock = Leaping()
    attempts = 0

    async def handle(work: Work) -> None:
        nonlocal attempts
        attempts += 1
        if clock.added < 3_600:
            raise Failure(ErrorKind.UNAVAILABLE, "down")
        seen.add(work)

    policy = Policy(max_retries=10_000, initial_delay=1, max_delay=300, budget=86_400)
    for number in range(40):
        await bench.post(f"key-{number % 4}", number)
    await bench.producer.flush()
    async with bench.lanes(handle, policy=policy, clock=clock):
        while clock.added < 3_600:
            before = attempts
            await until(lambda before=before: attempts > before)
            clock.added += 300  # by then every lane is due
        clock.added += 600
        await until(lambda: len(seen.works) == 40)
        await until(bench.all_committed)
    for key in range(4):
        assert seen.numbers(f"key-{key}") == list(range(key, 40, 4))
    # One head per lane is tried, at growing distances: not every record once a second.
    assert attempts - 40 <= 4 * (3_600 / 300 + 8)
    assert await bench.rows() == []


async def test_work_whose_time_is_over_is_given_up(bench: Bench) -> None:
    seen = Seen()
    clock = Leaping()

    async def handle(work: Work) -> None:
        seen.add(work)
        raise Failure(ErrorKind.UNAVAILABLE, "down")

    policy = Policy(max_retries=10_000, initial_delay=10, max_delay=10, budget=3_600, park_after=0)
    await bench.send("key", 0)
    async with bench.lanes(handle, policy=policy, clock=clock):
        await until(lambda: len(seen.works) == 1)
        clock.added += 4_000
        (letter,) = await bench.dead_letters(1)
    assert len(letter.attempts) == 2
    assert letter.kind is ErrorKind.UNAVAILABLE


async def test_a_slow_key_among_a_thousand_holds_nobody_back(bench: Bench) -> None:
    seen = Seen()
    release = asyncio.Event()

    async def handle(work: Work) -> None:
        if work.key == "slow":
            await release.wait()
        seen.add(work)

    limits = Limits(
        session_timeout=6, heartbeat=0.5, margin=1, drain=2, commit_interval=0.05,
        records=2_000, lane_records=100, key_records=200,
    )  # fmt: skip
    total = 12_000
    for number in range(total):
        # A quarter of everything is for the slow one, far more than its share of memory.
        await bench.post("slow" if number % 4 == 0 else f"key-{number % 1_000}", number)
    await bench.producer.flush()
    async with bench.lanes(handle, limits=limits, policy=Policy(timeout=600)):
        await until(lambda: len(seen.works) == total * 3 // 4, within=60)
        assert seen.numbers("slow") == []
        release.set()
        await until(lambda: len(seen.works) == total, within=60)
        await until(bench.all_committed)
    assert seen.numbers("slow") == list(range(0, total, 4))


async def test_payloads_of_25_mb_pass_whole_and_memory_is_bounded_by_bytes(bench: Bench) -> None:
    size = 25 * MIB * 4 // 3
    digests: list[str] = []
    held: list[int] = []
    failed: set[int] = set()
    limits = Limits(
        session_timeout=6, heartbeat=0.5, margin=1, drain=2, commit_interval=0.05,
        bytes=64 * MIB, lane_bytes=64 * MIB, key_bytes=64 * MIB,
    )  # fmt: skip

    async def handle(work: Work) -> None:
        held.append(lanes._hold.bytes)  # pyright: ignore[reportPrivateUsage]
        value = work.record.value or b""
        await asyncio.sleep(0.3)
        if value[0] == ord("1") and not failed:
            failed.add(1)
            raise Failure(ErrorKind.UNAVAILABLE, "later", retry_after=0.2)
        if value[0] == ord("2"):
            raise Failure(ErrorKind.INVALID, "too much")
        digests.append(hashlib.sha256(value).hexdigest())

    sent: list[str] = []
    for number in range(4):
        value = str(number).encode() + os.urandom(1024) * (size // 1024)
        if number != 2:
            sent.append(hashlib.sha256(value).hexdigest())
        await bench.send(f"key-{number}", value)
        del value
    lanes = bench.lanes(handle, limits=limits, policy=Policy(park_after=0))
    async with lanes:
        (letter,) = await bench.dead_letters(1, within=60)
        await until(lambda: len(digests) == 3, within=60)
        await until(bench.all_committed, within=60)
    assert sorted(digests) == sorted(sent)
    # One record from the log and one from the database may come in at the same moment.
    assert max(held) <= limits.bytes + 2 * size + MIB
    assert letter.value is not None
    assert len(letter.value) >= size


async def test_a_large_backlog_takes_no_more_memory_than_a_small_one(bench: Bench) -> None:
    batch = bench.producer.create_batch()
    partition = written = 0
    value = b"x" * 300
    waiting: list[asyncio.Future[object]] = []
    while written < BACKLOG:
        key = b"key-%d" % (written % 5_000)
        if batch.append(key=key, value=value, timestamp=None) is None:
            batch.close()
            name = bench.kafka.naming.physical(WORK)
            waiting.append(
                await bench.producer.send_batch(batch, name, partition=partition)  # pyright: ignore[reportArgumentType]
            )
            batch = bench.producer.create_batch()
            partition = (partition + 1) % WORK.partitions
        else:
            written += 1
    batch.close()
    waiting.append(
        await bench.producer.send_batch(  # pyright: ignore[reportArgumentType]
            batch, bench.kafka.naming.physical(WORK), partition=partition
        )
    )
    await asyncio.gather(*waiting)
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.lanes.reader", str(BACKLOG)],
        cwd=ROOT,
        env=os.environ
        | {
            "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": bench.settings.kafka_bootstrap_servers,
            "JACKFIELD_POSTGRES_DSN": bench.settings.postgres_dsn.get_secret_value(),
            "JACKFIELD_TOPIC_PREFIX": bench.settings.topic_prefix,
        },
    )
    process = psutil.Process(worker.pid)
    most = 0
    try:
        async with asyncio.timeout(100):
            while worker.poll() is None:
                try:
                    most = max(most, process.memory_info().rss)
                except psutil.NoSuchProcess:
                    break
                await asyncio.sleep(0.05)
    finally:
        if worker.poll() is None:
            worker.kill()
        worker.wait()
    print(f"{BACKLOG} records of backlog: {most // MIB} MiB at most")
    assert worker.returncode == 0
    assert most < 150 * MIB
