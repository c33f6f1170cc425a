"""Rows of the vault."""

from typing import Final

from jackfield_common.database import Connection, Pool
from jackfield_common.events import SealedSecret
from jackfield_common.ids import IntegrationId, TenantId
from jackfield_oauth.models import KeptCredential

_COLUMNS: Final = "integration_id, tenant, connector, auth, version, requested_version, sealed, kid"
_LABEL: Final = "credential"


class Credentials:
    """The vault's table."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def locked(
        self, connection: Connection, integration_id: IntegrationId
    ) -> KeptCredential | None:
        """One credential, its row locked until the transaction ends."""
        row = await connection.fetchrow(
            f"SELECT {_COLUMNS} FROM credential WHERE integration_id = $1 FOR UPDATE",  # noqa: S608
            integration_id,
        )
        if row is None:
            return None
        sealed = (
            SealedSecret(label=_LABEL, kid=row["kid"], jwe=row["sealed"])
            if row["sealed"] is not None
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
        )

    async def keep(self, connection: Connection, credential: KeptCredential) -> None:
        """Insert or replace; a version never goes back. Raises AssertionError if one would."""
        kept = await connection.fetchval(
            f"INSERT INTO credential ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"  # noqa: S608
            " ON CONFLICT (integration_id) DO UPDATE SET connector = $3, auth = $4, version = $5,"
            " requested_version = $6, sealed = $7, kid = $8, updated_at = now()"
            " WHERE credential.version <= $5 AND credential.tenant = $2 RETURNING true",
            credential.integration_id,
            credential.tenant,
            credential.connector,
            credential.auth,
            credential.version,
            credential.requested_version,
            None if credential.sealed is None else credential.sealed.jwe,
            None if credential.sealed is None else credential.sealed.kid,
        )
        assert kept, "the row was not locked, or its version would go back"
