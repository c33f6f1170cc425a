"""The dead-letter feed: each row that died is copied to a topic, at least once, with a fixed id."""

import asyncio
import base64
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final

import structlog

from jackfield_common.database import AWAY, Pool
from jackfield_common.envelope import JSON, OutgoingRecord
from jackfield_common.errors import ErrorKind, Failure, NotReady
from jackfield_common.events.dead import DeadLetter
from jackfield_common.ids import DEFAULT_TENANT, TenantId, derived_id
from jackfield_common.kafka import Kafka, Publisher
from jackfield_common.lanes.gate import Gate
from jackfield_common.lanes.ledger import TRIED, decode_headers
from jackfield_common.lanes.partition import Partition
from jackfield_common.topics import Topic

log = structlog.get_logger(__name__)

DeadTopic = Topic | Callable[[str], Topic]

_BATCH: Final = 8
_POLL_SECONDS: Final = 5.0

_UNFED = """
SELECT id, topic, partition, "offset", tenant, key, lane, kind, message, tried, attempts, record_key,
       headers, value, changed_at
FROM lane_work
WHERE consumer = $1 AND topic = $2 AND partition = ANY($3) AND state = 'dead' AND NOT fed
ORDER BY place LIMIT $4
"""
_FED = "UPDATE lane_work SET fed = true WHERE id = ANY($1) AND state = 'dead'"


class Feed:
    """Publishes dead letters of the partitions this worker owns."""

    def __init__(
        self,
        pool: Pool,
        kafka: Kafka,
        publisher: Publisher,
        consumer: str,
        dead: DeadTopic,
        gate: Gate,
        owned: Callable[[], Collection[Partition]],
    ) -> None:
        self._pool = pool
        self._kafka = kafka
        self._publisher = publisher
        self._consumer = consumer
        self._dead = dead
        self._gate = gate
        self._owned = owned
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A row died."""
        self._woken.set()

    async def run(self) -> None:
        """Publish what died, until cancelled."""
        while True:
            self._woken.clear()
            try:
                more = await self._publish()
            except AWAY as error:
                self._gate.doubt(error)
                await self._gate.wait()
                continue
            except NotReady as error:
                log.warning("dead_letter_feed_waits", consumer=self._consumer, reason=str(error))
                await asyncio.sleep(error.retry_after)
                continue
            if not more:
                try:
                    async with asyncio.timeout(_POLL_SECONDS):
                        await self._woken.wait()
                except TimeoutError:
                    pass

    async def _publish(self) -> bool:
        by_topic: dict[str, list[int]] = {}
        for partition in self._owned():
            by_topic.setdefault(partition.topic, []).append(partition.number)
        more = False
        for topic, numbers in by_topic.items():
            rows = await self._pool.fetch(_UNFED, self._consumer, topic, numbers, _BATCH)
            for row in rows:
                await self._send(row)
            if rows:
                await self._pool.execute(_FED, [row["id"] for row in rows])
            more = more or len(rows) == _BATCH
        return more

    async def _send(self, row: Any) -> None:
        source: str = row["topic"]
        topic = self._dead if isinstance(self._dead, Topic) else self._dead(source)
        letter = dead_letter(row)
        try:
            await self._publisher.send(self._record(letter, topic), limit=topic.max_message_bytes)
        except Failure:
            # Larger than the feed takes: the row keeps the bytes, the copy says where they are.
            log.warning("dead_letter_without_value", topic=topic.name, work=row["id"])
            bare = letter.model_copy(
                update={
                    "value": None,
                    "headers": (),
                    "message": f"{letter.message} [the value is too large for this feed:"
                    f" read work {row['id']}]",
                }
            )
            await self._publisher.send(self._record(bare, topic), limit=topic.max_message_bytes)

    def _record(self, letter: DeadLetter, topic: Topic) -> OutgoingRecord:
        key = letter.key().encode()
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", letter.id.encode()),
            ("ce_source", f"/jackfield/{self._kafka.service}".encode()),
            ("ce_type", topic.name.encode()),
            ("ce_time", letter.at.isoformat().encode()),
            ("ce_subject", letter.key().encode()),
            ("ce_tenant", letter.tenant.encode()),
            ("ce_partitionkey", key),
            ("content-type", JSON),
        ]
        return OutgoingRecord(self._kafka.naming.physical(topic), key, letter.to_bytes(), headers)


def dead_letter(row: Any) -> DeadLetter:
    """The dead letter of a row of lane_work; dying again after a replay makes another one."""
    changed: datetime = row["changed_at"]
    key: bytes | None = row["record_key"]
    value: bytes | None = row["value"]
    return DeadLetter(
        id=derived_id("dead", row["id"], changed.isoformat()),
        tenant=TenantId(row["tenant"] or DEFAULT_TENANT),
        at=changed,
        source_topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        lane_key=f"{row['key']}\x1f{row['lane']}" if row["lane"] else row["key"],
        kind=ErrorKind(row["kind"]),
        message=row["message"] or "",
        attempts=TRIED.validate_json(row["tried"]),
        record_key=None if key is None else base64.b64encode(key).decode(),
        headers=tuple(
            (name, base64.b64encode(content).decode())
            for name, content in decode_headers(row["headers"])
        ),
        value=None if value is None else base64.b64encode(value).decode(),
    )
