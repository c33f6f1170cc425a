"""What is not kept for ever."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog
from prometheus_client import Counter

from jackfield_common.errors import NotReady
from jackfield_gateway.repository.store import Store

log = structlog.get_logger(__name__)

DROPPED: Final = Counter(
    "jackfield_gateway_rows_dropped_total", "Rows dropped because of their age", ["table"]
)
BATCH: Final = 2_000


class RetentionJob:
    """Drops old rows, in batches small enough to disturb nobody. Several at once do no harm."""

    def __init__(self, store: Store, ages: dict[str, timedelta], every: float) -> None:
        self._store = store
        self._ages = ages
        self._every = every

    async def run(self) -> None:
        """Drop what is old every so many seconds, until cancelled."""
        while True:
            try:
                await self.drop()
            except NotReady as error:
                log.warning("retention_postponed", error=str(error))
            await asyncio.sleep(self._every)

    async def drop(self) -> int:
        """Drop everything that is old now; returns how many rows. Raises NotReady."""
        total = 0
        for table, age in self._ages.items():
            while True:
                async with self._store.statements() as tx:
                    dropped = await tx.retention.drop(table, age, BATCH)
                DROPPED.labels(table).inc(dropped)
                total += dropped
                if dropped < BATCH:
                    break
        return total
