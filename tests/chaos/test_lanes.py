"""Workers and servers are killed, stalled and restarted at random, and the work is done all the same.

Afterwards: every event was carried out; order held in every lane; what was carried out twice is counted,
and each repetition lies across a disruption that explains it (section 6 of docs/architecture.md: a call
that may be repeated is repeated at most once per crash).

Seeded: the same seed gives the same log and the same plan of disruptions (their exact moments depend on
the machine). `make chaos` runs longer; JACKFIELD_CHAOS_EVENTS, JACKFIELD_CHAOS_SECONDS (over which they
come) and JACKFIELD_CHAOS_SEED say how much, how long and which.
"""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from jackfield_common.database import connect, migrate
from jackfield_common.settings import Settings
from tests.chaos.servers import Servers, start_servers
from tests.chaos.vendor import VendorReceiver
from tests.chaos.worker import DEAD, GROUP, LIMITS, SCHEMA, WORK

EVENTS = int(os.environ.get("JACKFIELD_CHAOS_EVENTS", "20000"))
SECONDS = int(os.environ.get("JACKFIELD_CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("JACKFIELD_CHAOS_SEED", "1"))
KEYS = 500
WORKERS = 3
_BURST = 500
ROOT = Path(__file__).parents[2]


@dataclass
class Worker:
    life: str
    process: subprocess.Popen[bytes]


@dataclass
class Chaos:
    """The plan, carried out; `moments` are when something was disrupted, until when, and what."""

    servers: Servers
    vendor: VendorReceiver
    chance: random.Random
    log: Path
    workers: list[Worker] = field(default_factory=list[Worker])
    moments: list[tuple[float, float, str]] = field(default_factory=list[tuple[float, float, str]])
    lives: int = 0

    def start_worker(self) -> None:
        self.lives += 1
        life = f"life-{self.lives}"
        environment = os.environ | {
            "JACKFIELD_KAFKA_BOOTSTRAP_SERVERS": self.servers.bootstrap_servers,
            "JACKFIELD_POSTGRES_DSN": self.servers.dsn,
        }
        with (self.log / f"{life}.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.worker", life, str(self.vendor.port)],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.workers.append(Worker(life, process))

    def stop_workers(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGCONT)
                worker.process.kill()
            worker.process.wait()

    async def disrupt(self) -> None:
        """One disruption."""
        began = time.monotonic()
        name = self.chance.choices(
            ["kill", "stall", "blink", "add", "remove", "vendor", "database", "broker"],
            [5, 3, 2, 2, 2, 1, 2, 2],
        )[0]
        await getattr(self, f"_{name}")()
        self.moments.append((began, time.monotonic(), name))

    def _victim(self) -> Worker:
        return self.chance.choice(self.workers)

    async def _kill(self) -> None:
        victim = self._victim()
        victim.process.kill()
        await asyncio.to_thread(victim.process.wait)
        self.workers.remove(victim)
        self.start_worker()

    async def _stall(self) -> None:
        """Longer than the session: others take over, then it wakes up and believes itself the owner."""
        victim = self._victim()
        victim.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(LIMITS.session_timeout + 1.5)
        victim.process.send_signal(signal.SIGCONT)

    async def _blink(self) -> None:
        """Shorter than the session: nobody notices."""
        victim = self._victim()
        victim.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.7)
        victim.process.send_signal(signal.SIGCONT)

    async def _add(self) -> None:
        if len(self.workers) < WORKERS + 2:
            self.start_worker()

    async def _remove(self) -> None:
        if len(self.workers) > 1:
            victim = self._victim()
            self.workers.remove(victim)
            victim.process.terminate()
            await asyncio.to_thread(victim.process.wait)

    async def _vendor(self) -> None:
        self.vendor.down = True
        await asyncio.sleep(1.5)
        self.vendor.down = False

    async def _database(self) -> None:
        end = (
            self.servers.postgres.kill if self.chance.random() < 0.5 else self.servers.postgres.stop
        )
        await asyncio.to_thread(end)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(self.servers.postgres.start)

    async def _broker(self) -> None:
        end = self.servers.kafka.kill if self.chance.random() < 0.5 else self.servers.kafka.stop
        await asyncio.to_thread(end)
        await asyncio.to_thread(self.servers.kafka.start)


@pytest.fixture
async def chaos() -> AsyncIterator[Chaos]:
    directory = Path(tempfile.mkdtemp(prefix="jackfield-chaos-"))
    directory.chmod(0o711)
    chance = random.Random(SEED)  # noqa: S311  # to be repeatable is its purpose
    servers = await asyncio.to_thread(start_servers, directory)
    vendor = VendorReceiver(random.Random(SEED + 1))  # noqa: S311
    await vendor.start()
    chaos = Chaos(servers, vendor, chance, directory)
    try:
        await _prepare(servers)
        yield chaos
    finally:
        chaos.stop_workers()
        await vendor.stop()
        await asyncio.to_thread(servers.stop)
        shutil.rmtree(directory, ignore_errors=True)


async def _prepare(servers: Servers) -> None:
    settings = Settings(
        kafka_bootstrap_servers=servers.bootstrap_servers,
        postgres_dsn=SecretStr(servers.dsn),
        keys_dir=Path(tempfile.gettempdir()),
    )
    pool = await connect(settings, SCHEMA)
    await migrate(pool, SCHEMA, ("jackfield_common.lanes",))
    await pool.execute("CREATE TABLE done (number int PRIMARY KEY, life text NOT NULL)")
    await pool.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(one.name, one.partitions, 1) for one in (WORK, DEAD)])
    await admin.close()


async def _produce(servers: Servers, seed: int) -> None:
    """Write the log; order within a key is the producer's, over restarts of the broker."""
    chance = random.Random(seed)  # noqa: S311
    producer = AIOKafkaProducer(
        bootstrap_servers=servers.bootstrap_servers,
        enable_idempotence=True,
        request_timeout_ms=120_000,
    )
    await producer.start()
    try:
        for number in range(EVENTS):
            key = chance.randrange(KEYS)
            await producer.send(
                WORK.name,
                str(number).encode(),
                key=b"key-%d" % key,
                headers=[("ce_tenant", b"default"), ("ce_lane", b"lane-%d" % (number % 2))],
            )
            if number % _BURST == _BURST - 1:
                await asyncio.sleep(chance.random() * 2 * SECONDS * _BURST / EVENTS)
        await producer.flush()
    finally:
        await producer.stop()


async def _finished(servers: Servers) -> bool:
    """Whether everything is done, nothing is parked, and every offset is committed."""
    try:
        connection = await asyncpg.connect(servers.dsn, timeout=5)
        try:
            done, rows = await connection.fetchrow(
                f"SELECT (SELECT count(*) FROM {SCHEMA}.done),"  # noqa: S608  # a constant
                f" (SELECT count(*) FROM {SCHEMA}.lane_work)"
            ) or (0, 1)
        finally:
            await connection.close()
        if done < EVENTS or rows:
            return False
        return await _all_committed(servers)
    except (OSError, asyncpg.PostgresError, KafkaError):
        return False


async def _left(chaos: Chaos) -> str:
    """What is not done, for whoever has to find out why."""
    connection = await asyncpg.connect(chaos.servers.dsn, timeout=5)
    rows = await connection.fetch(
        f'SELECT partition, "offset", key, lane, state, attempts, due_at, message, cause'  # noqa: S608
        f" FROM {SCHEMA}.lane_work ORDER BY place LIMIT 10"
    )
    done = await connection.fetchval(f"SELECT count(*) FROM {SCHEMA}.done")  # noqa: S608
    epochs = await connection.fetch(f"SELECT * FROM {SCHEMA}.lane_epoch ORDER BY partition")  # noqa: S608
    await connection.close()
    logs = "\n".join(
        f"{worker.life} ({worker.process.poll()}): "
        + (chaos.log / f"{worker.life}.log").read_text()[-1_500:]
        for worker in chaos.workers
    )
    names = [name for *_, name in chaos.moments]
    lines = [*map(str, rows), *(f"{e['partition']}: {e['epoch']} {e['owner']}" for e in epochs)]
    return f"{done} of {EVENTS} done after {names}\n" + "\n".join(lines) + f"\n{logs}"


async def _all_committed(servers: Servers) -> bool:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers.bootstrap_servers, group_id=f"jackfield.{GROUP}",
        enable_auto_commit=False,
    )  # fmt: skip
    await consumer.start()
    try:
        tps = [TopicPartition(WORK.name, number) for number in range(WORK.partitions)]
        ends = await consumer.end_offsets(tps)
        return all([await consumer.committed(tp) == end for tp, end in ends.items() if end])
    finally:
        await consumer.stop()


@pytest.mark.slow
@pytest.mark.timeout(SECONDS * 3 + 300)
async def test_whatever_is_killed_the_work_is_done_in_order(chaos: Chaos) -> None:
    for _ in range(WORKERS):
        chaos.start_worker()
    producing = asyncio.create_task(_produce(chaos.servers, SEED + 2))
    while not producing.done():
        await asyncio.sleep(1 + chaos.chance.random() * 2)
        await chaos.disrupt()
    await producing
    while len(chaos.workers) < WORKERS:
        chaos.start_worker()
    deadline = time.monotonic() + 120
    while not await _finished(chaos.servers):
        assert time.monotonic() < deadline, await _left(chaos)
        await asyncio.sleep(0.5)
    report = _examine(chaos)
    print(report)


def _examine(chaos: Chaos) -> str:
    calls = chaos.vendor.calls
    first: dict[int, float] = {}
    lanes: dict[tuple[str, str], list[int]] = defaultdict(list)
    repeats: Counter[int] = Counter()
    unexplained: list[str] = []
    last: dict[int, float] = {}
    late = 0
    for call in calls:
        if call.number not in first:
            first[call.number] = call.at
            lanes[call.key, call.lane].append(call.number)
        else:
            repeats[call.number] += 1
            late += call.number < lanes[call.key, call.lane][-1]
            # The repeat is explained by a disruption that began before it, and did not end (with
            # the time that a takeover takes) before the call it repeats.
            if not any(
                began <= call.at and last[call.number] <= ended + LIMITS.session_timeout + 10
                for began, ended, _ in chaos.moments
            ):
                unexplained.append(f"{call} after {last[call.number]:.1f}")
        last[call.number] = call.at
    missing = [number for number in range(EVENTS) if number not in first]
    assert missing == [], f"{len(missing)} events were never carried out, {missing[:10]}"
    for lane, numbers in lanes.items():
        assert numbers == sorted(numbers), f"lane {lane} was carried out out of order: {numbers}"
    assert unexplained == [], unexplained[:5]
    names = Counter(name for _, _, name in chaos.moments)
    disruptive = sum(names[one] for one in ("kill", "stall", "remove", "database", "broker", "add"))
    # A crash repeats at most what was in flight in one worker.
    assert sum(repeats.values()) <= LIMITS.in_flight * WORKERS * max(1, disruptive)
    return (
        f"{EVENTS} events, {len(lanes)} lanes, {chaos.lives} lives, disruptions {dict(names)};"
        f" {sum(repeats.values())} calls repeated (at most {max(repeats.values(), default=0)}"
        f" times, {late} of them after a later one of their lane),"
        f" {chaos.vendor.refused} refused by the vendor"
    )
