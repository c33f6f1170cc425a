"""Lanes: the whole, put together. See docs/lanes.md."""

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import structlog

from jackfield_common.database import AWAY, Connection, Pool
from jackfield_common.errors import Fenced
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.lanes import metrics
from jackfield_common.lanes.clock import Clock, SystemClock
from jackfield_common.lanes.commits import Commits
from jackfield_common.lanes.dispatch import Dispatcher, Handle, Policies
from jackfield_common.lanes.feed import DeadTopic, Feed
from jackfield_common.lanes.gate import Gate
from jackfield_common.lanes.hold import Hold
from jackfield_common.lanes.intake import Intake, Ordering
from jackfield_common.lanes.journal import Journal
from jackfield_common.lanes.lane import Phase
from jackfield_common.lanes.ledger import Ledger
from jackfield_common.lanes.loader import READERS, Loader
from jackfield_common.lanes.membership import Membership
from jackfield_common.lanes.outcome import Outcomes
from jackfield_common.lanes.partition import Partition
from jackfield_common.lanes.policy import Limits, Policy
from jackfield_common.lanes.scheduler import Scheduler
from jackfield_common.lanes.stores import Stores
from jackfield_common.lanes.work import Effect, still_owned
from jackfield_common.tasks import Tasks
from jackfield_common.topics import Topic

log = structlog.get_logger(__name__)

_TICK_SECONDS: Final = 0.05


class Lanes:
    """Consumes work topics: in order within a lane, concurrently across lanes, nothing lost.

    An asynchronous context manager: inside it, records are consumed. `name` is the consumer group and
    stands in every row; `handle` does the work and returns, or raises: Failure, whose kind decides on
    repetition; ContractError, which makes a dead letter; Fenced, which it got from the work. `dead` is
    the feed that dead letters are copied to. `lane` gives a record's ordering key (the `ce_lane`
    header by default) and may raise ContractError. A failure that is not on this list counts as BUG.
    A paused integration's records wait, unless the consumer is not `pausable`: what carries out the
    command to go on has to run meanwhile.

    The schema that `pool` looks into has the tables of the migration package
    `jackfield_common.lanes`.
    """

    def __init__(
        self,
        kafka: Kafka,
        pool: Pool,
        publisher: Publisher,
        *,
        name: str,
        topics: Sequence[Topic],
        handle: Handle,
        dead: DeadTopic,
        lane: Ordering | None = None,
        policy: Policies | None = None,
        limits: Limits | None = None,
        clock: Clock | None = None,
        pausable: bool = True,
    ) -> None:
        limits = limits or Limits()
        clock = clock or SystemClock()
        self._name = name
        self._clock = clock
        self._limits = limits
        self._drain = kafka.settings.drain_seconds
        self._gate = Gate(pool, name)
        self._hold = Hold(limits)
        self._scheduler = Scheduler(clock, limits.in_flight_per_key)
        self._ledger = Ledger(pool, name, kafka.instance)
        self._stores = Stores(pool, self._ledger, self._gate)
        self._journal = Journal(pool, self._ledger, self._gate, name)
        self._loader = Loader(self._ledger, self._journal, self._gate, self._hold, clock)
        self._member = Membership(limits)
        self._commits = Commits(name)
        self._feed = Feed(pool, kafka, publisher, name, dead, self._gate, self._open_partitions)
        self._outcomes = Outcomes(
            name,
            clock,
            self._hold,
            self._scheduler,
            self._journal,
            self._loader.ask,
            self._feed.wake,
            self._ledger.row_id,
        )
        self._dispatcher = Dispatcher(
            name,
            handle,
            policy or Policy(),
            limits,
            clock,
            self._scheduler,
            self._outcomes,
            self._member,
            self._gate,
            self,
        )
        self._intake = Intake(
            kafka,
            name,
            topics,
            lane,
            limits,
            self._hold,
            self._scheduler,
            self._outcomes,
            self._dispatcher,
            self._journal,
            self._ledger,
            self._gate,
            self._member,
            self._commits,
        )
        self._pausable = pausable
        self._change = -1
        self._tasks = Tasks()
        self._reading: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether this worker is a member of its group and every partition it got is open."""
        return self._intake.ready

    async def __aenter__(self) -> Self:
        for name, loop in (
            ("gate", self._gate.run),
            ("journal", self._journal.run),
            ("feed", self._feed.run),
            ("due", self._run_due),
            ("commits", self._run_commits),
            ("changes", self._run_changes),
            *((f"loader-{number}", self._run_loader) for number in range(READERS)),
        ):
            self._tasks.start(f"lanes-{self._name}-{name}", loop)
        self._tasks.start(f"lanes-{self._name}-intake", self._run_intake)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._intake.drain(self._drain)
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))
        await self._dispatcher.stop()
        await self._tasks.stop()

    # What work needs (the Owner protocol of work.py)

    def check(self, partition: Partition) -> None:
        """Raises Fenced when no outside call may be started for this partition."""
        still_owned(partition)
        if time.monotonic() >= self._member.deadline:
            raise Fenced("no heartbeat was answered lately: another worker may own this partition")

    async def fence(self, connection: Connection, partition: Partition) -> None:
        """Raises Fenced when a newer epoch of this partition exists."""
        still_owned(partition)
        try:
            await self._ledger.fence(connection, partition)
        except Fenced:
            partition.close()
            raise

    async def store(self, partition: Partition, effect: Effect) -> None:
        """Runs an effect in a fenced transaction, as often as it takes."""
        await self._stores.store(partition, effect)

    # Loops

    async def _run_intake(self) -> None:
        self._reading = asyncio.current_task()
        await self._intake.run()

    async def _run_loader(self) -> None:
        await self._loader.run(self._outcomes)

    async def _run_due(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._scheduler.run_due(self._outcomes.settle)
            self._dispatcher.expire()
            self._dispatcher.wake()
            ticks += 1
            if ticks * _TICK_SECONDS >= 1:
                ticks = 0
                self._measure()

    async def _run_commits(self) -> None:
        while True:
            await asyncio.sleep(self._limits.commit_interval)
            consumer = self._intake.consumer
            if consumer is not None:
                await self._commits.commit(consumer, self._open_partitions())

    async def _run_changes(self) -> None:
        """Follow what was changed from outside: pauses, retries, cancellations, replays."""
        while True:
            try:
                number, paused = await self._ledger.pauses()
                if number != self._change:
                    await self._follow(paused if self._pausable else set())
                    self._change = number
            except AWAY as error:
                self._gate.doubt(error)
                await self._gate.wait()
            await asyncio.sleep(self._limits.watch_interval)

    async def _follow(self, paused: set[tuple[str, str]]) -> None:
        self._hold.paused = paused
        for key in self._hold.keys.values():
            key.paused = (key.tenant, key.text) in paused
        for partition in self._open_partitions():
            found = {(one.key, one.lane): one for one in await self._ledger.lanes(partition)}
            if partition.closed:
                continue
            for lane in list(partition.lanes.values()):
                if lane.key.paused and lane.phase in (Phase.READY, Phase.HELD, Phase.WAITING):
                    self._scheduler.unwait(lane)  # into the database with it
                self._outcomes.reread(lane)
                if lane.phase is not Phase.IDLE or (lane.key.text, lane.text) in found:
                    continue
                if lane.spilled:
                    # Its rows are gone, or not written yet: look.
                    lane.blocked, lane.due = False, 0.0
                self._outcomes.settle(lane)
            self._intake.restore(partition, list(found.values()))
        self._dispatcher.wake()

    def _open_partitions(self) -> list[Partition]:
        return self._intake.open_partitions()

    def _measure(self) -> None:
        name, partitions = self._name, self._open_partitions()
        done, self._outcomes.done = self._outcomes.done, 0
        metrics.DONE.labels(name).inc(done)
        lanes = [lane for one in partitions for lane in one.lanes.values()]
        parked = sum(lane.spilled for lane in lanes)
        metrics.PARTITIONS.labels(name).set(len(partitions))
        metrics.PARKED_LANES.labels(name).set(parked)
        metrics.ACTIVE.labels(name).set(sum(1 for lane in lanes if lane.items))
        metrics.HELD_RECORDS.labels(name).set(self._hold.records)
        metrics.HELD_BYTES.labels(name).set(self._hold.bytes)
        metrics.RUNNING.labels(name).set(self._scheduler.running)
        unread = 0
        lag = 0
        for one in partitions:
            end = self._intake.end(one)
            unread += max(0, end - one.watermark.next)
            lag += max(0, end - one.committed)
        now = time.monotonic()
        ages = [now - one.moved_at for one in partitions if len(one.watermark) and one.moved_at]
        metrics.LAG.labels(name).set(lag)
        metrics.WATERMARK_AGE.labels(name).set(max(ages, default=0.0))
        queued = sum(len(one.items) for one in lanes if one.phase in (Phase.READY, Phase.HELD))
        wall = self._clock.time()
        due = sum(
            one.rows
            for one in lanes
            if one.spilled and not one.blocked and not one.key.paused and one.due <= wall
        )
        metrics.BACKLOG.labels(name).set(unread + queued + due)
        metrics.PARKED_RECORDS.labels(name).set(sum(one.rows for one in lanes))
