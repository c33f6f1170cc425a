"""What is dropped by age."""

from datetime import timedelta
from typing import Final

from jackfield_common.database import Connection

_STATEMENTS: Final = {
    "action": "DELETE FROM action WHERE action_id IN (SELECT action_id FROM action"
    " WHERE recorded_at < now() - $1::interval ORDER BY recorded_at LIMIT $2)",
    "idempotency": "DELETE FROM idempotency WHERE (tenant, actor, key) IN"
    " (SELECT tenant, actor, key FROM idempotency"
    " WHERE created_at < now() - $1::interval ORDER BY created_at LIMIT $2)",
    "processed": "DELETE FROM processed WHERE event_id IN (SELECT event_id FROM processed"
    " WHERE recorded_at < now() - $1::interval ORDER BY recorded_at LIMIT $2)",
}

TABLES: Final = tuple(_STATEMENTS)


class Retention:
    """Drops old rows in small batches, inside one transaction each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def drop(self, table: str, age: timedelta, limit: int) -> int:
        """Delete at most `limit` rows older than `age`; returns how many."""
        answer = await self._connection.execute(_STATEMENTS[table], age, limit)
        return int(answer.rpartition(" ")[2])
