"""One round trip for many callers: what arrives while a batch runs forms the next one.

Alone, a caller is served at once. Under load a batch holds what arrived during the round trip before it,
and at least what arrived within the pace: a round trip costs the same whatever it carries.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Batches(Generic[T, R]):
    """Runs `run` on many items at a time, one batch after the other.

    `limit` is how many items a batch holds at most, `pace` how many seconds lie at least between the
    starts of two batches.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        limit: int,
        pace: float = 0.0,
    ) -> None:
        self._name = name
        self._run = run
        self._limit = limit
        self._pace = pace
        self._started = float("-inf")
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._draining: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """The result for one item; an error of its batch is raised to everyone in it."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(), name=self._name)
        return await future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                await self._keep_pace()
                batch = [
                    self._waiting.popleft() for _ in range(min(len(self._waiting), self._limit))
                ]
                # whoever was cancelled while waiting does not want it any more
                batch = [(item, future) for item, future in batch if not future.done()]
                if batch:
                    await self._serve(batch)
        finally:
            self._draining = None

    async def _keep_pace(self) -> None:
        loop = asyncio.get_running_loop()
        if (early := self._started + self._pace - loop.time()) > 0:
            await asyncio.sleep(early)
        self._started = loop.time()

    async def _serve(self, batch: Sequence[tuple[T, "asyncio.Future[R]"]]) -> None:
        [outcome] = await asyncio.gather(
            self._run([item for item, _ in batch]), return_exceptions=True
        )
        if isinstance(outcome, BaseException):
            for _, future in batch:
                if not future.done():
                    future.set_exception(outcome)
            return
        for (_, future), result in zip(batch, outcome, strict=True):
            if not future.done():
                future.set_result(result)
