"""Rows of users on their way to a vendor's sign-in and back."""

from typing import Final

import asyncpg

from jackfield_common.database import Connection, Pool
from jackfield_common.events import SealedSecret
from jackfield_common.ids import IntegrationId, TenantId
from jackfield_oauth.models import SignIn

_COLUMNS: Final = (
    "ticket_digest, integration_id, tenant, requested_version, return_to, expires_at, state_digest,"
    " browser_digest, verifier, verifier_kid"
)
_OPEN: Final = "used_at IS NULL AND expires_at > now()"


class SignIns:
    """The table of sign-ins under way."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def insert(self, connection: Connection, sign_in: SignIn) -> None:
        """Add one; earlier ones of the same integration are over."""
        await connection.execute(
            "DELETE FROM sign_in WHERE integration_id = $1 OR expires_at < now()",
            sign_in.integration_id,
        )
        await connection.execute(
            "INSERT INTO sign_in (ticket_digest, integration_id, tenant, requested_version,"
            " return_to, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
            sign_in.ticket_digest,
            sign_in.integration_id,
            sign_in.tenant,
            sign_in.requested_version,
            sign_in.return_to,
            sign_in.expires_at,
        )

    async def delete(self, connection: Connection, integration_id: IntegrationId) -> None:
        """Forget those of an integration."""
        await connection.execute("DELETE FROM sign_in WHERE integration_id = $1", integration_id)

    async def find(self, ticket_digest: bytes) -> SignIn | None:
        """The open one with this ticket."""
        row = await self._pool.fetchrow(
            f"SELECT {_COLUMNS} FROM sign_in WHERE ticket_digest = $1 AND {_OPEN}",  # noqa: S608
            ticket_digest,
        )
        return None if row is None else _sign_in(row)

    async def depart(
        self, ticket_digest: bytes, state: bytes, browser: bytes, verifier: SealedSecret
    ) -> bool:
        """Bind an open one to a browser and a state; returns whether it was still open."""
        return bool(
            await self._pool.fetchval(
                "UPDATE sign_in SET state_digest = $2, browser_digest = $3, verifier = $4,"  # noqa: S608
                f" verifier_kid = $5 WHERE ticket_digest = $1 AND {_OPEN} RETURNING true",
                ticket_digest,
                state,
                browser,
                verifier.jwe,
                verifier.kid,
            )
        )

    async def take(self, state: bytes, browser: bytes) -> SignIn | None:
        """The open one of this state and browser, which is used from then on."""
        row = await self._pool.fetchrow(
            f"UPDATE sign_in SET used_at = now() WHERE state_digest = $1"  # noqa: S608
            f" AND browser_digest = $2 AND {_OPEN} RETURNING {_COLUMNS}",
            state,
            browser,
        )
        return None if row is None else _sign_in(row)


def _sign_in(row: asyncpg.Record) -> SignIn:
    verifier = row["verifier"]
    return SignIn(
        ticket_digest=row["ticket_digest"],
        integration_id=IntegrationId(row["integration_id"]),
        tenant=TenantId(row["tenant"]),
        requested_version=row["requested_version"],
        return_to=row["return_to"],
        expires_at=row["expires_at"],
        state_digest=row["state_digest"],
        browser_digest=row["browser_digest"],
        verifier=None
        if verifier is None
        else SealedSecret(label="verifier", kid=row["verifier_kid"], jwe=verifier),
    )
