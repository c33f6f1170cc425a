"""Routes."""

from datetime import datetime
from typing import Final, cast

import asyncpg

from jackfield_common.database import Connection
from jackfield_common.events.message import JsonObject
from jackfield_common.ids import SubscriptionId, TenantId
from jackfield_gateway.models.route import Route
from jackfield_gateway.repository.rows import dump, load

_COLUMNS: Final = (
    "subscription_id, tenant, name, source, events, condition, target, enabled, version,"
    " created_at, updated_at"
)


def _route(row: asyncpg.Record) -> Route:
    return Route.model_validate({**row, "target": load(row["target"])})


class Routes:
    """Rows of `subscription`, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, one: Route) -> None:
        """Insert."""
        await self._connection.execute(
            "INSERT INTO subscription (subscription_id, tenant, name, source, events, condition,"
            " target, target_id, enabled, version, created_at, updated_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            one.subscription_id,
            one.tenant,
            one.name,
            one.source,
            one.events,
            one.condition,
            dump(cast(JsonObject, one.target.model_dump())),
            one.target.integration_id,
            one.enabled,
            one.version,
            one.created_at,
            one.updated_at,
        )

    async def update(self, one: Route) -> None:
        """Write a locked row back."""
        await self._connection.execute(
            "UPDATE subscription SET name = $2, source = $3, events = $4, condition = $5,"
            " target = $6, target_id = $7, enabled = $8, version = $9, updated_at = $10"
            " WHERE subscription_id = $1",
            one.subscription_id,
            one.name,
            one.source,
            one.events,
            one.condition,
            dump(cast(JsonObject, one.target.model_dump())),
            one.target.integration_id,
            one.enabled,
            one.version,
            one.updated_at,
        )

    async def find(self, tenant: TenantId, subscription_id: str) -> Route | None:
        """One route of a tenant."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM subscription WHERE tenant = $1 AND subscription_id = $2",  # noqa: S608
            tenant,
            subscription_id,
        )
        return _route(row) if row else None

    async def lock(self, tenant: TenantId, subscription_id: str) -> Route | None:
        """The same, locked until the transaction ends: versions are taken under this lock."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM subscription WHERE tenant = $1 AND subscription_id = $2"  # noqa: S608
            " FOR UPDATE",
            tenant,
            subscription_id,
        )
        return _route(row) if row else None

    async def lock_using(self, tenant: TenantId, integration_id: str) -> list[Route]:
        """Every route from or to an integration, locked in a fixed order."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM subscription"  # noqa: S608
            " WHERE tenant = $1 AND (target_id = $2 OR source = $2)"
            " ORDER BY subscription_id FOR UPDATE",
            tenant,
            integration_id,
        )
        return [_route(row) for row in rows]

    async def remove(self, subscription_id: SubscriptionId) -> None:
        """Delete a locked row."""
        await self._connection.execute(
            "DELETE FROM subscription WHERE subscription_id = $1", subscription_id
        )

    async def page(
        self, tenant: TenantId, after: tuple[datetime, str] | None, limit: int
    ) -> list[Route]:
        """At most `limit` routes, oldest first, beginning behind `after`."""
        at, key = after or (None, None)
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM subscription WHERE tenant = $1"  # noqa: S608
            " AND ($2::timestamptz IS NULL OR (created_at, subscription_id) > ($2, $3))"
            " ORDER BY created_at, subscription_id LIMIT $4",
            tenant,
            at,
            key,
            limit,
        )
        return [_route(row) for row in rows]
