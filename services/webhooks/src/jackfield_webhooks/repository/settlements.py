"""How the routing of deliveries ends: their marks and outcomes in one transaction, many at a time.

A transaction first takes the fence of every partition in it. Work of a partition that is another
worker's by now is left out and told so; the rest is tried again without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from jackfield_common.database import Connection
from jackfield_common.envelope import OutgoingRecord
from jackfield_common.errors import Fenced
from jackfield_common.outbox import Outbox
from jackfield_webhooks.models import DoneBy, PastDelivery
from jackfield_webhooks.repository.batches import Batches
from jackfield_webhooks.repository.history import History
from jackfield_webhooks.repository.marks import Marks

SETTLE_LIMIT: Final = 500
PACE_SECONDS: Final = 0.005
"""Nobody waits for a settlement but the lane: its event and actions are out by then."""


class Fence(Protocol):
    """The work that is settled, as the lanes know it."""

    @property
    def partition(self) -> tuple[str, int]:
        """Topic and partition: what is fenced together."""
        ...

    async def fence(self, connection: Connection) -> None:
        """Raises Fenced when a newer owner of the partition exists."""
        ...


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of one record's routing.

    `past` is what history keeps of it. `mark` is None where copies are not to be recognised.
    """

    fence: Fence
    records: tuple[OutgoingRecord, ...]
    past: PastDelivery
    mark: tuple[UUID, DoneBy] | None = None


class Settlements:
    """Settles in groups."""

    def __init__(self, outbox: Outbox, marks: Marks, history: History) -> None:
        self._outbox = outbox
        self._marks = marks
        self._history = history
        self._batches = Batches(
            "settlements", self._settle_all, limit=SETTLE_LIMIT, pace=PACE_SECONDS
        )

    async def settle(self, settlement: Settlement) -> None:
        """Return when it is committed. Raises Fenced, or what `database.AWAY` lists."""
        if not await self._batches(settlement):
            raise Fenced("{}/{} belongs to another worker".format(*settlement.fence.partition))

    async def _settle_all(self, settlements: Sequence[Settlement]) -> Sequence[bool]:
        lost: set[tuple[str, int]] = set()
        while True:
            held = [one for one in settlements if one.fence.partition not in lost]
            stale = await self._commit(held) if held else None
            if stale is None:
                return [one.fence.partition not in lost for one in settlements]
            lost.add(stale)

    async def _commit(self, settlements: Sequence[Settlement]) -> tuple[str, int] | None:
        """Commit them all, or nothing: then the partition that was lost."""
        fences = {one.fence.partition: one.fence for one in settlements}
        marks = dict(one.mark for one in settlements if one.mark is not None)
        records = [record for one in settlements for record in one.records]
        fencing = None
        try:
            async with self._outbox.transaction() as connection:
                for partition, fence in sorted(fences.items(), key=lambda item: item[0]):
                    fencing = partition
                    await fence.fence(connection)
                if marks:
                    await self._marks.put(connection, marks)
                await self._history.put(connection, [one.past for one in settlements])
                await self._outbox.put_records(connection, records)
        except Fenced:
            return fencing
        return None
