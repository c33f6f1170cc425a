"""API keys, and the value that their digests are keyed with."""

from dataclasses import dataclass
from datetime import datetime

from jackfield_common.database import Connection
from jackfield_common.events.integration import SealedSecret
from jackfield_common.ids import TenantId
from jackfield_gateway.models.actor import Scope
from jackfield_gateway.models.api_key import ApiKey


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key whose digest matched."""

    key_id: str
    tenant: TenantId
    scopes: frozenset[Scope]
    expires_at: datetime | None


class ApiKeys:
    """Rows of `api_key` and `sealed_value`, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, tenant: TenantId, one: ApiKey, digest: bytes) -> None:
        """Insert."""
        await self._connection.execute(
            "INSERT INTO api_key (key_id, tenant, name, digest, scopes, created_at, created_by,"
            " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            one.key_id,
            tenant,
            one.name,
            digest,
            list(one.scopes),
            one.created_at,
            one.created_by,
            one.expires_at,
        )

    async def find(self, digest: bytes) -> FoundKey | None:
        """The key with this digest, whatever its tenant."""
        row = await self._connection.fetchrow(
            "SELECT key_id, tenant, scopes, expires_at FROM api_key WHERE digest = $1", digest
        )
        if row is None:
            return None
        scopes = frozenset(Scope(scope) for scope in row["scopes"])
        return FoundKey(row["key_id"], TenantId(row["tenant"]), scopes, row["expires_at"])

    async def remove(self, tenant: TenantId, key_id: str) -> bool:
        """Revoke; False when the tenant has no such key."""
        removed = await self._connection.fetchval(
            "DELETE FROM api_key WHERE tenant = $1 AND key_id = $2 RETURNING true", tenant, key_id
        )
        return bool(removed)

    async def page(
        self, tenant: TenantId, after: tuple[datetime, str] | None, limit: int
    ) -> list[ApiKey]:
        """At most `limit` keys, oldest first, beginning behind `after`."""
        at, key = after or (None, None)
        rows = await self._connection.fetch(
            "SELECT key_id, name, scopes, created_at, created_by, expires_at FROM api_key"
            " WHERE tenant = $1"
            " AND ($2::timestamptz IS NULL OR (created_at, key_id) > ($2, $3))"
            " ORDER BY created_at, key_id LIMIT $4",
            tenant,
            at,
            key,
            limit,
        )
        return [ApiKey.model_validate(dict(row)) for row in rows]

    async def sealed_value(self, name: str) -> SealedSecret | None:
        """A value that only this service can open."""
        text = await self._connection.fetchval(
            "SELECT sealed FROM sealed_value WHERE name = $1", name
        )
        return None if text is None else SealedSecret.model_validate_json(text)

    async def keep_sealed_value(self, name: str, sealed: SealedSecret) -> None:
        """Keep a value unless there is one: of several processes that start at once, the first wins."""
        await self._connection.execute(
            "INSERT INTO sealed_value (name, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            name,
            sealed.model_dump_json(),
        )
