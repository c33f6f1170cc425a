"""All the SQL of the certification service."""

from datetime import datetime

import asyncpg

from jackfield_certification.models import Run
from jackfield_common.database import Connection, Pool
from jackfield_common.errors import Fenced
from jackfield_common.events.certification import (
    Check,
    Level,
    LevelState,
    RunCompleted,
    RunRequested,
)
from jackfield_common.ids import IntegrationId, TenantId


class Repository:
    """Runs, findings, twins and levels. `holder` names this process: a lease is its alone."""

    def __init__(self, pool: Pool, holder: str) -> None:
        self._pool = pool
        self._holder = holder

    async def add_run(self, connection: Connection, event: RunRequested) -> str | None:
        """Queue a run; a known one stays as it is. Returns the id of another that is under way."""
        other = await connection.fetchval(
            "SELECT run_id FROM run WHERE integration_id = $1 AND state <> 'finished'"
            " AND run_id <> $2 FOR UPDATE",
            event.integration_id,
            event.run_id,
        )
        if other is not None:
            return str(other)
        await connection.execute(
            "INSERT INTO run (run_id, tenant, integration_id, connector, suites, state, requested_at)"
            " VALUES ($1, $2, $3, $4, $5, 'queued', $6) ON CONFLICT (run_id) DO NOTHING",
            event.run_id,
            event.tenant,
            event.integration_id,
            event.connector,
            list(event.suites),
            event.at,
        )
        return None

    async def claim(self, lease: float) -> Run | None:
        """Take the oldest run that waits, or whose process gave no sign of life, for `lease` seconds."""
        row = await self._pool.fetchrow(
            "UPDATE run SET state = 'running', holder = $1, attempt = attempt + 1,"
            " lease_until = now() + $2 * interval '1 second',"
            " started_at = coalesce(started_at, now())"
            " WHERE run_id = (SELECT run_id FROM run WHERE state = 'queued'"
            "   OR (state = 'running' AND lease_until < now())"
            "   ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
            " RETURNING *",
            self._holder,
            lease,
        )
        return _run(row) if row is not None else None

    async def renew(self, run_id: str, lease: float) -> None:
        """Give a sign of life. Raises Fenced when another process took the run over."""
        renewed = await self._pool.fetchval(
            "UPDATE run SET lease_until = now() + $3 * interval '1 second'"
            " WHERE run_id = $1 AND holder = $2 AND state = 'running' RETURNING true",
            run_id,
            self._holder,
            lease,
        )
        if not renewed:
            raise Fenced(f"run {run_id} was taken over by another process")

    async def give_back(self, run_id: str) -> None:
        """Let another process resume a run at once; the attempt does not count."""
        await self._pool.execute(
            "UPDATE run SET state = 'queued', holder = NULL, lease_until = NULL,"
            " attempt = attempt - 1 WHERE run_id = $1 AND holder = $2 AND state = 'running'",
            run_id,
            self._holder,
        )

    async def begin(self, run_id: str, manifest: str) -> None:
        """Note which manifest is worked on; findings about another one are dropped. Raises Fenced."""
        async with self._pool.acquire() as connection, connection.transaction():
            await self.hold(connection, run_id)
            await connection.execute(
                "DELETE FROM finding USING run WHERE finding.run_id = $1 AND run.run_id = $1"
                " AND run.manifest <> $2",
                run_id,
                manifest,
            )
            await connection.execute(
                "UPDATE run SET manifest = $2 WHERE run_id = $1", run_id, manifest
            )

    async def hold(self, connection: Connection, run_id: str) -> None:
        """Make sure, inside a transaction, that the run is still this process's. Raises Fenced."""
        held = await connection.fetchval(
            "SELECT true FROM run WHERE run_id = $1 AND holder = $2 AND state = 'running' FOR UPDATE",
            run_id,
            self._holder,
        )
        if not held:
            raise Fenced(f"run {run_id} was taken over by another process")

    async def add_finding(self, run_id: str, position: int, check: Check) -> None:
        """Keep what a check found. Raises Fenced."""
        async with self._pool.acquire() as connection, connection.transaction():
            await self.hold(connection, run_id)
            await connection.execute(
                "INSERT INTO finding (run_id, position, suite, name, found)"
                " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (run_id, suite, name) DO NOTHING",
                run_id,
                position,
                check.suite,
                check.name,
                check.model_dump_json(),
            )

    async def findings(self, run_id: str) -> list[Check]:
        """What the checks of a run found so far, in the order of the plan."""
        rows = await self._pool.fetch(
            "SELECT found::text AS found FROM finding WHERE run_id = $1 ORDER BY position", run_id
        )
        return [Check.model_validate_json(row["found"]) for row in rows]

    async def finish(self, connection: Connection, report: RunCompleted) -> None:
        """Close a run with its report."""
        await connection.execute(
            "UPDATE run SET state = 'finished', holder = NULL, lease_until = NULL,"
            " finished_at = $2, report = $3 WHERE run_id = $1",
            report.run_id,
            report.finished_at,
            report.model_dump_json(),
        )

    async def add_refused(self, connection: Connection, event: RunRequested, report: str) -> bool:
        """Keep a run that is not carried out, with its report; false when it is known already."""
        return bool(
            await connection.fetchval(
                "INSERT INTO run (run_id, tenant, integration_id, connector, suites, state,"
                " requested_at, finished_at, report)"
                " VALUES ($1, $2, $3, $4, $5, 'finished', $6, now(), $7)"
                " ON CONFLICT (run_id) DO NOTHING RETURNING true",
                event.run_id,
                event.tenant,
                event.integration_id,
                event.connector,
                list(event.suites),
                event.at,
                report,
            )
        )

    async def set_level(
        self, connection: Connection, report: RunCompleted, due_at: datetime | None
    ) -> LevelState:
        """Let a connector's level rest on this report; the new state, with its next version.

        `due_at` is when it is to be earned again.
        """
        row = await connection.fetchrow(
            "INSERT INTO level AS known"
            " (connector, tenant, level, score, run_id, reason, version, since, integration_id, due_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9) ON CONFLICT (connector) DO UPDATE SET"
            " integration_id = excluded.integration_id, due_at = excluded.due_at,"
            " tenant = excluded.tenant, level = excluded.level, score = excluded.score,"
            " run_id = excluded.run_id, reason = excluded.reason, version = known.version + 1,"
            " since = CASE WHEN known.level = excluded.level THEN known.since"
            " ELSE excluded.since END RETURNING *",
            report.connector,
            report.tenant,
            report.level,
            report.score,
            report.run_id,
            report.message,
            report.finished_at,
            report.integration_id,
            due_at,
        )
        assert row is not None
        return LevelState(
            tenant=TenantId(row["tenant"]),
            version=row["version"],
            connector=row["connector"],
            level=Level(row["level"]),
            score=row["score"],
            run_id=row["run_id"],
            reason=row["reason"],
        )

    async def take_due(self, due_again: datetime | None) -> tuple[str, str] | None:
        """A connector whose level is to be earned again, and the integration to do it by.

        It is due again at `due_again`, so that nobody else takes it meanwhile.
        """
        row = await self._pool.fetchrow(
            "UPDATE level SET due_at = $1 WHERE connector = (SELECT connector FROM level"
            "   WHERE due_at <= now() AND integration_id IS NOT NULL"
            "   ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
            " RETURNING connector, integration_id",
            due_again,
        )
        return (row["connector"], row["integration_id"]) if row is not None else None

    async def set_due(self, connector: str, due_at: datetime | None) -> None:
        """When a level is to be earned again; None when it cannot be."""
        await self._pool.execute(
            "UPDATE level SET due_at = $2 WHERE connector = $1", connector, due_at
        )

    async def announce_twin(self, run_id: str, name: str) -> None:
        """Note that a twin is about to be installed. Raises Fenced."""
        async with self._pool.acquire() as connection, connection.transaction():
            await self.hold(connection, run_id)
            await connection.execute(
                "INSERT INTO twin (name, run_id) VALUES ($1, $2)", name, run_id
            )

    async def forget_twin(self, name: str) -> None:
        """Note that a twin is gone."""
        await self._pool.execute("DELETE FROM twin WHERE name = $1", name)

    async def twins_of(self, run_id: str) -> frozenset[str]:
        """The twins of a run that are not known to be gone."""
        rows = await self._pool.fetch("SELECT name FROM twin WHERE run_id = $1", run_id)
        return frozenset(row["name"] for row in rows)

    async def stray_twins(self) -> frozenset[str]:
        """Twins of runs that nobody works on."""
        rows = await self._pool.fetch(
            "SELECT name FROM twin WHERE NOT EXISTS (SELECT FROM run WHERE run.run_id = twin.run_id"
            " AND state = 'running' AND lease_until > now())"
        )
        return frozenset(row["name"] for row in rows)

    async def drop_old(self, days: int) -> int:
        """Drop reports older than so many days on which no level rests; returns how many."""
        rows = await self._pool.fetch(
            "DELETE FROM run WHERE state = 'finished' AND finished_at < now() - $1 * interval '1 day'"
            " AND NOT EXISTS (SELECT FROM level WHERE level.run_id = run.run_id) RETURNING run_id",
            days,
        )
        return len(rows)


def _run(row: asyncpg.Record) -> Run:
    return Run(
        run_id=row["run_id"],
        tenant=TenantId(row["tenant"]),
        integration_id=IntegrationId(row["integration_id"]),
        connector=row["connector"],
        suites=tuple(row["suites"]),
        attempt=row["attempt"],
        manifest=row["manifest"],
        requested_at=row["requested_at"],
        started_at=row["started_at"],
    )
