"""Certification runs and their reports."""

from jackfield_common.database import Connection
from jackfield_common.events.certification import RunCompleted
from jackfield_common.ids import TenantId
from jackfield_gateway.models.certification import CertificationRun
from jackfield_gateway.repository.rows import load


class Certifications:
    """Rows of `certification_run`, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, tenant: TenantId, one: CertificationRun) -> None:
        """Insert."""
        await self._connection.execute(
            "INSERT INTO certification_run (run_id, tenant, integration_id, connector, suites, status,"
            " requested_at) VALUES ($1, $2, $3, $4, $5, 'requested', $6)",
            one.run_id,
            tenant,
            one.integration_id,
            one.connector,
            list(one.suites),
            one.requested_at,
        )

    async def record(self, report: RunCompleted) -> None:
        """Keep a report; one of a run that nobody asked for here (the schedule's) as well."""
        await self._connection.execute(
            "INSERT INTO certification_run (run_id, tenant, integration_id, connector, suites, status,"
            " report, requested_at, finished_at) VALUES ($1, $2, $3, $4, $5, 'completed', $6, $7, $8)"
            " ON CONFLICT (run_id) DO UPDATE SET status = 'completed', report = excluded.report,"
            " finished_at = excluded.finished_at"
            " WHERE certification_run.tenant = excluded.tenant",
            report.run_id,
            report.tenant,
            report.integration_id,
            report.connector,
            list(report.suites),
            report.to_bytes().decode(),
            report.started_at,
            report.finished_at,
        )

    async def find(self, tenant: TenantId, run_id: str) -> CertificationRun | None:
        """One run of a tenant."""
        row = await self._connection.fetchrow(
            "SELECT run_id, integration_id, connector, suites, status, report, requested_at,"
            " finished_at FROM certification_run WHERE tenant = $1 AND run_id = $2",
            tenant,
            run_id,
        )
        if row is None:
            return None
        return CertificationRun.model_validate({**row, "report": load(row["report"])})
