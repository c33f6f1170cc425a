"""Group commit into one topic: per partition one batch is on its way while the next one fills.

aiokafka has one request at a time with each broker. A batch handed over while it is away would only
wait, closed; so it keeps filling until the request is back, and the partitions that a broker leads go
out together. A request that does not come back soon holds nobody up.

aiokafka's idempotent producer has two states it cannot leave: after a refused batch every later batch
of that partition fails with OutOfOrderSequence, and after 2**31 records of one partition all fail.
So sizes are checked before a record is appended, a batch that fails replaces the producer, and so do
2**30 records. Its batches are retried for ever while Kafka is away; whoever waits for one is told
after `publish_timeout`, and the partition takes nothing new until that batch is through. Bytes are
capped: what is refused for that was never appended.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from jackfield_common.kafka import Kafka
from jackfield_common.topics import MIB, Topic
from jackfield_gateway.edge.reasons import Reason

if TYPE_CHECKING:
    from aiokafka import BatchBuilder

log = structlog.get_logger(__name__)

MAX_RECORDS: Final = 2**30
"""Records of one partition by one producer, before it is replaced."""
_BATCH_BYTES: Final = 256 * 1024
_MAX_SUBMITTED: Final = 56 * MIB
"""Bytes with the producer at a time: one request holds at most these, and brokers take 100 MiB."""
MAX_HEADERS: Final = 2048
"""What the headers of a record and its framing may take, in bytes; counted for each record."""
_TOGETHER: Final = 0.02
"""Seconds that a batch waits for the request before it, at most."""
_CLOSE_TIMEOUT: Final = 2.0
_BACKOFF: Final = (0.1, 0.2, 0.5, 1.0, 2.0)

W = TypeVar("W")
Headers = Sequence[tuple[str, bytes]]


class _Batch(Generic[W]):
    """Records of one partition, and who waits for them."""

    __slots__ = ("builder", "bytes", "leader", "producer", "since", "waiters")

    def __init__(self, builder: "BatchBuilder", since: float) -> None:
        self.builder = builder
        self.waiters: list[W] = []
        self.bytes = 0
        self.since = since
        self.producer: AIOKafkaProducer | None = None
        self.leader: int | None = None


class _Partition(Generic[W]):
    """One partition: the batch that fills, those that are full, the one under way."""

    __slots__ = ("address", "due", "filling", "full", "index", "records", "stalled", "under_way")

    def __init__(self, topic: str, index: int) -> None:
        self.address = TopicPartition(topic, index)
        self.index = index
        self.filling: _Batch[W] | None = None
        self.full: deque[_Batch[W]] = deque()
        self.under_way: _Batch[W] | None = None
        self.due = False
        self.stalled = False
        self.records = 0

    def next(self) -> _Batch[W] | None:
        """The batch to send next, taken out."""
        if self.full:
            return self.full.popleft()
        batch, self.filling = self.filling, None
        return batch

    def waiting(self) -> bool:
        """Whether there is something to send."""
        return bool(self.full) or self.filling is not None


class Batches(Generic[W]):
    """Publishes records of one topic. `settle` gets the waiters of a batch and whether it is stored.

    With False the outcome is unknown: the records may still appear.
    """

    def __init__(
        self,
        kafka: Kafka,
        topic: Topic,
        *,
        settle: Callable[[list[W], bool], None],
        max_outstanding: int,
        publish_timeout: float,
        max_records: int = MAX_RECORDS,
    ) -> None:
        self._kafka = kafka
        self._topic = kafka.naming.physical(topic)
        self._record_limit = topic.max_message_bytes
        self._settle = settle
        self._max_outstanding = max_outstanding
        self._publish_timeout = publish_timeout
        self._max_records = max_records
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._partitions: list[_Partition[W]] = []
        self._due: list[_Partition[W]] = []
        self._scheduled = False
        self._overdue: asyncio.TimerHandle | None = None
        self._busy: Counter[int | None] = Counter()
        self._submitted = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._released = asyncio.Event()
        self.outstanding = 0
        """Bytes taken and not yet acknowledged."""
        self.replaced = 0
        """Producers given up."""

    async def start(self) -> None:
        """Begin to connect; it is tried until Kafka is there."""
        self._loop = asyncio.get_running_loop()
        self._reconnect()

    async def stop(self, timeout: float) -> None:
        """Wait for what is under way, at most `timeout` seconds, then close."""
        await self._until(lambda: not self.outstanding, timeout)
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._overdue is not None:
            self._overdue.cancel()
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _close(producer)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def partitions(self) -> int:
        """How many partitions the topic has; 0 until Kafka said so."""
        return len(self._partitions)

    @property
    def available(self) -> bool:
        """Whether records are being acknowledged."""
        return self._producer is not None and not any(one.stalled for one in self._partitions)

    def put(
        self, partition: int, key: bytes, value: bytes, headers: Headers, waiter: W
    ) -> Reason | None:
        """Take one record; `waiter` is settled later. Else the reason why it was not taken."""
        if self._producer is None:
            return Reason.KAFKA
        target = self._partitions[partition]
        if target.stalled:
            return Reason.KAFKA
        size = len(key) + len(value) + MAX_HEADERS
        if size > self._record_limit:
            return Reason.TOO_LARGE_FOR_BUS
        if self.outstanding + size > self._max_outstanding:
            return Reason.OVERLOADED
        batch = target.filling
        if batch is None or (
            batch.builder.append(timestamp=None, key=key, value=value, headers=headers) is None
        ):
            if batch is not None:
                target.full.append(batch)
            batch = target.filling = _Batch(self._producer.create_batch(), self._loop.time())
            batch.builder.append(timestamp=None, key=key, value=value, headers=headers)
        batch.waiters.append(waiter)
        batch.bytes += size
        self.outstanding += size
        if target.under_way is None and not target.due:
            self._make_due(target)
        return None

    def check(self, now: float) -> None:
        """Tell those who waited too long; call a few times a second with the loop's time."""
        oldest = now - self._publish_timeout
        for partition in self._partitions:
            under_way = partition.under_way
            if under_way is not None and under_way.since < oldest and not partition.stalled:
                partition.stalled = True
                log.warning("partition_stalled", topic=self._topic, partition=partition.index)
            if under_way is not None and partition.stalled and under_way.waiters:
                waiters, under_way.waiters = under_way.waiters, []
                self._settle(waiters, False)
            late = partition.stalled or self._producer is None
            for batch in (*partition.full, partition.filling):
                if batch is not None and (late or batch.since < oldest):
                    self._drop(partition, batch)

    def _drop(self, partition: _Partition[W], batch: _Batch[W]) -> None:
        """Give up a batch that was never sent."""
        if batch is partition.filling:
            partition.filling = None
        else:
            partition.full.remove(batch)
        self.outstanding -= batch.bytes
        self._released.set()
        self._settle(batch.waiters, False)

    def _make_due(self, partition: _Partition[W]) -> None:
        partition.due = True
        self._due.append(partition)
        if not self._scheduled:
            self._scheduled = True
            # after all that arrived in this turn of the loop: it goes out together
            self._loop.call_soon(self._flush)

    def _flush_overdue(self) -> None:
        self._overdue = None
        self._busy.clear()
        self._flush()

    def _flush(self) -> None:
        self._scheduled = False
        producer = self._producer
        if producer is None:
            return
        due, self._due = self._due, []
        busy = {leader for leader, batches in self._busy.items() if batches > 0}
        leader_of = producer.client.cluster.leader_for_partition
        sending: list[tuple[_Partition[W], _Batch[W]]] = []
        for partition in due:
            if partition.under_way is not None or not partition.waiting():
                partition.due = False
                continue
            first = partition.full[0] if partition.full else partition.filling
            assert first is not None
            leader = cast("int | None", leader_of(partition.address))
            if leader in busy or (
                self._submitted and self._submitted + first.bytes > _MAX_SUBMITTED
            ):
                self._due.append(partition)
                continue
            batch = partition.next()
            assert batch is not None
            partition.due = False
            partition.under_way = batch
            batch.producer, batch.leader = producer, leader
            self._busy[leader] += 1
            self._submitted += batch.bytes
            partition.records += len(batch.waiters)
            sending.append((partition, batch))
        if self._due and self._overdue is None:
            self._overdue = self._loop.call_later(_TOGETHER, self._flush_overdue)
        if sending:
            self._spawn(self._send(producer, sending))
            if any(partition.records >= self._max_records for partition, _ in sending):
                self._replace(producer, "it sent as many records as it may")

    async def _send(
        self, producer: AIOKafkaProducer, sending: list[tuple[_Partition[W], _Batch[W]]]
    ) -> None:
        for partition, batch in sending:
            try:
                stored = await producer.send_batch(
                    batch.builder, self._topic, partition=partition.index
                )
            except (KafkaError, AssertionError) as error:
                self._failed(partition, batch, error)
            else:
                stored.add_done_callback(
                    lambda future, partition=partition, batch=batch: self._done(
                        partition, batch, future
                    )
                )

    def _done(
        self, partition: _Partition[W], batch: _Batch[W], future: asyncio.Future[RecordMetadata]
    ) -> None:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if partition.under_way is not batch:
            return  # given up with its producer
        if error is not None:
            self._failed(partition, batch, error)
            return
        self._release(partition, batch)
        if batch.waiters:
            self._settle(batch.waiters, True)

    def _failed(self, partition: _Partition[W], batch: _Batch[W], error: BaseException) -> None:
        if partition.under_way is not batch:
            return
        log.error("batch_failed", topic=self._topic, partition=partition.index, error=repr(error))
        self._release(partition, batch)
        if batch.waiters:
            self._settle(batch.waiters, False)
        if batch.producer is not None:
            self._replace(batch.producer, type(error).__name__)

    def _release(self, partition: _Partition[W], batch: _Batch[W]) -> None:
        self.outstanding -= batch.bytes
        self._submitted -= batch.bytes
        partition.under_way = None
        partition.stalled = False
        if self._busy[batch.leader] > 0:
            self._busy[batch.leader] -= 1
        self._released.set()
        if partition.waiting() and not partition.due:
            self._make_due(partition)
        elif self._due and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _replace(self, producer: AIOKafkaProducer, why: str) -> None:
        if self._producer is not producer:
            return
        self._producer = None
        self.replaced += 1
        log.warning("producer_replaced", topic=self._topic, why=why)
        self._spawn(self._retire(producer))
        self._reconnect()

    async def _retire(self, producer: AIOKafkaProducer) -> None:
        # its batches of other partitions may still be acknowledged: those partitions wait for them,
        # so that nothing overtakes
        await self._until(lambda: not self._uses(producer), _CLOSE_TIMEOUT)
        await _close(producer)
        for partition in self._partitions:
            batch = partition.under_way
            if batch is not None and batch.producer is producer:
                self._release(partition, batch)
                if batch.waiters:
                    self._settle(batch.waiters, False)

    def _uses(self, producer: AIOKafkaProducer) -> bool:
        return any(
            one.under_way is not None and one.under_way.producer is producer
            for one in self._partitions
        )

    async def _until(self, holds: Callable[[], bool], timeout: float) -> None:
        """Wait for something that becomes true when a batch ends, at most `timeout` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not holds():
                    self._released.clear()
                    await self._released.wait()

    def _reconnect(self) -> None:
        if not self._closed:
            self._connecting = self._loop.create_task(self._connect(), name="edge-producer")

    async def _connect(self) -> None:
        attempt = 0
        while True:
            producer = self._kafka.producer(max_batch_size=_BATCH_BYTES)
            try:
                await producer.start()
                found = await producer.partitions_for(self._topic)
            except (KafkaError, OSError) as error:
                await _close(producer)
                log.warning("producer_waits", topic=self._topic, error=type(error).__name__)
                await asyncio.sleep(_BACKOFF[min(attempt, len(_BACKOFF) - 1)])
                attempt += 1
                continue
            except asyncio.CancelledError:
                await _close(producer)
                raise
            break
        if not self._partitions:
            self._partitions = [_Partition(self._topic, index) for index in range(len(found))]
        for partition in self._partitions:
            partition.records = 0
        self._producer = producer
        if self._due and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _close(producer: AIOKafkaProducer) -> None:
    """Close a producer, without waiting for a Kafka that is away."""
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT):
            await producer.stop()
    except (TimeoutError, KafkaError):
        # `stop` waits for a flush that will not end, and leaves its sender running: end it ourselves
        sender = cast("asyncio.Task[None] | None", vars(producer)["_sender"].sender_task)
        if sender is not None:
            sender.cancel()
            await asyncio.wait([sender], timeout=_CLOSE_TIMEOUT)
        await producer.client.close()
