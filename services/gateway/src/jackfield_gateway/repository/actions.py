"""Actions and their results, and what was asked under an idempotency key."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from jackfield_common.database import Connection
from jackfield_common.events.action import ActionCompleted
from jackfield_common.ids import TenantId
from jackfield_gateway.models.action import ActionResult
from jackfield_gateway.repository.rows import dump, load

_COLUMNS: Final = (
    "action_id, integration_id, connector, action, status, success, message, data, error, field,"
    " attempts, duration_ms, subscription_id, cause, requested_at, completed_at"
)


def _result(row: asyncpg.Record) -> ActionResult:
    return ActionResult.model_validate({**row, "data": load(row["data"])})


class Actions:
    """Rows of `action` and `idempotency`, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(
        self, tenant: TenantId, actor: str, key: str, fingerprint: bytes, action_id: str
    ) -> tuple[bytes, str] | None:
        """Take an idempotency key; else the fingerprint and the action it already stands for.

        Of two that come at once, the second waits until the first has committed.
        """
        taken = await self._connection.fetchval(
            "INSERT INTO idempotency (tenant, actor, key, fingerprint, action_id)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING true",
            tenant,
            actor,
            key,
            fingerprint,
            action_id,
        )
        if taken:
            return None
        row = await self._connection.fetchrow(
            "SELECT fingerprint, action_id FROM idempotency"
            " WHERE tenant = $1 AND actor = $2 AND key = $3",
            tenant,
            actor,
            key,
        )
        assert row is not None, "dropped by age between two statements"
        return row["fingerprint"], row["action_id"]

    async def add(self, tenant: TenantId, one: ActionResult) -> None:
        """Note an action that is about to be asked for."""
        await self._connection.execute(
            "INSERT INTO action (action_id, tenant, integration_id, connector, action, status,"
            " requested_at) VALUES ($1, $2, $3, $4, $5, 'pending', $6)",
            one.action_id,
            tenant,
            one.integration_id,
            one.connector,
            one.action,
            one.requested_at,
        )

    async def find(self, tenant: TenantId, action_id: str) -> ActionResult | None:
        """One action of a tenant."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM action WHERE tenant = $1 AND action_id = $2",  # noqa: S608
            tenant,
            action_id,
        )
        return _result(row) if row else None

    async def note_answer(self, tenant: TenantId, one: ActionResult) -> None:
        """Keep what an answer said, until `record` completes it.

        Does not wait for the disk: the record on the bus says the same.
        """
        await self._connection.execute(
            "WITH hasty AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))"
            " UPDATE action SET status = 'completed', success = $3, message = $4, data = $5,"
            " error = $6, field = $7, completed_at = $8 FROM hasty"
            " WHERE tenant = $1 AND action_id = $2 AND status = 'pending'",
            tenant,
            one.action_id,
            one.success,
            _stored_text(one.message),
            None if one.data is None else dump(one.data),
            one.error,
            one.field,
            one.completed_at,
        )

    async def record(self, results: Sequence[ActionCompleted]) -> None:
        """Keep results; the first one of an action stays."""
        await self._connection.executemany(
            "INSERT INTO action AS a (action_id, tenant, integration_id, connector, action, status,"
            " success, message, data, error, field, attempts, duration_ms, subscription_id, cause,"
            " requested_at, completed_at)"
            " VALUES ($1, $2, $3, $4, $5, 'completed', $6, $7, $8, $9, $10, $11, $12, $13, $14,"
            " coalesce($15::timestamptz, $16::timestamptz), $16)"
            " ON CONFLICT (action_id) DO UPDATE SET status = 'completed',"
            " success = excluded.success, message = excluded.message, data = excluded.data,"
            " error = excluded.error, field = excluded.field, attempts = excluded.attempts,"
            " duration_ms = excluded.duration_ms, completed_at = excluded.completed_at,"
            " recorded_at = now()"
            " WHERE a.attempts IS NULL AND a.tenant = excluded.tenant",
            [
                (
                    one.action_id,
                    one.tenant,
                    one.integration_id,
                    one.connector,
                    one.action,
                    one.success,
                    _stored_text(one.message),
                    None if one.data is None else dump(one.data),
                    one.error,
                    one.field,
                    one.attempts,
                    one.duration_ms,
                    one.subscription_id,
                    one.cause,
                    one.requested_at,
                    one.at,
                )
                for one in results
            ],
        )


def _stored_text(text: str) -> str:
    # PostgreSQL's text cannot hold NUL; a vendor's message may.
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
