"""Background loops of a process: restarted when they fail, ended together."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from prometheus_client import Counter

log = structlog.get_logger(__name__)

RESTARTS: Final = Counter("jackfield_task_failures_total", "Background loops that failed", ["task"])

_BACKOFF_MAX: Final = 30.0


class Tasks:
    """Loops that run as long as the process."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run `loop` until it returns or the process ends; a failure is logged, counted, and restarted."""
        task = asyncio.create_task(self._supervise(name, loop), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def stop(self) -> None:
        """Cancel every loop and wait for it."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _supervise(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        delay = 0.1
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await loop()
            except Exception:
                RESTARTS.labels(name).inc()
                log.exception("task_failed", task=name)
            else:
                return
            if asyncio.get_running_loop().time() - started > _BACKOFF_MAX:
                delay = 0.1
            await asyncio.sleep(delay)
            delay = min(delay * 2, _BACKOFF_MAX)
