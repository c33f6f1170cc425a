"""Done marks: which deliveries have been routed to the end.

A mark is the derived id of tenant, integration and delivery id, so uniqueness holds for all of them,
whatever their age; marks older than the horizon are deleted in batches.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from jackfield_common.database import Connection, Pool
from jackfield_webhooks.models import DoneBy
from jackfield_webhooks.repository.batches import Batches

LOOKUP_LIMIT: Final = 1_000
PACE_SECONDS: Final = 0.001

_FIND = "SELECT mark, event_id, place FROM done WHERE mark = ANY($1::uuid[])"
_PUT = """
INSERT INTO done (mark, event_id, place)
SELECT mark, event_id, place
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS new (mark, event_id, place) ORDER BY mark
ON CONFLICT (mark) DO UPDATE
SET event_id = excluded.event_id, place = excluded.place, done_at = now()
"""
_FORGET = """
DELETE FROM done WHERE mark IN (
    SELECT mark FROM done WHERE done_at < $1 ORDER BY done_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""


class Marks:
    """The table of done marks."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lookups = Batches("done-marks", self._find_all, limit=LOOKUP_LIMIT, pace=PACE_SECONDS)

    async def find(self, mark: UUID) -> DoneBy | None:
        """What set a mark; None while it is not set."""
        return await self._lookups(mark)

    async def put(self, connection: Connection, marks: Mapping[UUID, DoneBy]) -> None:
        """Set marks, in the caller's transaction."""
        await connection.execute(
            _PUT,
            list(marks),
            [done_by.event_id for done_by in marks.values()],
            [done_by.place for done_by in marks.values()],
        )

    async def forget(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` of the marks set before a time; how many it were."""
        status = await self._pool.execute(_FORGET, before, limit)
        return int(status.rpartition(" ")[2])

    async def _find_all(self, marks: Sequence[UUID]) -> Sequence[DoneBy | None]:
        rows = await self._pool.fetch(_FIND, list(set(marks)))
        found = {row["mark"]: DoneBy(row["event_id"], row["place"]) for row in rows}
        return [found.get(mark) for mark in marks]
