"""A model of the log and of a consumer group with one member, to run lanes against many histories.

Offsets, positions, commits and assignments behave as Kafka's; a killed consumer's last words are lost.
"""

# pyright: reportPrivateUsage=false

import asyncio
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from jackfield_common.kafka import Kafka
from jackfield_common.settings import Settings
from jackfield_common.topics import Service, Topic


class SyncGroupResponse(SimpleNamespace):
    """Named as aiokafka's, by which the membership knows it."""


class HeartbeatResponse(SimpleNamespace):
    """Named as aiokafka's, by which the membership knows it."""


class ModelLog:
    """Records and committed offsets of one topic."""

    def __init__(self, name: str, partitions: int) -> None:
        self.tps = [TopicPartition(name, number) for number in range(partitions)]
        self.records: dict[TopicPartition, list[ConsumerRecord]] = {tp: [] for tp in self.tps}
        self.committed: dict[TopicPartition, int] = {}
        self.generation = 0
        self.highest_commits: dict[TopicPartition, int] = {}

    def append(self, partition: int, key: bytes, lane: str, value: bytes) -> None:
        tp = self.tps[partition]
        record = ConsumerRecord(
            topic=tp.topic,
            partition=partition,
            offset=len(self.records[tp]),
            timestamp=1_700_000_000_000,
            timestamp_type=0,
            key=key,
            value=value,
            checksum=None,
            serialized_key_size=len(key),
            serialized_value_size=len(value),
            headers=(("ce_tenant", b"default"), ("ce_lane", lane.encode())),
        )
        self.records[tp].append(record)

    @property
    def all_committed(self) -> bool:
        return all(self.committed.get(tp, 0) == len(self.records[tp]) for tp in self.tps)


class _Coordinator:
    def __init__(self, member: str) -> None:
        self.member_id = member
        self.generation = -1

    async def _send_req(self, request: Any) -> Any:
        return request


class ModelConsumer:
    """What lanes use of AIOKafkaConsumer."""

    def __init__(self, log: ModelLog, member: str) -> None:
        self._log = log
        self._coordinator = _Coordinator(member)
        self._listener: Any = None
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._task: asyncio.Task[None] | None = None
        self._topics: frozenset[str] = frozenset()
        self.killed = False

    async def start(self) -> None:
        await asyncio.sleep(0)

    async def stop(self) -> None:
        self.killed = True
        if self._task is not None:
            self._task.cancel()

    def subscribe(self, topics: Iterable[str], listener: Any) -> None:
        self._topics = frozenset(topics)
        self._listener = listener
        self._task = asyncio.create_task(self._live())

    async def _live(self) -> None:
        await self.join(self._log.tps)
        while not self.killed:
            await self._coordinator._send_req(HeartbeatResponse(error_code=0))
            await asyncio.sleep(0.05)

    async def join(self, tps: Iterable[TopicPartition]) -> None:
        """A rebalance that gives this member these partitions."""
        await self._listener.on_partitions_revoked(self._assigned)
        self._log.generation += 1
        self._coordinator.generation = self._log.generation
        await self._coordinator._send_req(SyncGroupResponse(error_code=0))
        self._assigned = frozenset(tps)
        self._positions = {}
        self._paused = set()
        await self._listener.on_partitions_assigned(self._assigned)

    async def getmany(
        self, *tps: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        await asyncio.sleep(0)
        found: dict[TopicPartition, list[ConsumerRecord]] = {}
        for tp in tps:
            position = self._positions.get(tp)
            if position is None or tp in self._paused or self.killed:
                continue
            # A few at a time, so that much happens in between.
            records = self._log.records[tp][position : position + 3]
            if records:
                found[tp] = records
                self._positions[tp] = records[-1].offset + 1
        if not found:
            await asyncio.sleep(min(timeout_ms / 1000, 0.005))
        return found

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        await asyncio.sleep(0)
        if not self.killed:
            for tp, offset in offsets.items():
                assert offset >= self._log.committed.get(tp, 0), "a commit went back"
                assert offset <= len(self._log.records[tp])
                self._log.committed[tp] = offset

    async def committed(self, tp: TopicPartition) -> int | None:
        return self._log.committed.get(tp)

    async def beginning_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    async def end_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: len(self._log.records[tp]) for tp in tps}

    async def position(self, tp: TopicPartition) -> int:
        return self._positions[tp]

    async def topics(self) -> set[str]:
        return {tp.topic for tp in self._log.tps}

    def highwater(self, tp: TopicPartition) -> int:
        return len(self._log.records[tp])

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp] = offset

    def pause(self, *tps: TopicPartition) -> None:
        self._paused.update(tps)

    def resume(self, *tps: TopicPartition) -> None:
        self._paused.difference_update(tps)

    def assignment(self) -> frozenset[TopicPartition]:
        return self._assigned

    def subscription(self) -> frozenset[str]:
        return self._topics


class ModelKafka(Kafka):
    """Makes consumers of a model log."""

    def __init__(self, settings: Settings, log: ModelLog, member: str) -> None:
        super().__init__(settings, Service.WEBHOOKS, member)
        self._log = log
        self.consumers: list[ModelConsumer] = []

    def consumer(self, *topics: Topic, **options: Any) -> Any:
        consumer = ModelConsumer(self._log, self.instance)
        self.consumers.append(consumer)
        return consumer
