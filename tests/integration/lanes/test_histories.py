"""Whatever happens in whatever order: every record is done, lanes keep their order, commits are earned.

Hypothesis writes the history: the log, what each attempt comes to, when the worker is killed or its
group rebalances. Lanes run it against a model of the log and a real PostgreSQL.
"""

# pyright: reportPrivateUsage=false

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from jackfield_common.database import Connection, Pool, connect, migrate
from jackfield_common.errors import ContractError, ErrorKind, Failure
from jackfield_common.lanes import Lanes, Limits, Parking, Policy, Selection, Work
from jackfield_common.settings import Settings
from tests.integration.lanes.conftest import DEAD, SCHEMA, WORK, until
from tests.integration.lanes.model_log import ModelKafka, ModelLog

PARTITIONS = 2
TINY = Limits(
    in_flight=4, in_flight_per_key=2, records=12, lane_records=2, key_records=5,
    session_timeout=60, heartbeat=1, margin=1, drain=1, commit_interval=0.01, watch_interval=0.02,
)  # fmt: skip


@dataclass(frozen=True)
class History:
    """`records` are (key, lane); `attempts` what the first attempts of a record come to."""

    records: list[tuple[int, int]]
    attempts: dict[int, list[str]]
    kills: list[int]
    """After so many handler runs the worker is killed."""
    rebalances: list[int]
    park_after: float


RECORDS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=30)
OUTCOMES = st.lists(
    st.sampled_from(["retry", "retry", "dead", "contract", "bug"]), min_size=1, max_size=3
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    records = draw(RECORDS)
    numbers = st.integers(0, len(records) - 1)
    return History(
        records=records,
        attempts=draw(st.dictionaries(numbers, OUTCOMES, max_size=8)),
        kills=sorted(draw(st.lists(st.integers(1, 40), max_size=3, unique=True))),
        rebalances=draw(st.lists(st.integers(1, 40), max_size=2, unique=True)),
        park_after=draw(st.sampled_from([0.0, 0.002, 300.0])),
    )


@dataclass
class World:
    """What the handler sees and does, over all lives of the worker."""

    history: History
    pool: Pool
    log: ModelLog
    runs: int = 0
    lives: int = 0
    calls: list[int] = field(default_factory=list[int])
    """Numbers in the order in which they were done for the first time."""
    repeats: int = 0
    dead: set[int] = field(default_factory=set[int])
    failed: dict[int, int] = field(default_factory=lambda: defaultdict[int, int](int))
    running: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    killed: asyncio.Event = field(default_factory=asyncio.Event)
    rebalance: asyncio.Event = field(default_factory=asyncio.Event)
    healthy: bool = False
    lanes: Lanes | None = None

    async def handle(self, work: Work) -> None:
        name = (work.key, work.lane)
        assert name not in self.running, "a lane ran twice at once"
        self.running.add(name)
        try:
            await self._handle(int(work.record.value or b""), work)
        finally:
            self.running.discard(name)

    async def _handle(self, number: int, work: Work) -> None:
        self.runs += 1
        if self.lives < len(self.history.kills) and self.runs >= self.history.kills[self.lives]:
            self.lives += 1
            self.killed.set()
            await asyncio.sleep(60)
        if self.runs in self.history.rebalances:
            self.rebalance.set()
        await asyncio.sleep(0)
        plan = [] if self.healthy else self.history.attempts.get(number, [])
        if self.failed[number] < len(plan):
            outcome = plan[self.failed[number]]
            self.failed[number] += 1
            raise _error(outcome)

        async def effect(connection: Connection) -> None:
            done = await connection.execute(
                "INSERT INTO done VALUES ($1) ON CONFLICT DO NOTHING", number
            )
            if done == "INSERT 0 0":
                self.repeats += 1
            elif number not in self.calls:
                self.calls.append(number)

        await work.store(effect)


def _error(outcome: str) -> Exception:
    match outcome:
        case "retry":
            return Failure(ErrorKind.UNAVAILABLE, "later")
        case "dead":
            return Failure(ErrorKind.INVALID, "never")
        case "contract":
            return ContractError("not what was promised")
        case _:
            return KeyError("a bug")


class _NoFeed:
    """The feed is not what these histories are about."""

    async def send(self, *_: Any, **__: Any) -> None:
        await asyncio.sleep(0)


@given(history=histories())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.target],
)
def test_any_history_ends_with_everything_done_in_order(
    history: History, database: str, tmp_path: Path
) -> None:
    asyncio.run(_live_through(history, database, tmp_path))


async def _live_through(history: History, database: str, place: Path) -> None:
    settings_ = Settings(
        kafka_bootstrap_servers="nowhere:1", postgres_dsn=SecretStr(database), keys_dir=place
    )
    pool = await connect(settings_, SCHEMA)
    try:
        await migrate(pool, SCHEMA, ("jackfield_common.lanes",))
        await pool.execute("CREATE TABLE IF NOT EXISTS done (number int PRIMARY KEY)")
        await pool.execute("TRUNCATE done, lane_work, lane_epoch, lane_pause")
        log = ModelLog(WORK.name, PARTITIONS)
        for number, (key, lane) in enumerate(history.records):
            log.append(key % PARTITIONS, b"key-%d" % key, f"lane-{lane}", b"%d" % number)
        world = World(history, pool, log)
        try:
            async with asyncio.timeout(30):
                await _run(world, settings_)
        except TimeoutError:
            raise AssertionError(f"stuck:\n{_state(world)}") from None
        await _check(world)
    finally:
        pool.terminate()


def _lanes(world: World, settings_: Settings, life: int) -> tuple[Lanes, ModelKafka]:
    kafka = ModelKafka(settings_, world.log, f"member-{life}")
    lanes = Lanes(
        kafka,
        world.pool,
        _NoFeed(),  # pyright: ignore[reportArgumentType]
        name="model",
        topics=[WORK],
        handle=world.handle,
        dead=DEAD,
        limits=TINY,
        policy=Policy(
            max_retries=2,
            initial_delay=0.001,
            max_delay=0.002,
            park_after=world.history.park_after,
        ),
    )
    return lanes, kafka


async def _run(world: World, settings_: Settings) -> None:
    life = 0
    while True:
        lanes, kafka = _lanes(world, settings_, life)
        world.lanes = lanes
        await lanes.__aenter__()
        life += 1
        ending = asyncio.create_task(_ending(world, kafka))
        dying = asyncio.create_task(world.killed.wait())
        await asyncio.wait((ending, dying), return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if ending.done():
            ending.result()
            await lanes.__aexit__(None, None, None)
            return
        ending.cancel()
        # As SIGKILL does: nothing of it is heard again.
        for consumer in kafka.consumers:
            consumer.killed = True
        await asyncio.gather(lanes._tasks.stop(), lanes._dispatcher.stop())
        world.killed.clear()
        world.running.clear()


async def _ending(world: World, kafka: ModelKafka) -> None:
    """Through rebalances to the end of the log; then what died is replayed, and succeeds."""
    while not await _settled(world):
        consumer = kafka.consumers[-1] if kafka.consumers else None
        if world.rebalance.is_set() and consumer is not None and consumer.assignment():
            world.rebalance.clear()
            await consumer.join(world.log.tps[:1])
            await consumer.join(world.log.tps)
        await asyncio.sleep(0.005)
    rows = await world.pool.fetch("SELECT value FROM lane_work WHERE state = 'dead'")
    world.dead |= {int(row["value"]) for row in rows}
    world.healthy = True
    await Parking(world.pool).replay(Selection("default"), "replay-all")
    await until(lambda: _settled(world))


def _state(world: World) -> str:
    lanes = world.lanes
    assert lanes is not None
    lines = [
        f"runs {world.runs} lives {world.lives} committed {world.log.committed}",
        f"ready {lanes.ready} gate {lanes._gate.is_open} journal {len(lanes._journal)}"
        f" held {lanes._hold.records} running {lanes._scheduler.running}"
        f" open {lanes._dispatcher.open}",
    ]
    for one in lanes._intake.partitions.values():
        lines.append(
            f"{one.number}: opened {one.opened} closed {one.closed} next {one.watermark.next}"
            f" position {one.watermark.position} outstanding {len(one.watermark)}"
        )
        lines += [
            f"  {lane.id} {lane.phase} items {len(lane.items)} spilled {lane.spilled}"
            f" unwritten {lane.unwritten} due {lane.due} blocked {lane.blocked}"
            for lane in one.lanes.values()
        ]
    return "\n".join(lines)


async def _settled(world: World) -> bool:
    if not world.log.all_committed:
        return False
    left = await world.pool.fetchval("SELECT count(*) FROM lane_work WHERE state = 'parked'")
    return left == 0


async def _check(world: World) -> None:
    numbers = range(len(world.history.records))
    assert sorted(world.calls) == list(numbers), "something was never done"
    lanes: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number in world.calls:
        lanes[world.history.records[number]].append(number)
    for lane, done in lanes.items():
        first = [number for number in done if number not in world.dead]
        assert first == sorted(first), f"lane {lane} ran out of order: {done}"
        replayed = [number for number in done if number in world.dead]
        assert done == first + replayed, f"lane {lane}: what was replayed did not come last"
        assert replayed == sorted(replayed), f"lane {lane} was replayed out of order"
    left = await world.pool.fetch("SELECT * FROM lane_work")
    assert left == [], "rows were left behind"


async def test_what_overflows_does_not_overtake_what_was_in_memory_when_the_worker_is_killed(
    database: str, tmp_path: Path
) -> None:
    settings_ = Settings(
        kafka_bootstrap_servers="nowhere:1", postgres_dsn=SecretStr(database), keys_dir=tmp_path
    )
    pool = await connect(settings_, SCHEMA)
    await migrate(pool, SCHEMA, ("jackfield_common.lanes",))
    log = ModelLog(WORK.name, PARTITIONS)
    for number in range(8):
        log.append(0, b"key", "lane", b"%d" % number)
    done: list[int] = []
    slow = True

    async def handle(work: Work) -> None:
        if slow:
            await asyncio.sleep(60)
        done.append(int(work.record.value or b""))

    def lanes(member: str) -> tuple[Lanes, ModelKafka]:
        kafka = ModelKafka(settings_, log, member)
        made = Lanes(
            kafka,
            pool,
            _NoFeed(),  # pyright: ignore[reportArgumentType]
            name="model",
            topics=[WORK],
            handle=handle,
            dead=DEAD,
            limits=TINY,
        )
        return made, kafka

    async def parked() -> bool:
        return await pool.fetchval("SELECT count(*) FROM lane_work") >= 6

    first, kafka = lanes("first")
    await first.__aenter__()
    await until(parked)
    kafka.consumers[-1].killed = True
    await asyncio.gather(first._tasks.stop(), first._dispatcher.stop())
    slow = False
    second, _ = lanes("second")
    async with second:
        await until(lambda: len(done) == 8 and log.all_committed)
    assert done == list(range(8))
    pool.terminate()
