"""Transactions: rows and the events about them, together or not at all."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from jackfield_common.database import AWAY, Connection, Pool
from jackfield_common.errors import NotReady
from jackfield_common.events.message import Event
from jackfield_common.outbox import Outbox
from jackfield_common.topics import Topic
from jackfield_gateway.repository.actions import Actions
from jackfield_gateway.repository.api_keys import ApiKeys
from jackfield_gateway.repository.certifications import Certifications
from jackfield_gateway.repository.deliveries import Deliveries
from jackfield_gateway.repository.integrations import Integrations
from jackfield_gateway.repository.retention import Retention
from jackfield_gateway.repository.routes import Routes

ACQUIRE_TIMEOUT: Final = 3.0
"""Seconds until a request that finds no database connection is told to come back."""
_RETRY_AFTER: Final = 2.0


class Transaction:
    """One transaction: the tables, and the outbox beside them."""

    def __init__(self, connection: Connection, outbox: Outbox) -> None:
        self._connection = connection
        self._outbox = outbox
        self.published = False
        self.integrations = Integrations(connection)
        self.routes = Routes(connection)
        self.actions = Actions(connection)
        self.deliveries = Deliveries(connection)
        self.api_keys = ApiKeys(connection)
        self.certifications = Certifications(connection)
        self.retention = Retention(connection)

    async def publish(self, event: Event) -> None:
        """Publish `event` if the transaction commits. Raises Failure(INVALID) when it is too large."""
        await self._outbox.put(self._connection, event)
        self.published = True

    async def retract(self, topic: Topic, key: str, version: int) -> None:
        """Publish the deletion of an entity if the transaction commits."""
        await self._outbox.delete(self._connection, topic, key, version)
        self.published = True


class Store:
    """Opens transactions."""

    def __init__(self, pool: Pool, outbox: Outbox) -> None:
        self._pool = pool
        self._outbox = outbox

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction]:
        """Commits at the end of the block, unless it raises.

        Raises NotReady while PostgreSQL is away.
        """
        async with self._connection() as connection, connection.transaction():
            transaction = Transaction(connection, self._outbox)
            yield transaction
        if transaction.published:
            self._outbox.wake()

    @asynccontextmanager
    async def statements(self) -> AsyncGenerator[Transaction]:
        """Each statement by itself, at once committed: for a single one that publishes nothing.

        Raises NotReady while PostgreSQL is away.
        """
        async with self._connection() as connection:
            transaction = Transaction(connection, self._outbox)
            yield transaction
            assert not transaction.published, "an event needs a transaction to stand in"

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        try:
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT) as connection:
                yield connection
        except AWAY as error:
            raise NotReady(
                f"the database does not answer ({type(error).__name__})", retry_after=_RETRY_AFTER
            ) from error
