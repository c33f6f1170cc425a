"""The table of past deliveries and events."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from jackfield_common.database import Connection, Pool
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events import HistorySelection
from jackfield_common.ids import TenantId
from jackfield_webhooks.models import PastDelivery, Place

_COLUMNS: Final = (
    "event_id, tenant, integration_id, source, event_type, canonical_type, delivery_id, status,"
    ' reason, accepted_at, occurrence::text, topic, partition, "offset", size'
)
_PUT: Final = """
INSERT INTO history (event_id, tenant, integration_id, source, event_type, canonical_type, delivery_id,
                     status, reason, accepted_at, occurrence, topic, partition, "offset", size)
SELECT event_id, tenant, integration_id, source, event_type, canonical_type, delivery_id,
       status, reason, accepted_at, occurrence::jsonb, topic, partition, place, size
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::timestamptz[], $11::text[], $12::text[], $13::integer[],
            $14::bigint[], $15::integer[])
    AS new (event_id, tenant, integration_id, source, event_type, canonical_type, delivery_id,
            status, reason, accepted_at, occurrence, topic, partition, place, size)
ORDER BY event_id
ON CONFLICT (event_id) DO UPDATE
SET status = excluded.status, reason = excluded.reason, event_type = excluded.event_type,
    canonical_type = excluded.canonical_type, occurrence = excluded.occurrence
WHERE history.tenant = excluded.tenant
"""
_FORGET: Final = """
DELETE FROM history WHERE event_id IN (
    SELECT event_id FROM history WHERE accepted_at < $1 ORDER BY accepted_at LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""


class History:
    """Past deliveries and events."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, connection: Connection, past: Sequence[PastDelivery]) -> None:
        """Keep deliveries, in the caller's transaction; of one that is known, the outcome."""
        rows = {one.event_id: _row(one) for one in past}
        await connection.execute(
            _PUT, *(list(column) for column in zip(*rows.values(), strict=True))
        )

    async def page(
        self, tenant: TenantId, selection: HistorySelection, cursor: str | None, limit: int
    ) -> tuple[list[PastDelivery], str | None]:
        """What is selected, newest first, and where the next page begins. `condition` is not asked.

        Raises Failure(INVALID) for a cursor that was not given out here.
        """
        where, values = _where(tenant, selection)
        if cursor is not None:
            values += _read_cursor(cursor)
            where.append(f"(accepted_at, event_id) < (${len(values) - 1}, ${len(values)})")
        values.append(limit + 1)
        rows = await self._pool.fetch(
            f"SELECT {_COLUMNS} FROM history WHERE {' AND '.join(where)}"  # noqa: S608 - no values in it
            f" ORDER BY accepted_at DESC, event_id DESC LIMIT ${len(values)}",
            *values,
        )
        found = [_past(row) for row in rows[:limit]]
        return found, _cursor(found[-1]) if len(rows) > limit else None

    async def forget(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` of what was accepted before a time; how many it were."""
        status = await self._pool.execute(_FORGET, before, limit)
        return int(status.rpartition(" ")[2])


def _where(tenant: TenantId, selection: HistorySelection) -> tuple[list[str], list[Any]]:
    where, values = ["tenant = $1"], list[Any]([tenant])

    def restrict(condition: str, value: Any) -> None:
        values.append(value)
        where.append(condition.format(f"${len(values)}"))

    if selection.event_ids:
        restrict("event_id = ANY({}::text[])", list(selection.event_ids))
    if selection.integration_id is not None:
        restrict("integration_id = {}", selection.integration_id)
    if selection.delivery_id is not None:
        restrict("delivery_id = {}", selection.delivery_id)
    if selection.status is not None:
        restrict("status = {}", selection.status)
    if selection.since is not None:
        restrict("accepted_at >= {}", selection.since)
    if selection.until is not None:
        restrict("accepted_at < {}", selection.until)
    if selection.fields:
        restrict("occurrence @> {}::jsonb", json.dumps(selection.fields))
    if selection.types:
        like = [_like(pattern) for pattern in selection.types]
        restrict("(event_type LIKE ANY({0}::text[]) OR canonical_type LIKE ANY({0}::text[]))", like)
    return where, values


def _like(pattern: str) -> str:
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")


def _cursor(last: PastDelivery) -> str:
    text = json.dumps([last.accepted_at.isoformat(), last.event_id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read_cursor(cursor: str) -> list[Any]:
    try:
        moment, event_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        # in UTC, as the database keeps it: what leaves the calendar there is none of ours
        at = datetime.fromisoformat(moment).astimezone(UTC)
        if "\x00" in event_id:
            raise ValueError("PostgreSQL's text holds no NUL")
        return [at, str(event_id)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise Failure(
            ErrorKind.INVALID, "this cursor was not given out here", field="cursor"
        ) from None


def _text(value: str | None) -> str | None:
    # PostgreSQL's text holds no NUL, JSON's may
    return None if value is None else value.replace("\x00", "\ufffd")


def _row(past: PastDelivery) -> tuple[Any, ...]:
    occurrence = past.occurrence
    return (
        past.event_id,
        past.tenant,
        past.integration_id,
        _text(past.source),
        _text(past.event_type),
        _text(past.canonical_type),
        _text(past.delivery_id),
        past.status,
        _text(past.reason),
        past.accepted_at,
        None
        if occurrence is None
        else json.dumps({name: _text(value) for name, value in occurrence.items()}),
        past.place.topic,
        past.place.partition,
        past.place.offset,
        past.size,
    )


def _past(row: Any) -> PastDelivery:
    return PastDelivery(
        event_id=row["event_id"],
        tenant=row["tenant"],
        integration_id=row["integration_id"],
        source=row["source"],
        event_type=row["event_type"],
        canonical_type=row["canonical_type"],
        delivery_id=row["delivery_id"],
        status=row["status"],
        reason=row["reason"],
        accepted_at=row["accepted_at"],
        occurrence=None if row["occurrence"] is None else json.loads(row["occurrence"]),
        place=Place(topic=row["topic"], partition=row["partition"], offset=row["offset"]),
        size=row["size"],
    )
