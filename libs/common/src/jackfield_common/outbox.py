"""The transactional outbox: a row and its record appear together, or neither does.

Writers insert rows in their own transaction. One relay a schema publishes them:

- It reads only rows whose transactions are settled (their id is below `pg_snapshot_xmin`), in the order
  of row ids. Versions of an entity are taken under the entity's lock, so for each entity that order is
  commit order.
- It publishes in a Kafka transaction under a fixed `transactional.id`: a relay that stalled and lost its
  lease is fenced by its successor and cannot bring an old row back. Readers use `read_committed`.
- It deletes the rows after the Kafka transaction has committed. A crash in between publishes them a
  second time; ids and versions make that harmless.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge

from jackfield_common.database import AWAY, Connection, Pool
from jackfield_common.envelope import Headers, OutgoingRecord, encode, tombstone, topic_of
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events.message import Event
from jackfield_common.kafka import Kafka
from jackfield_common.telemetry import current_trace
from jackfield_common.topics import Topic

log = structlog.get_logger(__name__)

RELAYED: Final = Counter("jackfield_outbox_relayed_total", "Rows published from the outbox")
PENDING_AGE: Final = Gauge("jackfield_outbox_oldest_seconds", "Age of the oldest unpublished row")
FAILURES: Final = Counter("jackfield_outbox_failures_total", "Relay rounds that failed", ["reason"])

LEASE_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.25
PACE_SECONDS: Final = 0.02
"""Between the starts of two rounds under load: a Kafka transaction costs several round trips and log
appends whatever it holds, so it had better hold more than one row."""
_BATCH_ROWS: Final = 500
_BATCH_BYTES: Final = 16 * 1024 * 1024
_RECORD_OVERHEAD: Final = 512

_LEASE = """
INSERT INTO outbox_lease (holder, expires) VALUES ($1, now() + $2 * interval '1 second')
ON CONFLICT (singleton) DO UPDATE SET holder = $1, expires = excluded.expires
WHERE outbox_lease.holder = $1 OR outbox_lease.expires < now()
RETURNING true
"""
_SETTLED = """
SELECT id, topic, key, value, headers::text AS headers,
       extract(epoch FROM now() - created_at)::float8 AS age
FROM outbox WHERE transaction < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY id LIMIT $1
"""
_INSERT = "INSERT INTO outbox (topic, key, value, headers) VALUES ($1, $2, $3, $4::jsonb)"


def _stored(headers: Headers) -> str:
    return json.dumps([[name, value.decode()] for name, value in headers])


class _Fenced(Exception):
    """Another relay took over."""


class Outbox:
    """Puts events beside the rows they speak of, and relays them."""

    def __init__(self, pool: Pool, kafka: Kafka) -> None:
        self._pool = pool
        self._kafka = kafka
        self._woken = asyncio.Event()
        self._holder = f"{kafka.service}-{kafka.instance}"

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """A database transaction; the relay is woken once it has committed."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection
        self.wake()

    async def put(self, connection: Connection, event: Event) -> None:
        """Publish `event` if, and after, the caller's transaction commits.

        Raises Failure(INVALID) when it is too large for its topic.
        """
        await self._insert(connection, self.record(event))

    def record(self, event: Event) -> OutgoingRecord:
        """The record of an event, with the current trace context, for a later `put_records`.

        Raises Failure(INVALID) when it is too large for its topic.
        """
        record = encode(event, self._kafka.service, self._kafka.naming, current_trace())
        size = len(record.value or b"") + sum(len(k) + len(v) for k, v in record.headers)
        limit = topic_of(event).max_message_bytes
        if size + _RECORD_OVERHEAD > limit:
            raise Failure(ErrorKind.INVALID, f"{size} bytes are too many for {record.topic}")
        return record

    async def put_records(self, connection: Connection, records: Sequence[OutgoingRecord]) -> None:
        """Publish records, in this order, if, and after, the caller's transaction commits."""
        await connection.executemany(
            _INSERT,
            [
                (record.topic, record.key, record.value, _stored(record.headers))
                for record in records
            ],
        )

    async def delete(self, connection: Connection, topic: Topic, key: str, version: int) -> None:
        """Publish the deletion of an entity if, and after, the caller's transaction commits."""
        await self._insert(connection, tombstone(topic, key, version, self._kafka.naming))

    async def _insert(self, connection: Connection, record: OutgoingRecord) -> None:
        await connection.execute(
            _INSERT, record.topic, record.key, record.value, _stored(record.headers)
        )

    def wake(self) -> None:
        """Relay at once what has been committed, rather than at the next poll."""
        self._woken.set()

    async def run(self) -> None:
        """Relay until cancelled; survives Kafka or PostgreSQL being away."""
        try:
            await self._run()
        finally:
            await self._release()

    async def _run(self) -> None:
        delay = POLL_SECONDS
        while True:
            try:
                if await self._take_lease():
                    await self._relay()
                await asyncio.sleep(POLL_SECONDS)
                delay = POLL_SECONDS
            except (KafkaError, _Fenced, *AWAY) as error:
                FAILURES.labels(type(error).__name__).inc()
                log.warning("outbox_relay_interrupted", error=type(error).__name__)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)

    async def _release(self) -> None:
        # So that a successor need not wait for the lease to run out.
        with contextlib.suppress(*AWAY):
            async with asyncio.timeout(1):
                await self._pool.execute("DELETE FROM outbox_lease WHERE holder = $1", self._holder)

    async def _take_lease(self) -> bool:
        return bool(await self._pool.fetchval(_LEASE, self._holder, LEASE_SECONDS))

    async def _relay(self) -> None:
        # Starting the producer fences every earlier one with this id (Kafka: init transactions).
        identity = f"{self._kafka.settings.topic_prefix}jackfield-{self._kafka.service}-outbox"
        producer = self._kafka.producer(transactional_id=identity, transaction_timeout_ms=30_000)
        try:
            await producer.start()
            log.info("outbox_relay_started", transactional_id=identity)
            renew_at = 0.0
            loop = asyncio.get_running_loop()
            while True:
                if loop.time() >= renew_at:
                    if not await self._take_lease():
                        raise _Fenced
                    renew_at = loop.time() + LEASE_SECONDS / 4
                self._woken.clear()
                began = loop.time()
                relayed = await self._relay_batch(producer)
                if relayed == 0:
                    await self._pause()
                elif relayed < _BATCH_ROWS:
                    await asyncio.sleep(began + PACE_SECONDS - loop.time())
        finally:
            await producer.stop()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _relay_batch(self, producer: AIOKafkaProducer) -> int:
        rows = await self._pool.fetch(_SETTLED, _BATCH_ROWS)
        PENDING_AGE.set(rows[0]["age"] if rows else 0)
        if not rows:
            return 0
        done: list[int] = []
        size = 0
        async with producer.transaction():
            acknowledged: list[asyncio.Future[object]] = []
            for row in rows:
                headers = [
                    (name, value.encode())
                    for name, value in cast(list[tuple[str, str]], json.loads(row["headers"]))
                ]
                future = await producer.send(
                    row["topic"], value=row["value"], key=row["key"], headers=headers
                )
                acknowledged.append(cast("asyncio.Future[object]", future))
                done.append(row["id"])
                size += len(row["value"] or b"")
                if size >= _BATCH_BYTES:
                    break
            await asyncio.gather(*acknowledged)
        await self._pool.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", done)
        RELAYED.inc(len(done))
        return len(done)
