"""Many small writes in one transaction, so that a commit's wait for the disk is shared."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import asyncpg

from jackfield_common.errors import ErrorKind, Failure, NotReady
from jackfield_gateway.repository.store import Store, Transaction

T = TypeVar("T")

MAX_BATCH: Final = 500


class GroupCommit(Generic[T]):
    """Gathers what comes while a transaction is under way, and writes it in the next one."""

    def __init__(
        self, store: Store, write: Callable[[Transaction, Sequence[T]], Awaitable[None]]
    ) -> None:
        self._store = store
        self._write = write
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Write `item`; returns once it is committed.

        Raises NotReady while PostgreSQL is away, Failure(BUG) when it refuses this very item.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._drain(), name="group-commit")
        await done

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                await self._commit(batch)
        finally:
            self._writer = None

    async def _commit(self, batch: list[tuple[T, asyncio.Future[None]]]) -> None:
        try:
            async with self._store.transaction() as tx:
                await self._write(tx, [item for item, _ in batch])
        except NotReady as error:
            for _, done in batch:
                _fail(done, NotReady(str(error), retry_after=error.retry_after))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, UnicodeError) as error:
            if len(batch) > 1:
                for one in batch:  # one of them is to blame: the others go on
                    await self._commit([one])
            else:
                _fail(batch[0][1], Failure(ErrorKind.BUG, f"not storable: {type(error).__name__}"))
        else:
            for _, done in batch:
                if not done.done():
                    done.set_result(None)


def _fail(done: asyncio.Future[None], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
