"""Rows of revoked tokens."""

from collections.abc import Collection

from jackfield_common.database import Connection, Pool
from jackfield_oauth.models import Revocation


class Revocations:
    """The table of tokens revoked before they expired."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, jtis: Collection[str]) -> dict[str, bool]:
        """Which of these tokens are revoked."""
        rows = await self._pool.fetch(
            "SELECT jti FROM revoked_token WHERE jti = ANY($1::text[])", list(jtis)
        )
        return {row["jti"]: True for row in rows}

    async def insert(self, connection: Connection, revocation: Revocation) -> bool:
        """Keep a revocation; returns whether it was new."""
        return bool(
            await connection.fetchval(
                "INSERT INTO revoked_token (jti, tenant, expires_at) VALUES ($1, $2, $3)"
                " ON CONFLICT DO NOTHING RETURNING true",
                revocation.jti,
                revocation.tenant,
                revocation.expires_at,
            )
        )

    async def delete_expired(
        self, connection: Connection, *, grace_seconds: float, limit: int
    ) -> list[str]:
        """Forget tokens that expired `grace_seconds` ago, at most `limit`; returns their ids."""
        rows = await connection.fetch(
            "DELETE FROM revoked_token WHERE jti IN (SELECT jti FROM revoked_token"
            " WHERE expires_at < now() - $1 * interval '1 second' ORDER BY expires_at LIMIT $2"
            " FOR UPDATE SKIP LOCKED) RETURNING jti",
            grace_seconds,
            limit,
        )
        return [row["jti"] for row in rows]
