"""Installed integrations."""

from datetime import datetime
from typing import Final, cast

import asyncpg

from jackfield_common.database import Connection
from jackfield_common.events.integration import SealedSecret
from jackfield_common.events.message import JsonObject
from jackfield_common.ids import IntegrationId, TenantId
from jackfield_gateway.models.integration import Integration
from jackfield_gateway.repository.rows import dump, load

_COLUMNS: Final = (
    "integration_id, tenant, template, connector, name, config, auth, enabled, webhook_secrets,"
    " credential_version, credential_status, credential_message, version, created_at, updated_at"
)


def _integration(row: asyncpg.Record) -> Integration:
    return Integration.model_validate(
        {**row, "config": load(row["config"]), "webhook_secrets": load(row["webhook_secrets"])}
    )


def _secrets(secrets: tuple[SealedSecret, ...]) -> str:
    return dump([cast(JsonObject, secret.model_dump()) for secret in secrets])


class Integrations:
    """Rows of `integration`, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, one: Integration, webhook_path: str | None) -> bool:
        """Insert; False when another installation has this webhook path."""
        added = await self._connection.fetchval(
            "INSERT INTO integration (integration_id, tenant, template, connector, name, config, auth,"
            " enabled, webhook_secrets, webhook_path, credential_version, credential_status,"
            " credential_message, version, created_at, updated_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
            " ON CONFLICT (webhook_path) DO NOTHING RETURNING true",
            one.integration_id,
            one.tenant,
            one.template,
            one.connector,
            one.name,
            dump(one.config),
            one.auth,
            one.enabled,
            _secrets(one.webhook_secrets),
            webhook_path,
            one.credential_version,
            one.credential_status,
            one.credential_message,
            one.version,
            one.created_at,
            one.updated_at,
        )
        return bool(added)

    async def update(self, one: Integration, webhook_path: str | None) -> bool:
        """Write a locked row back; False when another installation has this webhook path."""
        taken = webhook_path is not None and await self._connection.fetchval(
            "SELECT true FROM integration WHERE webhook_path = $1 AND integration_id <> $2",
            webhook_path,
            one.integration_id,
        )
        if taken:
            return False
        await self._connection.execute(
            "UPDATE integration SET name = $2, config = $3, auth = $4, enabled = $5,"
            " webhook_secrets = $6, webhook_path = $7, credential_version = $8,"
            " credential_status = $9, credential_message = $10, version = $11, updated_at = $12"
            " WHERE integration_id = $1",
            one.integration_id,
            one.name,
            dump(one.config),
            one.auth,
            one.enabled,
            _secrets(one.webhook_secrets),
            webhook_path,
            one.credential_version,
            one.credential_status,
            one.credential_message,
            one.version,
            one.updated_at,
        )
        return True

    async def find(self, tenant: TenantId, integration_id: str) -> Integration | None:
        """One installation of a tenant."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM integration WHERE tenant = $1 AND integration_id = $2",  # noqa: S608
            tenant,
            integration_id,
        )
        return _integration(row) if row else None

    async def lock(self, tenant: TenantId, integration_id: str) -> Integration | None:
        """The same, locked until the transaction ends: versions are taken under this lock."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM integration WHERE tenant = $1 AND integration_id = $2"  # noqa: S608
            " FOR UPDATE",
            tenant,
            integration_id,
        )
        return _integration(row) if row else None

    async def keep(self, tenant: TenantId, integration_id: str) -> Integration | None:
        """The same, kept from being removed until the transaction ends."""
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS} FROM integration WHERE tenant = $1 AND integration_id = $2"  # noqa: S608
            " FOR KEY SHARE",
            tenant,
            integration_id,
        )
        return _integration(row) if row else None

    async def remove(self, integration_id: IntegrationId) -> None:
        """Delete a locked row."""
        await self._connection.execute(
            "DELETE FROM integration WHERE integration_id = $1", integration_id
        )

    async def page(
        self, tenant: TenantId, after: tuple[datetime, str] | None, limit: int
    ) -> list[Integration]:
        """At most `limit` installations, oldest first, beginning behind `after`."""
        at, key = after or (None, None)
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM integration WHERE tenant = $1"  # noqa: S608
            " AND ($2::timestamptz IS NULL OR (created_at, integration_id) > ($2, $3))"
            " ORDER BY created_at, integration_id LIMIT $4",
            tenant,
            at,
            key,
            limit,
        )
        return [_integration(row) for row in rows]
