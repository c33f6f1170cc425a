"""Effects that must not be forgotten, stored in fenced transactions; many at once when many come at once.

One effect alone is stored at once. Those that come while a transaction is under way share the next one:
each costs its own statements, but they share begin, fence, commit and the wait for the disk.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import structlog

from jackfield_common.database import AWAY, TRANSIENT, Pool
from jackfield_common.errors import Fenced
from jackfield_common.lanes.gate import Gate
from jackfield_common.lanes.ledger import Ledger
from jackfield_common.lanes.partition import Partition
from jackfield_common.lanes.work import Effect, still_owned

log = structlog.get_logger(__name__)

GROUP: Final = 64
"""Effects in one transaction at most."""
_RETRY_SECONDS: Final = 0.25


class _Lost(Exception):
    """A partition of a group turned out to be somebody else's."""


@dataclass(eq=False, slots=True)
class _Entry:
    partition: Partition
    effect: Effect
    done: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # seen, even when the caller was cancelled and nobody asks


class Stores:
    """Runs effects in fenced transactions, as often as it takes."""

    def __init__(self, pool: Pool, ledger: Ledger, gate: Gate) -> None:
        self._pool = pool
        self._ledger = ledger
        self._gate = gate
        self._waiting: deque[_Entry] = deque()
        # One at a time: two groups that touch the same rows in another order would lock each other out.
        self._writer: asyncio.Task[None] | None = None

    async def store(self, partition: Partition, effect: Effect) -> None:
        """Run one effect; returns once it is committed.

        While PostgreSQL is away it is kept and run again. Raises Fenced when the partition is lost, and
        what the effect itself raises. A caller that is cancelled does not take its effect back.
        """
        still_owned(partition)
        entry = _Entry(partition, effect)
        self._waiting.append(entry)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="lanes-store")
        await asyncio.shield(entry.done)

    async def _write(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(GROUP, len(self._waiting)))]
            await self._settle(group)

    async def _settle(self, group: list[_Entry]) -> None:
        while group := [entry for entry in group if self._owned(entry)]:
            try:
                await self._transact(group)
            except AWAY as error:
                self._gate.doubt(error)
                await self._gate.wait()
                await asyncio.sleep(_RETRY_SECONDS)
            except TRANSIENT as error:
                log.warning("store_repeated", error=type(error).__name__, effects=len(group))
                await asyncio.sleep(_RETRY_SECONDS)
            except _Lost:
                continue  # its partition is closed now: sorted out above
            except Exception as error:  # noqa: BLE001 - the effect's own: handed to whoever stores it
                if len(group) == 1:
                    group[0].fail(error)
                    return
                for entry in group:  # one of them is at fault: each by itself, the others go on
                    await self._settle([entry])
                return
            else:
                for entry in group:
                    if not entry.done.done():
                        entry.done.set_result(None)
                return

    def _owned(self, entry: _Entry) -> bool:
        try:
            still_owned(entry.partition)
        except Fenced as error:
            entry.fail(error)
            return False
        return True

    async def _transact(self, group: list[_Entry]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            for partition in {entry.partition for entry in group}:
                try:
                    await self._ledger.fence(connection, partition)
                except Fenced:
                    partition.close()
                    raise _Lost from None
            for entry in group:
                await entry.effect(connection)
