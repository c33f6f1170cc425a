"""Durable writes of an owner, many in one fenced transaction, in the order they were asked for.

What is written here is what lets an offset go, so nothing is lost when it takes long: while PostgreSQL
is away the entries stay in memory and are written when it is back; when their partition is lost they
are dropped, because its new owner reads the records again.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import asyncpg
import structlog

from jackfield_common.database import AWAY, Connection, Pool
from jackfield_common.errors import Fenced
from jackfield_common.lanes import metrics
from jackfield_common.lanes.gate import Gate
from jackfield_common.lanes.lane import Item
from jackfield_common.lanes.ledger import Ledger, Verdict
from jackfield_common.lanes.partition import Partition

log = structlog.get_logger(__name__)

_BATCH: Final = 1_000
_BATCH_BYTES: Final = 48 * 1024 * 1024
_RETRY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Entry:
    """One write: a verdict on an item, or None when the item's row is done with.

    `written` is called once it is durable; never when the partition is lost first.
    """

    partition: Partition
    key: str
    lane: str
    item: Item
    verdict: Verdict | None
    insert: bool = False
    """Whether the row is to be made; else it is there, or asked for before."""
    written: Callable[[], None] | None = None


class Journal:
    """Writes entries in the background."""

    def __init__(self, pool: Pool, ledger: Ledger, gate: Gate, consumer: str) -> None:
        self._pool = pool
        self._ledger = ledger
        self._gate = gate
        self._consumer = consumer
        self._entries: deque[Entry] = deque()
        self._asked = asyncio.Event()
        self._written = 0
        self._added = 0
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    def __len__(self) -> int:
        """Entries not yet written."""
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """Ask for a write."""
        self._entries.append(entry)
        self._added += 1
        self._asked.set()

    async def flushed(self) -> None:
        """Until everything asked for so far is written, or dropped with its partition."""
        if self._written < self._added:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append((self._added, waiter))
            await waiter

    async def run(self) -> None:
        """Write what is asked for, until cancelled."""
        while True:
            await self._asked.wait()
            while self._entries:
                await self._gate.wait()
                batch = self._batch()
                if not await self._write(batch):
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                for _ in batch:
                    self._entries.popleft()
                self._written += len(batch)
                for entry in batch:
                    if entry.written is not None and not entry.partition.closed:
                        entry.written()
                self._tell()
            self._asked.clear()

    def _batch(self) -> list[Entry]:
        batch: list[Entry] = []
        size = 0
        for entry in itertools.islice(self._entries, _BATCH):
            size += entry.item.size if entry.verdict is not None else 0
            if batch and size > _BATCH_BYTES:
                break
            batch.append(entry)
        return batch

    async def _write(self, batch: list[Entry]) -> bool:
        """Write a batch; False when it has to be tried again."""
        live = [entry for entry in batch if not entry.partition.closed]
        partitions = {id(entry.partition): entry.partition for entry in live}
        # In one order everywhere, so that two writers cannot wait for each other.
        ordered = sorted(partitions.values(), key=lambda one: (one.topic, one.number))
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                for partition in ordered:
                    await self._hold(connection, partition)
                await self._apply(connection, [one for one in live if not one.partition.closed])
        except AWAY as error:
            self._gate.doubt(error)
            return False
        except asyncpg.PostgresError:
            metrics.WRITE_FAILURES.labels(self._consumer).inc()
            log.exception("lane_write_refused", consumer=self._consumer, entries=len(batch))
            return False
        return True

    async def _hold(self, connection: Connection, partition: Partition) -> None:
        try:
            await self._ledger.fence(connection, partition)
        except Fenced as error:
            partition.close()
            metrics.FENCED.labels(self._consumer).inc()
            log.warning("partition_lost", consumer=self._consumer, reason=str(error))

    async def _apply(self, connection: Connection, entries: list[Entry]) -> None:
        for kind, run in itertools.groupby(entries, key=_kind):
            group = list(run)
            if kind == "insert":
                await self._ledger.insert(
                    connection,
                    [
                        (one.partition, one.key, one.lane, one.item, one.verdict)
                        for one in group
                        if one.verdict is not None
                    ],
                )
            elif kind == "update":
                await self._ledger.update(
                    connection,
                    [(one.item, one.verdict) for one in group if one.verdict is not None],
                )
            else:
                await self._ledger.delete(
                    connection, [one.item.row for one in group if one.item.row is not None]
                )

    def _tell(self) -> None:
        waiting: list[tuple[int, asyncio.Future[None]]] = []
        for number, waiter in self._waiters:
            if number > self._written:
                waiting.append((number, waiter))
            elif not waiter.done():
                waiter.set_result(None)
        self._waiters = waiting


def _kind(entry: Entry) -> str:
    if entry.verdict is None:
        return "delete"
    return "insert" if entry.insert else "update"
