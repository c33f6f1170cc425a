"""Rows of authorization requests that clients sent ahead."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import cast

from jackfield_common.database import Connection, Pool
from jackfield_oauth.models import PushedRequest


class PushedRequests:
    """The table of pushed requests."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def insert(
        self, digest: bytes, client_id: str, parameters: Mapping[str, str], expires_at: datetime
    ) -> None:
        """Keep a request; those that are over go."""
        await self._pool.execute(
            "DELETE FROM pushed_request WHERE expires_at < now() - interval '1 hour'"
        )
        await self._pool.execute(
            "INSERT INTO pushed_request (request_digest, client_id, parameters, expires_at)"
            " VALUES ($1, $2, $3::jsonb, $4)",
            digest,
            client_id,
            json.dumps(dict(parameters)),
            expires_at,
        )

    async def find(self, digest: bytes, client_id: str) -> PushedRequest | None:
        """The open request of this client with this reference."""
        row = await self._pool.fetchrow(
            "SELECT parameters::text AS parameters, pushed_at FROM pushed_request"
            " WHERE request_digest = $1 AND client_id = $2 AND used_at IS NULL"
            " AND expires_at > now()",
            digest,
            client_id,
        )
        if row is None:
            return None
        parameters = cast(dict[str, str], json.loads(row["parameters"]))
        return PushedRequest(digest, parameters, row["pushed_at"])

    async def use(self, connection: Connection, digest: bytes) -> bool:
        """Use a request up; returns whether it was still open."""
        return bool(
            await connection.fetchval(
                "UPDATE pushed_request SET used_at = now() WHERE request_digest = $1"
                " AND used_at IS NULL AND expires_at > now() RETURNING true",
                digest,
            )
        )
