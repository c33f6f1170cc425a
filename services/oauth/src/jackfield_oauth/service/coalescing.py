"""Look-ups that arrive while one is under way become one query.

Every answer is read after it was asked for, so nothing is ever stale as in a cache, and under load a
hundred requests cost the database one round trip.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_MAX_KEYS: Final = 500


class Coalesced(Generic[K, V]):
    """One kind of look-up by key. `fetch` gets the keys that were asked for, and returns those found."""

    def __init__(self, fetch: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._fetch = fetch
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._running: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """The value of one key. Raises what `fetch` raises."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._running is None:
                self._running = asyncio.create_task(self._run())
        return await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:_MAX_KEYS]
                batch = {key: self._waiting.pop(key) for key in keys}
                await self._answer(batch)
        finally:
            self._running = None

    async def _answer(self, batch: dict[K, asyncio.Future[V | None]]) -> None:
        (found,) = await asyncio.gather(self._fetch(batch.keys()), return_exceptions=True)
        for key, future in batch.items():
            if isinstance(found, BaseException):
                future.set_exception(found)
                future.exception()  # so that nobody being left to hear it is no warning
            else:
                future.set_result(found.get(key))
