"""Parked and dead work, as its owners see and change it.

Everything here may be asked twice: a second time changes nothing. Whoever owns a partition notices a
change within a second or two, by the sequence `lane_change`.
"""

import base64
from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from jackfield_common.database import Connection, Pool
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events.dead import Tried
from jackfield_common.lanes.ledger import TRIED, decode_headers
from jackfield_common.lanes.selection import Selection

MAX_PAGE: Final = 500
MAX_AT_ONCE: Final = 10_000
"""Rows changed by one command; the answer says when there are more."""

_MAX_PLACE: Final = (1 << 63) - 1
_SUMMARY: Final = (
    'id, consumer, topic, partition, "offset", place, key, lane, state, blocking, attempts,'
    " first_attempt_at, due_at, kind, message, tried, size, entered_at, changed_at, cause"
)

State = Literal["parked", "dead"]


class WorkRow(BaseModel):
    """One piece of parked or dead work, without its payload. `size` is in bytes."""

    model_config = ConfigDict(frozen=True)

    id: str
    consumer: str
    topic: str
    partition: int
    offset: int
    integration_id: str
    lane: str
    state: State
    blocking: bool
    cause: str
    attempts: int
    first_attempt_at: AwareDatetime | None
    due_at: AwareDatetime | None
    kind: ErrorKind | None
    message: str | None
    tried: tuple[Tried, ...]
    size: int
    entered_at: AwareDatetime
    changed_at: AwareDatetime


class WorkContent(WorkRow):
    """One piece of work with the record's own key, headers and value, each base64 (RFC 4648, 4)."""

    record_key: str | None
    headers: tuple[tuple[str, str], ...]
    value: str | None


class Page(BaseModel):
    """Some rows, oldest first, and where the next page begins; None after the last."""

    model_config = ConfigDict(frozen=True)

    works: tuple[WorkRow, ...]
    cursor: str | None


class Parking:
    """Lists and changes the work in one service's schema."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(
        self, state: State, selection: Selection, cursor: str | None, limit: int
    ) -> Page:
        """A page of work. Raises Failure(INVALID) for a cursor that is none."""
        limit = max(1, min(limit, MAX_PAGE))
        where, values = selection.where(state)
        values += [_place(cursor), limit + 1]
        rows = await self._pool.fetch(
            f"SELECT {_SUMMARY} FROM lane_work WHERE {where} AND place > ${len(values) - 1}"  # noqa: S608  # parts are ours
            f" ORDER BY place LIMIT ${len(values)}",
            *values,
        )
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(
            works=tuple(WorkRow(**_fields(row)) for row in rows),
            cursor=str(rows[-1]["place"]) if more else None,
        )

    async def read(self, tenant: str, work_id: str) -> WorkContent:
        """One piece of work with its original bytes and headers. Raises Failure(NOT_FOUND)."""
        row = await self._pool.fetchrow(
            f"SELECT {_SUMMARY}, record_key, headers, value FROM lane_work"  # noqa: S608  # parts are ours
            " WHERE id = $1 AND tenant = $2 AND state <> 'cancelled'",
            work_id,
            tenant,
        )
        if row is None:
            raise Failure(ErrorKind.NOT_FOUND, f"there is no parked or dead work {work_id}")
        fields = _fields(row)
        fields["record_key"] = _base64(row["record_key"])
        fields["value"] = _base64(row["value"])
        fields["headers"] = tuple(
            (name, base64.b64encode(content).decode())
            for name, content in decode_headers(row["headers"])
        )
        return WorkContent(**fields)

    async def retry(self, selection: Selection) -> int:
        """Make the heads of the selected parked lanes due now; returns how many lanes that are."""
        where, values = selection.where("parked")
        status = await self._pool.execute(
            "UPDATE lane_work AS w SET due_at = NULL, changed_at = now()"  # noqa: S608
            f" FROM (SELECT DISTINCT consumer, topic, partition, key, lane FROM lane_work WHERE {where}) AS s"
            " WHERE (w.consumer, w.topic, w.partition, w.key, w.lane)"
            " = (s.consumer, s.topic, s.partition, s.key, s.lane)"
            " AND w.state = 'parked' AND w.due_at IS NOT NULL",
            *values,
        )
        await self._changed()
        return _count(status)

    async def cancel(self, state: State, selection: Selection) -> int:
        """Give up the selected work for good; what follows it in its lane goes on. Returns how many."""
        where, values = selection.where(state)
        status = await self._pool.execute(
            "UPDATE lane_work SET state = 'cancelled', blocking = false, due_at = NULL,"  # noqa: S608
            f" changed_at = now() WHERE {where}",
            *values,
        )
        await self._changed()
        return _count(status)

    async def replay(self, selection: Selection, command_id: str) -> int:
        """Run the selected dead work again, with a new budget; returns how many rows that are.

        Rows that block their lane run in their old place, others after everything that overtook them,
        in their old order among themselves. A row is replayed once by one command. At most
        `MAX_AT_ONCE` at a time.
        """
        where, values = selection.where("dead")
        values += [command_id, MAX_AT_ONCE]
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                f"SELECT id FROM lane_work WHERE {where}"  # noqa: S608
                f" AND replayed_by IS DISTINCT FROM ${len(values) - 1}"
                f" ORDER BY place LIMIT ${len(values)} FOR UPDATE",
                *values,
            )
            await _replay(connection, [row["id"] for row in rows], command_id)
        await self._changed()
        return len(rows)

    async def pause(self, tenant: str, key: str) -> None:
        """Let the work of an integration wait, parked, until `resume`."""
        await self._pool.execute(
            "INSERT INTO lane_pause (tenant, key) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            tenant,
            key,
        )
        await self._changed()

    async def resume(self, tenant: str, key: str) -> None:
        """Let the work of an integration go on, in order."""
        await self._pool.execute(
            "DELETE FROM lane_pause WHERE tenant = $1 AND key = $2", tenant, key
        )
        await self._changed()

    async def paused(self, tenant: str) -> list[str]:
        """The integrations of a tenant that are paused."""
        rows = await self._pool.fetch(
            "SELECT key FROM lane_pause WHERE tenant = $1 ORDER BY key", tenant
        )
        return [row["key"] for row in rows]

    async def _changed(self) -> None:
        # After the change is committed: an owner that sees the number sees the change.
        await self._pool.execute("SELECT nextval('lane_change')")


async def _replay(connection: Connection, ids: list[str], command_id: str) -> None:
    await connection.executemany(
        "UPDATE lane_work SET state = 'parked', attempts = 0, first_attempt_at = NULL, due_at = NULL,"
        " place = CASE WHEN blocking THEN place ELSE nextval('lane_place') END, blocking = false,"
        " replayed_by = $2, cause = 'replay', changed_at = now() WHERE id = $1",
        [(one, command_id) for one in ids],
    )


def _place(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        place = int(cursor)
    except ValueError:
        place = -1
    if not 0 <= place <= _MAX_PLACE:
        raise Failure(ErrorKind.INVALID, "this cursor came from no list", field="cursor")
    return place


def _count(status: str) -> int:
    return int(status.rsplit(" ", 1)[-1])


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _fields(row: Any) -> dict[str, Any]:
    fields: dict[str, Any] = dict(row)
    fields["integration_id"] = fields.pop("key")
    fields["tried"] = TRIED.validate_json(fields["tried"])
    del fields["place"]
    return fields
