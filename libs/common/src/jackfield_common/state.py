"""Read models: what other services own, followed on its compacted topic and kept in memory.

Ready means: for every partition the applied position has reached the end offset taken at start
(transaction markers count, an empty partition is ready). Topics are unordered among themselves, so
whoever was given a version waits for it with `wait_for`, and never concludes "not found" from absence.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Final, Generic, TypeVar

import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge

from jackfield_common.envelope import header
from jackfield_common.errors import ContractError, NotReady, StaleRead
from jackfield_common.events.message import State
from jackfield_common.kafka import Kafka
from jackfield_common.topics import Topic

S = TypeVar("S", bound=State)

log = structlog.get_logger(__name__)

REJECTED: Final = Counter(
    "jackfield_state_rejected_total", "State records that do not fit their schema", ["topic"]
)
ENTITIES: Final = Gauge("jackfield_state_entities", "Entities held by a read model", ["topic"])

_POLL_MS: Final = 500
_BATCH: Final = 2_000
_BACKOFF_MAX: Final = 2.0


class ReadModel(Generic[S]):
    """The latest state of every entity on one compacted topic.

    `on_change` is called with the key and the new state, or None for a deletion, before waiters wake.
    It must not block and must not raise.
    """

    def __init__(
        self,
        kafka: Kafka,
        event: type[S],
        *,
        on_change: Callable[[str, S | None], None] | None = None,
    ) -> None:
        self._kafka = kafka
        self._event = event
        self._topic: Topic = event.topic
        self._on_change = on_change
        self._entities: dict[str, S] = {}
        self._versions: dict[str, int] = {}
        self._changed = asyncio.Condition()
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow the topic; it is waited for as long as it, or Kafka, is not there."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name=f"read-{self._topic.name}")

    async def stop(self) -> None:
        """Stop following; what was read stays readable."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def ready(self) -> bool:
        """Whether everything that was on the topic at start has been applied."""
        return self._ready.is_set()

    async def wait_ready(self, timeout: float) -> None:
        """Wait until ready, at most `timeout` seconds. Raises NotReady."""
        try:
            async with asyncio.timeout(timeout):
                await self._ready.wait()
        except TimeoutError:
            raise NotReady(f"the read model of {self._topic.name} is still loading") from None

    def get(self, key: str) -> S | None:
        """The state of one entity."""
        return self._entities.get(key)

    def deleted(self, key: str) -> bool:
        """Whether the entity is known to have been deleted, as opposed to never heard of."""
        return key in self._versions and key not in self._entities

    def values(self) -> Collection[S]:
        """The state of every entity."""
        return self._entities.values()

    def __len__(self) -> int:
        return len(self._entities)

    async def wait_for(self, key: str, version: int, timeout: float) -> S:
        """The state of `key` at this version or a later one, waited for at most `timeout` seconds.

        Raises StaleRead when it does not come, or was deleted at this version or later.
        """
        if (state := self._at_least(key, version)) is not None:
            return state
        try:
            async with asyncio.timeout(timeout), self._changed:
                while (state := self._at_least(key, version)) is None:
                    await self._changed.wait()
                return state
        except TimeoutError:
            seen = self._versions.get(key, 0)
            raise StaleRead(
                f"{self._topic.name} {key} is at version {seen}, {version} did not arrive"
            ) from None

    def _at_least(self, key: str, version: int) -> S | None:
        state = self._entities.get(key)
        if state is not None and state.version >= version:
            return state
        if state is None and self._versions.get(key, 0) >= max(version, 1):
            raise StaleRead(f"{self._topic.name} {key} was deleted")
        return None

    async def _follow(self) -> None:
        delay = 0.05
        while True:
            try:
                await self._follow_once()
            except (KafkaError, OSError) as error:
                log.warning(
                    "read_model_reconnects", topic=self._topic.name, error=type(error).__name__
                )
            await asyncio.sleep(delay)
            delay = min(delay * 2, _BACKOFF_MAX)

    async def _follow_once(self) -> None:
        # read again from the start after a broken connection: versions make that harmless
        partitions = await self._kafka.partitions(self._topic)
        ends = await self._kafka.end_offsets(partitions)
        consumer = self._kafka.consumer(group_id=None)
        await consumer.start()
        try:
            consumer.assign(partitions)
            begins = await consumer.beginning_offsets(partitions)
            behind = {tp for tp in partitions if ends[tp] > begins[tp]}
            while True:
                if not behind and not self._ready.is_set():
                    self._ready.set()
                batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_BATCH)
                if batches:
                    await self._apply(record for batch in batches.values() for record in batch)
                for tp in list(behind):
                    if await consumer.position(tp) >= ends[tp]:
                        behind.discard(tp)
        finally:
            await consumer.stop()

    async def _apply(self, records: Iterable[ConsumerRecord]) -> None:
        async with self._changed:
            for record in records:
                try:
                    self._apply_one(record)
                except ContractError as error:
                    REJECTED.labels(self._topic.name).inc()
                    log.error(
                        "state_rejected",
                        topic=self._topic.name,
                        partition=record.partition,
                        offset=record.offset,
                        error=str(error),
                    )
            ENTITIES.labels(self._topic.name).set(len(self._entities))
            self._changed.notify_all()

    def _apply_one(self, record: ConsumerRecord) -> None:
        if record.key is None:
            raise ContractError("a state record without a key")
        try:
            key = record.key.decode()
        except UnicodeDecodeError:
            raise ContractError("the key is not UTF-8") from None
        if record.value is None:
            self._delete(key, record)
            return
        state = self._event.from_bytes(record.value)
        if state.key() != key:
            raise ContractError("the key is not the entity's")
        if state.version <= self._versions.get(key, 0):
            return
        self._versions[key] = state.version
        self._entities[key] = state
        if self._on_change is not None:
            self._on_change(key, state)

    def _delete(self, key: str, record: ConsumerRecord) -> None:
        text = header(record.headers, "ce_version")
        version = int(text) if text is not None and text.isdecimal() else None
        if version is None:
            raise ContractError("a tombstone without ce_version")
        if version < self._versions.get(key, 0):
            return
        self._versions[key] = version
        if self._entities.pop(key, None) is not None and self._on_change is not None:
            self._on_change(key, None)
