"""Rows of the vault."""

from typing import Final

import asyncpg

from jackfield_common.database import Connection
from jackfield_common.events import SealedSecret
from jackfield_common.ids import IntegrationId, TenantId
from jackfield_oauth.models import CredentialStatus, KeptCredential, Spending

_COLUMNS: Final = (
    "integration_id, tenant, connector, auth, version, requested_version, sealed, kid, state, reason,"
    " refresh_at, spending_version, spending_by, spending_until"
)
_LABEL: Final = "credential"


class Credentials:
    """The vault's table."""

    async def locked(
        self, connection: Connection, integration_id: IntegrationId
    ) -> KeptCredential | None:
        """One credential, its row locked until the transaction ends."""
        row = await connection.fetchrow(
            f"SELECT {_COLUMNS} FROM credential WHERE integration_id = $1 FOR UPDATE",  # noqa: S608
            integration_id,
        )
        return None if row is None else _credential(row)

    async def keep(self, connection: Connection, credential: KeptCredential) -> None:
        """Insert or replace; a version never goes back. Raises AssertionError if one would."""
        spending = credential.spending
        kept = await connection.fetchval(
            f"INSERT INTO credential ({_COLUMNS})"  # noqa: S608
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
            " ON CONFLICT (integration_id) DO UPDATE SET connector = $3, auth = $4, version = $5,"
            " requested_version = $6, sealed = $7, kid = $8, state = $9, reason = $10,"
            " refresh_at = $11, spending_version = $12, spending_by = $13, spending_until = $14,"
            " updated_at = now()"
            " WHERE credential.version <= $5 AND credential.tenant = $2 RETURNING true",
            credential.integration_id,
            credential.tenant,
            credential.connector,
            credential.auth,
            credential.version,
            credential.requested_version,
            None if credential.sealed is None else credential.sealed.jwe,
            None if credential.sealed is None else credential.sealed.kid,
            credential.status.value,
            credential.reason,
            credential.refresh_at,
            None if spending is None else spending.version,
            None if spending is None else spending.by,
            None if spending is None else spending.until,
        )
        assert kept, "the row was not locked, or its version would go back"

    async def take_due(
        self, connection: Connection, *, again_seconds: float, limit: int
    ) -> list[KeptCredential]:
        """Credentials that are due for renewal, at most `limit`.

        Each is due again in `again_seconds`, should its renewal come to nothing.
        """
        rows = await connection.fetch(
            "UPDATE credential SET refresh_at = now() + $1 * interval '1 second'"  # noqa: S608
            " WHERE integration_id IN (SELECT integration_id FROM credential"
            " WHERE refresh_at <= now() AND state = 'connected'"
            " ORDER BY refresh_at LIMIT $2 FOR UPDATE SKIP LOCKED)"
            f" RETURNING {_COLUMNS}",
            again_seconds,
            limit,
        )
        return [_credential(row) for row in rows]


def _credential(row: asyncpg.Record) -> KeptCredential:
    sealed = (
        SealedSecret(label=_LABEL, kid=row["kid"], jwe=row["sealed"])
        if row["sealed"] is not None
        else None
    )
    spending = (
        Spending(row["spending_version"], row["spending_by"], row["spending_until"])
        if row["spending_version"] is not None
        else None
    )
    return KeptCredential(
        integration_id=IntegrationId(row["integration_id"]),
        tenant=TenantId(row["tenant"]),
        connector=row["connector"],
        auth=row["auth"],
        version=row["version"],
        requested_version=row["requested_version"],
        sealed=sealed,
        status=CredentialStatus(row["state"]),
        reason=row["reason"],
        refresh_at=row["refresh_at"],
        spending=spending,
    )
