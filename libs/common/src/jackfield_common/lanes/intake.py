"""Reads records, and lives through rebalances.

assigned ─▶ epoch taken, parked lanes loaded, position found ─▶ open: records enter the watermark
   ▲        before anything looks into them, then their lanes
   └── rebalance: nothing new is started; running handlers get a bounded time; what is done is
       committed; partitions that stay (next generation, same member) go on as if nothing had been
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from jackfield_common.database import AWAY
from jackfield_common.errors import ContractError
from jackfield_common.kafka import Kafka
from jackfield_common.lanes import membership, metrics
from jackfield_common.lanes.commits import Commits
from jackfield_common.lanes.dispatch import Broken, Dispatcher
from jackfield_common.lanes.gate import Gate
from jackfield_common.lanes.hold import Hold
from jackfield_common.lanes.journal import Journal
from jackfield_common.lanes.lane import Item, Lane, Phase
from jackfield_common.lanes.ledger import Ledger, Parked, tenant_in
from jackfield_common.lanes.membership import Membership
from jackfield_common.lanes.outcome import Outcomes
from jackfield_common.lanes.partition import Partition
from jackfield_common.lanes.policy import Limits
from jackfield_common.lanes.raw import read_batch
from jackfield_common.lanes.scheduler import Scheduler
from jackfield_common.lanes.watermark import Watermark
from jackfield_common.topics import Topic

log = structlog.get_logger(__name__)

Ordering = Callable[[ConsumerRecord], str]

BATCH: Final = 500
POLL_MS: Final = 200
BACKOFF_MAX: Final = 5.0
MAX_HEADER_BYTES: Final = 64 * 1024
_STALL_SECONDS: Final = 1.0
_SLOW_SECONDS: Final = 1.0
_FLUSH_SECONDS: Final = 3.0
_LOOK_AGAIN_SECONDS: Final = 0.5
_NOTHING: Final = TopicPartition("", -1)


def headers_of(record: ConsumerRecord) -> tuple[int, bytes]:
    """The size of the headers' values, and the value of `ce_lane` (the last one, as everywhere)."""
    size = 0
    lane = b""
    for name, value in record.headers:
        if value is not None:  # pyright: ignore[reportUnnecessaryComparison]  # the bus has nulls
            size += len(value)
            if name == "ce_lane":
                lane = value
    return size, lane


class Intake:
    """The consumer, and the partitions that it owns."""

    def __init__(
        self,
        kafka: Kafka,
        consumer: str,
        topics: Sequence[Topic],
        ordering: Ordering | None,
        limits: Limits,
        hold: Hold,
        scheduler: Scheduler,
        outcomes: Outcomes,
        dispatcher: Dispatcher,
        journal: Journal,
        ledger: Ledger,
        gate: Gate,
        member: Membership,
        commits: Commits,
    ) -> None:
        self._kafka = kafka
        self._name = consumer
        self._topics = topics
        self._ordering = ordering
        self._limits = limits
        self._hold = hold
        self._scheduler = scheduler
        self._outcomes = outcomes
        self._dispatcher = dispatcher
        self._journal = journal
        self._ledger = ledger
        self._gate = gate
        self._member = member
        self._commits = commits
        self._consumer: AIOKafkaConsumer | None = None
        self._opening: set[asyncio.Task[None]] = set()
        self._term = ("", -1)
        self._stalled: dict[TopicPartition, tuple[Lane, float]] = {}
        self._changed = asyncio.Event()
        self._missing: set[str] = set()
        """Topics, by their names at the broker, that did not exist when last looked for."""
        self._look_again = 0.0
        self._largest = max(topic.max_message_bytes for topic in topics)
        """The largest record of late, halved with every poll; in bytes."""
        self.partitions: dict[TopicPartition, Partition] = {}
        self.joined = False
        """Whether an assignment was received since the consumer was made."""

    @property
    def ready(self) -> bool:
        """Whether every assigned partition is open."""
        return self.joined and all(one.opened for one in self.partitions.values())

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        """The consumer, while there is one."""
        return self._consumer

    def end(self, partition: Partition) -> int:
        """The end of a partition's log, as last seen; its position before the first answer."""
        consumer = self._consumer
        if consumer is None or partition.tp not in consumer.assignment():
            return partition.watermark.next
        return consumer.highwater(partition.tp) or partition.watermark.next

    def open_partitions(self) -> list[Partition]:
        """The partitions whose records are read."""
        return [one for one in self.partitions.values() if one.opened and not one.closed]

    async def run(self) -> None:
        """Consume until cancelled; a consumer that breaks is replaced."""
        delay = 0.1
        while True:
            started = time.monotonic()
            consumer = self._make()
            try:
                await consumer.start()
                self._member.watch(consumer)
                self._consumer = consumer
                self._missing = {self._kafka.naming.physical(topic) for topic in self._topics}
                await self._subscribe(consumer)
                await self._read(consumer)
            except (KafkaError, ConsumerStoppedError, OSError, Broken) as error:
                metrics.KAFKA_AWAY.labels(self._name).inc()
                log.warning(
                    "consumer_replaced",
                    consumer=self._name,
                    error=f"{type(error).__name__}: {error}",
                )
            finally:
                self._consumer = None
                await self._abandon_opening()
                self._lose(list(self.partitions.values()))
                await membership.stop(consumer)
                self.joined = False
            if time.monotonic() - started > 30:
                delay = 0.1
            await asyncio.sleep(delay)
            delay = min(delay * 2, BACKOFF_MAX)

    def _make(self) -> AIOKafkaConsumer:
        limits = self._limits
        return self._kafka.consumer(
            group_id=self._kafka.group(self._name),
            # Where to begin is decided here, so that an offset that is gone raises an alarm.
            auto_offset_reset="none",
            partition_assignment_strategy=(membership.sticky_assignor(),),
            session_timeout_ms=int(limits.session_timeout * 1000),
            heartbeat_interval_ms=int(limits.heartbeat * 1000),
            rebalance_timeout_ms=int(limits.rebalance_timeout * 1000),
            fetch_max_bytes=limits.fetch_bytes,
            max_partition_fetch_bytes=limits.partition_fetch_bytes,
            metadata_max_age_ms=10_000,
        )

    async def _subscribe(self, consumer: AIOKafkaConsumer) -> None:
        """Subscribe to the topics that exist by now; another service may still have to make its own."""
        found = self._missing & await consumer.topics()
        self._look_again = time.monotonic() + _LOOK_AGAIN_SECONDS
        if not found:
            return
        self._missing -= found
        wanted = {self._kafka.naming.physical(topic) for topic in self._topics} - self._missing
        if self._missing:
            log.warning("topics_missing", consumer=self._name, topics=sorted(self._missing))
        consumer.subscribe(
            sorted(wanted), listener=membership.Listener(self._on_revoked, self._on_assigned)
        )

    # Reading

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            self._dispatcher.raise_if_broken()
            if self._missing and time.monotonic() >= self._look_again:
                await self._subscribe(consumer)
            if not consumer.subscription():
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                continue
            if self._hold.full:
                await self._make_room(consumer)
                continue
            self._mend(consumer)
            wanted = self._wanted()
            timeout = POLL_MS if wanted and not self._stalled else 0
            try:
                batch = await consumer.getmany(
                    *(wanted or (_NOTHING,)), timeout_ms=timeout, max_records=self._fitting()
                )
            except NoOffsetForPartitionError:
                continue  # a partition that is being opened: its position is about to be set
            except OffsetOutOfRangeError:
                await self._reset(consumer)
                continue
            except UnicodeDecodeError:
                await self._step_over(consumer, wanted)
                continue
            self._admit_all(batch)
            if batch:
                self._dispatcher.wake()
                await asyncio.sleep(0)
            elif not timeout:
                await self._change(0.02 if self._stalled else 0.2)

    def _fitting(self) -> int:
        """How many records to take at once: no more than fit, were they as large as the largest of late.

        One answer may hold records of several partitions, each of any size.
        """
        return max(1, min(BATCH, (self._limits.bytes - self._hold.bytes) // self._largest))

    def _admit_all(self, batch: dict[TopicPartition, list[ConsumerRecord]]) -> None:
        sizes = (len(one.value or b"") for records in batch.values() for one in records)
        if batch:
            self._largest = max(max(sizes) + 512, self._largest // 2)
        for tp, records in batch.items():
            partition = self.partitions.get(tp)
            if partition is not None and partition.opened and not partition.closed:
                self._admit(partition, records)

    async def _step_over(self, consumer: AIOKafkaConsumer, tps: list[TopicPartition]) -> None:
        """One of these partitions has a batch that aiokafka cannot unpack: take it in by another way."""
        # What was unpacked before the failure is lost, but its positions were moved: go back.
        for partition in self.open_partitions():
            consumer.seek(partition.tp, partition.watermark.next)
        for tp in tps:
            if self._hold.full:
                return
            try:
                self._admit_all(await consumer.getmany(tp, timeout_ms=POLL_MS, max_records=BATCH))
            except UnicodeDecodeError:
                partition = self.partitions.get(tp)
                if partition is not None and not partition.closed:
                    await self._admit_raw(consumer, partition)

    async def _admit_raw(self, consumer: AIOKafkaConsumer, partition: Partition) -> None:
        position = partition.watermark.next
        batch = await read_batch(consumer, partition.tp, position)
        if partition.closed or partition.watermark.next != position:
            return
        if batch is None:
            log.error("batch_cannot_be_read", consumer=self._name, topic=partition.topic)
            await asyncio.sleep(1)
            return
        for record, readable in batch.records:
            if readable:
                self._admit(partition, [record])
            else:
                partition.watermark.enter(record.offset)
                item = Item(record, 512 + len(record.value or b""))
                self._hold.enter(item.size)
                error = ContractError("a header's name is not UTF-8")
                self._outcomes.refuse(partition, item, error)
        partition.watermark.pass_over(batch.next)
        consumer.seek(partition.tp, batch.next)

    async def _change(self, seconds: float) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _wanted(self) -> list[TopicPartition]:
        """The partitions to read now."""
        now = time.monotonic()
        for tp, (lane, until) in list(self._stalled.items()):
            if self._hold.eased(lane) or lane.partition.closed:
                del self._stalled[tp]
            elif now > until:
                lane.key.slow = True
                del self._stalled[tp]
        return [one.tp for one in self.open_partitions() if one.tp not in self._stalled]

    async def _make_room(self, consumer: AIOKafkaConsumer) -> None:
        """Memory is full: stop fetching, keep polling, until there is room."""
        for lane in list(self._scheduler.waiting):
            self._scheduler.unwait(lane)
            self._outcomes.park(lane, "failure", lane.due)
        self._dispatcher.wake()
        paused = [one.tp for one in self.open_partitions()]
        consumer.pause(*paused)
        try:
            while not self._hold.roomy:
                self._hold.room.clear()
                try:
                    async with asyncio.timeout(0.5):
                        await self._hold.room.wait()
                except TimeoutError:
                    await consumer.getmany(_NOTHING, timeout_ms=0)
        finally:
            # A rebalance in between has forgotten the pause; what is not open yet stays paused.
            assigned = consumer.assignment()
            consumer.resume(*(one.tp for one in self.open_partitions() if one.tp in assigned))

    def _admit(self, partition: Partition, records: Sequence[ConsumerRecord]) -> None:
        """Take records in. No await: what the consumer's position has passed must all have entered."""
        hold, outcomes, scheduler = self._hold, self._outcomes, self._scheduler
        watermark, lanes, settled = partition.watermark, partition.lanes, partition.settled
        ordering = self._ordering
        for record in records:
            offset = record.offset
            watermark.enter(offset)
            size, name = headers_of(record)
            item = Item(record, 512 + size + (0 if record.value is None else len(record.value)))
            hold.enter(item.size)
            if settled and offset in settled:
                settled.discard(offset)
                watermark.done(offset)
                hold.leave(item.size)
                continue
            try:
                if size > MAX_HEADER_BYTES:
                    raise ContractError(f"the headers are larger than {MAX_HEADER_BYTES} bytes")
                if ordering is not None:
                    name = self._ordered(ordering, record)
                key = record.key
                lane = lanes.get((key, name)) if key is not None else None
                if lane is None:
                    lane = self._lane(partition, record, name)
            except ContractError as error:
                outcomes.refuse(partition, item, error)
                continue
            if lane.spilled or lane.key.paused:
                outcomes.spill(lane, item, "behind" if lane.spilled else "paused")
            elif hold.over(lane):
                self._overflow(lane, item)
            else:
                hold.push(lane, item)
                if lane.phase is Phase.IDLE:
                    scheduler.put(lane)

    def _ordered(self, ordering: Ordering, record: ConsumerRecord) -> bytes:
        try:
            return ordering(record).encode()
        except ContractError:
            raise
        except Exception as error:
            log.exception("ordering_failed", consumer=self._name, offset=record.offset)
            raise ContractError(f"no ordering key: {type(error).__name__}") from error

    def _lane(self, partition: Partition, record: ConsumerRecord, name: bytes) -> Lane:
        if record.key is None:
            raise ContractError("the record has no key: it belongs to no lane")
        return self._hold.lane(partition, record.key, name, tenant_in(record, partition.topic))

    def _overflow(self, lane: Lane, item: Item) -> None:
        """A lane or its key holds more than its share: park the slow, let the fast catch up."""
        outcomes = self._outcomes
        if lane.phase is Phase.WAITING:
            self._scheduler.unwait(lane)
            outcomes.park(lane, "failure", lane.due)
            outcomes.spill(lane, item, "behind")
        elif self._slow(lane):
            outcomes.spill(lane, item, "overflow")
        else:
            self._hold.push(lane, item)
            if lane.phase is Phase.IDLE:
                self._scheduler.put(lane)
            tp = lane.partition.tp
            if tp not in self._stalled:
                self._stalled[tp] = (lane, time.monotonic() + _STALL_SECONDS)

    def _slow(self, lane: Lane) -> bool:
        """Whether what a lane and its key hold takes longer than a moment."""
        key = lane.key
        if key.slow:
            return True
        pace = key.pace
        if lane.started:
            pace = max(pace, time.monotonic() - lane.started)
        side_by_side = max(1, min(key.lanes, self._limits.in_flight_per_key))
        return pace * max(len(lane.items), key.records / side_by_side) > _SLOW_SECONDS

    # Rebalance

    async def _on_revoked(self) -> None:
        metrics.REBALANCES.labels(self._name).inc()
        await self.drain(self._limits.drain)

    async def drain(self, seconds: float) -> None:
        """Start nothing new, give running handlers `seconds`, commit what is done."""
        self._dispatcher.open = False
        await self._abandon_opening()
        if not await self._dispatcher.quiet(seconds):
            log.info("handlers_outlast_drain", consumer=self._name, running=self._scheduler.running)
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                if self._gate.is_open:
                    await self._journal.flushed()
        except TimeoutError:
            log.warning("journal_outlasts_drain", consumer=self._name, entries=len(self._journal))
        await self._commits.suspend(self._consumer, self.open_partitions(), _FLUSH_SECONDS)

    def _on_assigned(self, assigned: frozenset[TopicPartition]) -> None:
        consumer = self._consumer
        assert consumer is not None
        member, generation = self._member.term
        continued = self._term == (member, generation - 1)
        self._term = (member, generation)
        kept = {
            tp
            for tp, one in self.partitions.items()
            if continued and tp in assigned and one.opened and not one.closed
        }
        self._lose([one for tp, one in self.partitions.items() if tp not in kept])
        for tp in kept:
            consumer.seek(tp, self.partitions[tp].watermark.next)
        new = assigned - kept
        log.info(
            "partitions_assigned",
            consumer=self._name,
            generation=generation,
            kept=len(kept),
            new=len(new),
        )
        self._commits.resume()
        self._dispatcher.open = True
        self._dispatcher.wake()
        self._changed.set()
        self.joined = True
        self._begin(consumer, new)

    def _begin(self, consumer: AIOKafkaConsumer, tps: Iterable[TopicPartition]) -> None:
        """Own these partitions, and open them in the background."""
        new = [Partition(tp, self._kafka.naming.logical(tp.topic)) for tp in sorted(tps)]
        for partition in new:
            consumer.pause(partition.tp)
            self.partitions[partition.tp] = partition
        if new:
            task = asyncio.create_task(self._open(consumer, new))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _mend(self, consumer: AIOKafkaConsumer) -> None:
        """Open again what was fenced although the group, asked later, still counts on this worker.

        That happens when the database was restored from a backup, with older epochs.
        """
        lost = [
            one
            for one in self.partitions.values()
            if one.closed and self._member.last_heartbeat > one.closed_at
        ]
        if lost:
            log.warning("partitions_reopened", consumer=self._name, partitions=len(lost))
            self._lose(lost)
            self._begin(consumer, [one.tp for one in lost])

    def _lose(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            partition.close()
        self._dispatcher.cut_off(lambda partition: partition.closed)
        for partition in partitions:
            self.partitions.pop(partition.tp, None)
            self._stalled.pop(partition.tp, None)
            for lane in partition.lanes.values():
                self._scheduler.forget(lane)
            self._hold.abandon(partition)

    async def _abandon_opening(self) -> None:
        tasks = list(self._opening)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # Opening

    async def _open(self, consumer: AIOKafkaConsumer, partitions: list[Partition]) -> None:
        """Open partitions one by one, as long as it takes; cancelled by the next rebalance."""
        for partition in partitions:
            delay = 0.1
            while True:
                try:
                    await self._gate.wait()
                    await self._open_one(consumer, partition)
                except AWAY as error:
                    self._gate.doubt(error)
                except (KafkaError, IllegalStateError) as error:
                    log.warning(
                        "partition_not_opened",
                        consumer=self._name,
                        topic=partition.topic,
                        partition=partition.number,
                        error=f"{type(error).__name__}: {error}",
                    )
                else:
                    break
                await asyncio.sleep(delay)
                delay = min(delay * 2, BACKOFF_MAX)
            self._changed.set()

    async def _open_one(self, consumer: AIOKafkaConsumer, partition: Partition) -> None:
        tp = partition.tp
        partition.epoch = await self._ledger.take(partition)
        start = await self._start(consumer, partition)
        partition.settled = await self._ledger.settled(partition, start)
        parked = await self._ledger.lanes(partition)
        if partition.closed:
            return
        partition.committed = start
        partition.moved_at = time.monotonic()
        partition.watermark = Watermark(start)
        # Parked lanes first: records that follow them in the log must find them.
        self.restore(partition, parked)
        consumer.seek(tp, start)
        consumer.resume(tp)
        partition.opened = True

    def restore(self, partition: Partition, parked: Sequence[Parked]) -> None:
        """Know these lanes as parked; run what is due."""
        for one in parked:
            lane = self._hold.lane(partition, one.key.encode(), one.lane.encode(), one.tenant)
            self._outcomes.back(lane, "behind")
            lane.rows = one.rows
            if lane.phase is Phase.IDLE:
                lane.blocked = one.blocked
                lane.due = one.due
                self._outcomes.settle(lane)

    async def _start(self, consumer: AIOKafkaConsumer, partition: Partition) -> int:
        """The offset to begin at: the committed one, while the log still has it."""
        tp = partition.tp
        committed = await consumer.committed(tp)
        first = (await consumer.beginning_offsets([tp]))[tp]
        if committed is None:
            return first
        end = (await consumer.end_offsets([tp]))[tp]
        if first <= committed <= end:
            return committed
        metrics.RESETS.labels(self._name, partition.topic).inc()
        log.error(
            "committed_offset_is_gone",
            consumer=self._name,
            topic=partition.topic,
            partition=partition.number,
            committed=committed,
            first=first,
            end=end,
            advice="records were lost to retention, or the topic was made anew: see docs/lanes.md",
        )
        return first

    async def _reset(self, consumer: AIOKafkaConsumer) -> None:
        """Retention overtook the position of an open partition."""
        for partition in self.open_partitions():
            first = (await consumer.beginning_offsets([partition.tp]))[partition.tp]
            if partition.watermark.next < first:
                metrics.RESETS.labels(self._name, partition.topic).inc()
                log.error(
                    "position_is_gone",
                    consumer=self._name,
                    topic=partition.topic,
                    partition=partition.number,
                    position=partition.watermark.next,
                    first=first,
                )
                partition.watermark.pass_over(first)
                consumer.seek(partition.tp, first)
