"""The owner's SQL: epochs, and the rows of parked and dead work.

Every write of an owner stands in a transaction that holds its epochs: a row lock that a newer owner has
to wait for, so that nothing of an older epoch appears after the newer one began to read.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiokafka import ConsumerRecord
from pydantic import TypeAdapter

from jackfield_common.database import Connection, Pool
from jackfield_common.errors import Fenced
from jackfield_common.events.dead import Tried
from jackfield_common.ids import DEFAULT_TENANT, derived_id, tenant_id
from jackfield_common.lanes.clock import moment
from jackfield_common.lanes.lane import Item, Lane, Row
from jackfield_common.lanes.partition import Partition
from jackfield_common.topics import tenant_of

IDLE_TRANSACTION: Final = "10s"
"""A fenced transaction that stays idle longer is ended: a stalled worker does not hold its epoch."""
KEPT_ATTEMPTS: Final = 20
LOAD_ROWS: Final = 64
LOAD_BYTES: Final = 4 * 1024 * 1024

_LATEST: Final = 253_402_300_799_000
"""The end of the year 9999, in milliseconds: a record may carry any timestamp."""

TRIED: Final = TypeAdapter(tuple[Tried, ...])
"""The attempts of a row, as its JSON column holds them."""

_TAKE = """
INSERT INTO lane_epoch AS e (consumer, topic, partition, epoch, owner) VALUES ($1, $2, $3, 1, $4)
ON CONFLICT (consumer, topic, partition)
DO UPDATE SET epoch = e.epoch + 1, owner = excluded.owner, taken_at = now()
RETURNING epoch
"""
_FENCE = """
SELECT set_config('idle_in_transaction_session_timeout', $5, true) FROM lane_epoch
WHERE consumer = $1 AND topic = $2 AND partition = $3 AND epoch = $4 FOR SHARE
"""
_LANES = """
SELECT DISTINCT ON (key, lane) tenant, key, lane, state, due_at,
       count(*) FILTER (WHERE state = 'parked') OVER (PARTITION BY key, lane) AS rows
FROM lane_work
WHERE consumer = $1 AND topic = $2 AND partition = $3 AND (state = 'parked' OR blocking)
ORDER BY key, lane, place
"""
_SETTLED = """
SELECT "offset" FROM lane_work
WHERE consumer = $1 AND topic = $2 AND partition = $3 AND "offset" >= $4
"""
_LOAD = """
WITH head AS (
    SELECT id, place, state, due_at, sum(size) OVER (ORDER BY place) - size AS before
    FROM (
        SELECT id, place, state, due_at, size FROM lane_work
        WHERE consumer = $1 AND topic = $2 AND partition = $3 AND key = $4 AND lane = $5
          AND (state = 'parked' OR blocking)
        ORDER BY place LIMIT $6
    ) AS first
)
SELECT head.state, head.due_at, w.id, w.place, w."offset", w.attempts, w.first_attempt_at, w.tried,
       w.record_key, w.headers, w.value, w.recorded_at, w.size, w.replayed_by
FROM head JOIN lane_work w USING (id) WHERE head.before < $7 ORDER BY head.place
"""
_INSERT = """
INSERT INTO lane_work (id, consumer, topic, partition, "offset", tenant, key, lane, state, blocking,
    attempts, first_attempt_at, due_at, kind, message, tried, record_key, headers, value, recorded_at,
    size, cause)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $21, $22)
ON CONFLICT (id) DO NOTHING
"""
_UPDATE = """
UPDATE lane_work SET state = $2, blocking = $3, attempts = $4, first_attempt_at = $5, due_at = $6,
    kind = $7, message = $8, tried = $9, fed = false, changed_at = now()
WHERE id = $1 AND state = 'parked' AND ($10::bigint IS NULL OR place = $10)
"""
_DELETE = "DELETE FROM lane_work WHERE id = $1 AND ($2::bigint IS NULL OR place = $2)"


@dataclass(frozen=True, slots=True)
class Parked:
    """A lane with rows: when its head is due, and whether that is dead and blocks it."""

    tenant: str
    key: str
    lane: str
    due: float
    blocked: bool
    rows: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The first rows of a lane, as items; or when its head is due, or that it is blocked."""

    items: tuple[Item, ...] = ()
    due: float = 0.0
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a row says of its record: parked or dead, and why."""

    state: str
    cause: str
    due: float = 0.0
    blocking: bool = False
    kind: str | None = None
    message: str | None = None


def storable(text: str) -> str:
    """Text as PostgreSQL takes it: no NUL, no lone surrogates."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def tenant_in(record: ConsumerRecord, topic: str) -> str:
    """The tenant of a record: its public topic's, else its `ce_tenant` header's, else the default one."""
    if topic.startswith("tenant."):
        return tenant_of(topic)
    found = b""
    for name, value in record.headers:
        if name == "ce_tenant":
            found = value or b""
    try:
        return tenant_id(found.decode("ascii"))
    except ValueError:
        return DEFAULT_TENANT


class Ledger:
    """Reads and writes for one consumer (the lanes' name)."""

    def __init__(self, pool: Pool, consumer: str, owner: str) -> None:
        self._pool = pool
        self._consumer = consumer
        self._owner = owner

    async def take(self, partition: Partition) -> int:
        """Begin the next epoch of a partition. Waits for what an older one has under way."""
        # With the lock of a stalled owner's transaction gone at the latest when it counts as idle.
        epoch: int = await self._pool.fetchval(
            _TAKE, self._consumer, partition.topic, partition.number, self._owner, timeout=30
        )
        return epoch

    async def fence(self, connection: Connection, partition: Partition) -> None:
        """Hold the epoch for the rest of the transaction. Raises Fenced when it is over."""
        held = await connection.fetchval(
            _FENCE,
            self._consumer,
            partition.topic,
            partition.number,
            partition.epoch,
            IDLE_TRANSACTION,
        )
        if held is None:
            raise Fenced(
                f"epoch {partition.epoch} of {partition.topic}/{partition.number} is over:"
                " another worker owns it"
            )

    async def lanes(self, partition: Partition) -> list[Parked]:
        """The partition's lanes that have rows to run or are blocked."""
        rows = await self._pool.fetch(
            _LANES, self._consumer, partition.topic, partition.number, timeout=60
        )
        return [
            Parked(
                row["tenant"],
                row["key"],
                row["lane"],
                _seconds(row["due_at"]),
                row["state"] == "dead",
                row["rows"],
            )
            for row in rows
        ]

    async def settled(self, partition: Partition, start: int) -> set[int]:
        """Offsets from `start` on that have rows."""
        rows = await self._pool.fetch(
            _SETTLED, self._consumer, partition.topic, partition.number, start, timeout=60
        )
        return {row["offset"] for row in rows}

    async def load(self, lane: Lane, now: float) -> Loaded:
        """A lane's first rows when its head may run now."""
        partition = lane.partition
        rows = await self._pool.fetch(
            _LOAD,
            self._consumer,
            partition.topic,
            partition.number,
            lane.key.text,
            lane.text,
            LOAD_ROWS,
            LOAD_BYTES,
        )
        if not rows:
            return Loaded()
        if rows[0]["state"] == "dead":
            return Loaded(blocked=True)
        due = _seconds(rows[0]["due_at"])
        if due > now:
            return Loaded(due=due)
        items: list[Item] = []
        for row in rows:
            if row["state"] == "dead":
                break
            items.append(_item(row, partition))
        return Loaded(tuple(items))

    async def pauses(self) -> tuple[int, set[tuple[str, str]]]:
        """The number of the latest change from outside, and the paused (tenant, key) pairs."""
        async with self._pool.acquire() as connection:
            # The number first: a change after it shows as a higher number next time.
            number = await connection.fetchval(
                "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM lane_change"
            )
            rows = await connection.fetch("SELECT tenant, key FROM lane_pause")
        return number, {(row["tenant"], row["key"]) for row in rows}

    async def insert(
        self, connection: Connection, entries: Sequence[tuple[Partition, str, str, Item, Verdict]]
    ) -> None:
        """Write rows of (partition, key, lane, item, verdict); those that exist stay as they are."""
        await connection.executemany(_INSERT, [self._row(*entry) for entry in entries])

    async def update(self, connection: Connection, entries: Sequence[tuple[Item, Verdict]]) -> None:
        """Write what became of loaded items; rows cancelled or moved meanwhile stay as they are."""
        await connection.executemany(_UPDATE, [_changes(*entry) for entry in entries])

    async def delete(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Remove the rows of what is done."""
        await connection.executemany(_DELETE, [(row.id, row.place) for row in rows])

    def row_id(self, partition: Partition, offset: int) -> str:
        """The id of a record's row; the same record always has the same."""
        return derived_id(self._consumer, partition.topic, str(partition.number), str(offset))

    def _row(
        self, partition: Partition, key: str, lane: str, item: Item, verdict: Verdict
    ) -> tuple[Any, ...]:
        record = item.record
        return (
            self.row_id(partition, record.offset),
            self._consumer,
            partition.topic,
            partition.number,
            record.offset,
            tenant_in(record, partition.topic),
            storable(key),
            storable(lane),
            verdict.state,
            verdict.blocking,
            item.attempts,
            _time(item.first_at),
            _time(verdict.due),
            verdict.kind,
            None if verdict.message is None else storable(verdict.message),
            _tried(item),
            record.key,
            encode_headers(record.headers),
            record.value,
            moment(min(max(record.timestamp, 0), _LATEST) / 1000),
            item.size,
            verdict.cause,
        )


def _changes(item: Item, verdict: Verdict) -> tuple[Any, ...]:
    row = item.row
    assert row is not None, "only loaded items have rows to change"
    return (
        row.id,
        verdict.state,
        verdict.blocking,
        item.attempts,
        _time(item.first_at),
        _time(verdict.due),
        verdict.kind,
        None if verdict.message is None else storable(verdict.message),
        _tried(item),
        row.place,
    )


def _tried(item: Item) -> str:
    return storable(
        json.dumps([one.model_dump(mode="json") for one in item.tried[-KEPT_ATTEMPTS:]])
    ).replace("\\u0000", "\\ufffd")


def _time(seconds: float) -> datetime | None:
    return moment(seconds) if seconds else None


def _seconds(time: datetime | None) -> float:
    return time.timestamp() if time is not None else 0.0


def encode_headers(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """Headers as JSON pairs of name and base64 (RFC 4648, 4); a null value is null."""
    pairs = [
        [name, None if (value := _maybe(raw)) is None else base64.b64encode(value).decode()]
        for name, raw in headers
    ]
    return json.dumps(pairs).encode()


def decode_headers(text: bytes) -> tuple[tuple[str, bytes], ...]:
    """The reverse of `encode_headers`."""
    return tuple(
        (name, base64.b64decode(value) if value is not None else b"")
        for name, value in json.loads(text)
    )


def _maybe(value: bytes | None) -> bytes | None:
    # aiokafka hands null header values on as None, whatever its documentation says.
    return value


def _item(row: Any, partition: Partition) -> Item:
    value: bytes | None = row["value"]
    key: bytes | None = row["record_key"]
    record = ConsumerRecord(
        topic=partition.tp.topic,
        partition=partition.number,
        offset=row["offset"],
        timestamp=int(row["recorded_at"].timestamp() * 1000),
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=-1 if key is None else len(key),
        serialized_value_size=-1 if value is None else len(value),
        headers=decode_headers(row["headers"]),
    )
    item = Item(record, row["size"])
    item.attempts = row["attempts"]
    item.first_at = _seconds(row["first_attempt_at"])
    item.tried = TRIED.validate_json(row["tried"])
    item.row = Row(row["id"], row["place"], row["replayed_by"])
    return item
