"""All the SQL of the connectors service."""

from datetime import timedelta
from typing import Final

from jackfield_common.database import Connection, Pool
from jackfield_common.events.action import ActionCompleted, ActionRequested
from jackfield_common.events.health import HealthState
from jackfield_common.events.integration import IntegrationState
from jackfield_connectors.models import Begun, Finished, Known, Observation

_FIND: Final = "SELECT state, replayed_by, result FROM action WHERE action_id = $1"
_BEGIN: Final = """
INSERT INTO action (action_id, integration_id, state, replayed_by) VALUES ($1, $2, $3, $4)
ON CONFLICT (action_id) DO UPDATE
SET state = excluded.state, replayed_by = excluded.replayed_by, result = NULL, error = NULL,
    changed_at = now()
"""
_FINISH: Final = """
INSERT INTO action (action_id, integration_id, state, error, result, replayed_by)
VALUES ($1, $2, 'done', $3, $4, $5)
ON CONFLICT (action_id) DO UPDATE
SET state = 'done', replayed_by = excluded.replayed_by, error = excluded.error,
    result = excluded.result, changed_at = now()
WHERE action.result IS DISTINCT FROM excluded.result
RETURNING true
"""
_OBSERVE: Final = """
INSERT INTO health (integration_id, tenant, version, status, authentication_status, response_time_ms,
                    last_check, last_successful_operation, error, message)
VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (integration_id) DO UPDATE SET
    version = health.version + 1,
    status = excluded.status,
    authentication_status = CASE excluded.authentication_status
        WHEN 'unknown' THEN health.authentication_status ELSE excluded.authentication_status END,
    response_time_ms = coalesce(excluded.response_time_ms, health.response_time_ms),
    last_check = greatest(excluded.last_check, health.last_check),
    last_successful_operation =
        greatest(excluded.last_successful_operation, health.last_successful_operation),
    error = excluded.error,
    message = excluded.message
WHERE $10 OR health.status <> excluded.status
RETURNING version, authentication_status, response_time_ms, last_check, last_successful_operation
"""


class Repository:
    """Reads through the pool; writes through the connection of the caller's transaction."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, action_id: str) -> Known:
        """What is known of an action."""
        row = await self._pool.fetchrow(_FIND, action_id)
        if row is None:
            return None
        if row["state"] == "done":
            return Finished(ActionCompleted.from_bytes(row["result"]), row["replayed_by"])
        return Begun(row["state"], row["replayed_by"])

    async def begin(self, connection: Connection, request: ActionRequested, replay: str) -> None:
        """Note that a call which must not be repeated is about to be made, in this replay of it."""
        await connection.execute(
            _BEGIN, request.action_id, request.integration_id, "intent", replay
        )

    async def reopen(self, connection: Connection, request: ActionRequested, replay: str) -> None:
        """Note that the call was answered and did nothing: it may be made again."""
        await connection.execute(_BEGIN, request.action_id, request.integration_id, "open", replay)

    async def finish(self, connection: Connection, completed: ActionCompleted, replay: str) -> bool:
        """Keep a result. False when this very result is kept already."""
        return bool(
            await connection.fetchval(
                _FINISH,
                completed.action_id,
                completed.integration_id,
                completed.error,
                completed.to_bytes(),
                replay,
            )
        )

    async def forget_actions(self, older_than: timedelta, limit: int = 5_000) -> int:
        """Drop finished actions by age; returns how many."""
        rows = await self._pool.fetch(
            "DELETE FROM action WHERE action_id IN (SELECT action_id FROM action"
            " WHERE changed_at < now() - $1::interval AND state = 'done' ORDER BY changed_at LIMIT $2)"
            " RETURNING true",
            older_than,
            limit,
        )
        return len(rows)

    async def observe(
        self, connection: Connection, integration: IntegrationState, seen: Observation
    ) -> HealthState | None:
        """Keep what a call said of an integration's health; the new state when it is worth publishing."""
        row = await connection.fetchrow(
            _OBSERVE,
            integration.integration_id,
            integration.tenant,
            seen.status.value,
            seen.authentication,
            seen.response_time_ms,
            seen.checked_at,
            seen.succeeded_at,
            seen.error,
            seen.message,
            seen.always,
        )
        if row is None:
            return None
        return HealthState(
            tenant=integration.tenant,
            version=row["version"],
            integration_id=integration.integration_id,
            status=seen.status,
            authentication_status=row["authentication_status"],
            response_time_ms=row["response_time_ms"],
            last_check=row["last_check"],
            last_successful_operation=row["last_successful_operation"],
            error=seen.error,
            message=seen.message,
        )

    async def forget_health(self, connection: Connection, integration_id: str) -> int | None:
        """Drop the health of an uninstalled integration; the version that its deletion has."""
        version = await connection.fetchval(
            "DELETE FROM health WHERE integration_id = $1 RETURNING version", integration_id
        )
        return None if version is None else int(version) + 1

    async def lock_manifests(self, connection: Connection) -> dict[str, tuple[int, str | None]]:
        """Version and digest of every manifest ever published; nobody else changes them meanwhile."""
        await connection.execute("LOCK TABLE manifest IN SHARE ROW EXCLUSIVE MODE")
        rows = await connection.fetch("SELECT slug, version, digest FROM manifest")
        return {row["slug"]: (row["version"], row["digest"]) for row in rows}

    async def keep_manifest(
        self, connection: Connection, slug: str, version: int, digest: str | None
    ) -> None:
        """Note what was published of a connector; no digest when it was withdrawn."""
        await connection.execute(
            "INSERT INTO manifest (slug, version, digest) VALUES ($1, $2, $3)"
            " ON CONFLICT (slug) DO UPDATE SET version = $2, digest = $3",
            slug,
            version,
            digest,
        )
