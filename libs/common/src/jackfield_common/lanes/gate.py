"""Whether PostgreSQL answers. While it does not, nothing new is started; what is finished is kept."""

import asyncio
from typing import Final

import structlog

from jackfield_common.database import AWAY, Pool
from jackfield_common.lanes import metrics

log = structlog.get_logger(__name__)

_PROBE_SECONDS: Final = 0.25
_PROBE_TIMEOUT: Final = 5.0


class Gate:
    """Open while PostgreSQL answers."""

    def __init__(self, pool: Pool, consumer: str) -> None:
        self._pool = pool
        self._consumer = consumer
        self._opened = asyncio.Event()
        self._opened.set()
        self._doubted = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether work may be started."""
        return self._opened.is_set()

    def doubt(self, error: BaseException) -> None:
        """Something failed as it would if PostgreSQL were away: close until it has answered."""
        if self._opened.is_set():
            log.warning("database_in_doubt", consumer=self._consumer, error=type(error).__name__)
            metrics.DATABASE_AWAY.labels(self._consumer).inc()
            self._opened.clear()
            self._doubted.set()

    async def wait(self) -> None:
        """Until PostgreSQL answers."""
        await self._opened.wait()

    async def answers(self) -> bool:
        """Ask it now."""
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                await self._pool.fetchval("SELECT 1")
        except AWAY:
            return False
        return True

    async def run(self) -> None:
        """Probe while in doubt."""
        while True:
            await self._doubted.wait()
            while not await self.answers():  # noqa: ASYNC110  # nothing tells when it is back
                await asyncio.sleep(_PROBE_SECONDS)
            log.info("database_answers", consumer=self._consumer)
            self._doubted.clear()
            self._opened.set()
