"""Rows of what people allowed clients: consents, grants, codes, refresh tokens, granted tokens."""

from datetime import datetime
from typing import Final

import asyncpg

from jackfield_common.database import Connection, Pool
from jackfield_common.ids import TenantId
from jackfield_oauth.models import Grant, IssuedCode, IssuedRefreshToken, Revocation

GRANT: Final = "g.grant_id, g.client_id, g.user_id, g.tenant, g.scopes, g.auth_time, g.revoked_at"
"""The columns of a grant, where its table is called g."""


class Grants:
    """The tables of grants."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def consented(self, user_id: str, client_id: str) -> tuple[str, ...]:
        """The scopes that a person once allowed a client."""
        scopes = await self._pool.fetchval(
            "SELECT scopes FROM consent WHERE user_id = $1 AND client_id = $2", user_id, client_id
        )
        return tuple(scopes or ())

    async def consent(
        self, connection: Connection, user_id: str, client_id: str, scopes: tuple[str, ...]
    ) -> None:
        """Remember what a person allows, beside what they allowed before."""
        await connection.execute(
            "INSERT INTO consent (user_id, client_id, scopes) VALUES ($1, $2, $3)"
            " ON CONFLICT (user_id, client_id) DO UPDATE SET given_at = now(), scopes = ARRAY("
            " SELECT DISTINCT unnest(consent.scopes || $3) ORDER BY 1)",
            user_id,
            client_id,
            list(scopes),
        )

    async def start(self, connection: Connection, grant: Grant) -> None:
        """Keep a grant."""
        await connection.execute(
            "INSERT INTO access_grant (grant_id, client_id, user_id, tenant, scopes, auth_time)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            grant.grant_id,
            grant.client_id,
            grant.user_id,
            grant.tenant,
            list(grant.scopes),
            grant.auth_time,
        )

    async def revoke(self, connection: Connection, grant_id: str, reason: str) -> list[Revocation]:
        """End a grant; returns its access tokens that are still alive. Twice is as once."""
        await connection.execute(
            "UPDATE access_grant SET revoked_at = coalesce(revoked_at, now()),"
            " reason = CASE WHEN revoked_at IS NULL THEN $2 ELSE reason END WHERE grant_id = $1",
            grant_id,
            reason,
        )
        rows = await connection.fetch(
            "SELECT jti, tenant, expires_at FROM granted_token JOIN access_grant USING (grant_id)"
            " WHERE grant_id = $1 AND expires_at > now()",
            grant_id,
        )
        return [Revocation(row["jti"], TenantId(row["tenant"]), row["expires_at"]) for row in rows]

    async def of_client(self, connection: Connection, client_id: str) -> list[str]:
        """Every live grant of a client."""
        rows = await connection.fetch(
            "SELECT grant_id FROM access_grant WHERE client_id = $1 AND revoked_at IS NULL",
            client_id,
        )
        return [row["grant_id"] for row in rows]

    async def keep_code(self, connection: Connection, code: IssuedCode) -> None:
        """Keep an authorization code."""
        await connection.execute(
            "INSERT INTO authorization_code (code_digest, grant_id, redirect_uri, redirect_given,"
            " challenge, nonce, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            code.code_digest,
            code.grant.grant_id,
            code.redirect_uri,
            code.redirect_given,
            code.challenge,
            code.nonce,
            code.expires_at,
        )

    async def code(self, connection: Connection, digest: bytes) -> IssuedCode | None:
        """A code, locked until the transaction ends; also one that was used or is over."""
        row = await connection.fetchrow(
            "SELECT c.code_digest, c.redirect_uri, c.redirect_given, c.challenge, c.nonce,"  # noqa: S608
            f" c.expires_at, c.used_at, {GRANT} FROM authorization_code c"
            " JOIN access_grant g USING (grant_id) WHERE code_digest = $1 FOR UPDATE",
            digest,
        )
        if row is None:
            return None
        return IssuedCode(
            code_digest=row["code_digest"],
            grant=grant_of(row),
            redirect_uri=row["redirect_uri"],
            redirect_given=row["redirect_given"],
            challenge=row["challenge"],
            nonce=row["nonce"],
            expires_at=row["expires_at"],
            used=row["used_at"] is not None,
        )

    async def use_code(self, connection: Connection, digest: bytes) -> None:
        """A code is used up."""
        await connection.execute(
            "UPDATE authorization_code SET used_at = now() WHERE code_digest = $1", digest
        )

    async def keep_refresh_token(
        self, connection: Connection, digest: bytes, grant_id: str, expires_at: datetime
    ) -> None:
        """Keep a refresh token; one that is kept already stays as it is."""
        await connection.execute(
            "INSERT INTO refresh_token (token_digest, grant_id, expires_at) VALUES ($1, $2, $3)"
            " ON CONFLICT DO NOTHING",
            digest,
            grant_id,
            expires_at,
        )

    async def refresh_token(
        self, connection: Connection, digest: bytes, successor: bytes
    ) -> IssuedRefreshToken | None:
        """A refresh token, its grant locked until the transaction ends; also one that is over."""
        row = await connection.fetchrow(
            "SELECT t.token_digest, t.expires_at, t.used_at, coalesce((SELECT s.used_at IS NOT NULL"  # noqa: S608
            f" FROM refresh_token s WHERE s.token_digest = $2), false) AS successor_used, {GRANT}"
            " FROM refresh_token t JOIN access_grant g USING (grant_id) WHERE t.token_digest = $1"
            " FOR UPDATE OF t, g",
            digest,
            successor,
        )
        if row is None:
            return None
        return IssuedRefreshToken(
            token_digest=row["token_digest"],
            grant=grant_of(row),
            expires_at=row["expires_at"],
            used_at=row["used_at"],
            successor_used=row["successor_used"],
        )

    async def use_refresh_token(self, connection: Connection, digest: bytes) -> None:
        """A refresh token was used; the first time counts."""
        await connection.execute(
            "UPDATE refresh_token SET used_at = coalesce(used_at, now()) WHERE token_digest = $1",
            digest,
        )

    async def find_refresh_token(self, digest: bytes) -> IssuedRefreshToken | None:
        """A refresh token, to look at."""
        row = await self._pool.fetchrow(
            f"SELECT t.token_digest, t.expires_at, t.used_at, {GRANT} FROM refresh_token t"  # noqa: S608
            " JOIN access_grant g USING (grant_id) WHERE t.token_digest = $1",
            digest,
        )
        if row is None:
            return None
        return IssuedRefreshToken(
            token_digest=row["token_digest"],
            grant=grant_of(row),
            expires_at=row["expires_at"],
            used_at=row["used_at"],
        )

    async def keep_granted_token(
        self, connection: Connection, jti: str, grant_id: str, expires_at: datetime
    ) -> None:
        """Remember that an access token hangs on a grant."""
        await connection.execute(
            "INSERT INTO granted_token (jti, grant_id, expires_at) VALUES ($1, $2, $3)",
            jti,
            grant_id,
            expires_at,
        )

    async def forget_expired(self) -> None:
        """Delete codes and tokens that expired a day ago, and grants that nothing hangs on."""
        for table in ("authorization_code", "refresh_token", "granted_token"):
            await self._pool.execute(
                f"DELETE FROM {table} WHERE expires_at < now() - interval '1 day'"  # noqa: S608
            )
        await self._pool.execute(
            "DELETE FROM access_grant g WHERE created_at < now() - interval '1 day'"
            " AND NOT EXISTS (SELECT FROM authorization_code c WHERE c.grant_id = g.grant_id)"
            " AND NOT EXISTS (SELECT FROM refresh_token t WHERE t.grant_id = g.grant_id)"
            " AND NOT EXISTS (SELECT FROM granted_token a WHERE a.grant_id = g.grant_id)"
        )


def grant_of(row: asyncpg.Record) -> Grant:
    """The grant in a row that `GRANT` was selected into."""
    return Grant(
        grant_id=row["grant_id"],
        client_id=row["client_id"],
        user_id=row["user_id"],
        tenant=TenantId(row["tenant"]),
        scopes=tuple(row["scopes"]),
        auth_time=row["auth_time"],
        revoked=row["revoked_at"] is not None,
    )
