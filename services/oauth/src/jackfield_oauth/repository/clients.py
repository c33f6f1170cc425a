"""Rows of registered clients."""

from collections.abc import Collection
from typing import Final

import asyncpg

from jackfield_common.database import Connection, Pool
from jackfield_common.ids import TenantId
from jackfield_oauth.models import Client

_COLUMNS: Final = (
    "client_id, tenant, name, auth_method, secret_digest, grant_types, redirect_uris, scopes,"
    " introspects"
)


class Clients:
    """The table of clients."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, client_ids: Collection[str]) -> dict[str, Client]:
        """The clients among these ids that exist."""
        rows = await self._pool.fetch(
            f"SELECT {_COLUMNS} FROM client WHERE client_id = ANY($1::text[])",  # noqa: S608
            list(client_ids),
        )
        return {row["client_id"]: _client(row) for row in rows}

    async def put(self, connection: Connection, client: Client) -> None:
        """Insert a client, or replace the one with its id."""
        await connection.execute(
            f"INSERT INTO client ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"  # noqa: S608
            " ON CONFLICT (client_id) DO UPDATE SET tenant = $2, name = $3, auth_method = $4,"
            " secret_digest = $5, grant_types = $6, redirect_uris = $7, scopes = $8,"
            " introspects = $9",
            client.client_id,
            client.tenant,
            client.name,
            client.auth_method,
            client.secret_digest,
            list(client.grant_types),
            list(client.redirect_uris),
            list(client.scopes),
            client.introspects,
        )


def _client(row: asyncpg.Record) -> Client:
    return Client(
        client_id=row["client_id"],
        tenant=TenantId(row["tenant"]),
        name=row["name"],
        auth_method=row["auth_method"],
        secret_digest=row["secret_digest"],
        grant_types=tuple(row["grant_types"]),
        redirect_uris=tuple(row["redirect_uris"]),
        scopes=tuple(row["scopes"]),
        introspects=row["introspects"],
    )
