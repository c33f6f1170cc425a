"""The final state of deliveries and events."""

from collections.abc import Sequence

from jackfield_common.database import Connection
from jackfield_common.events.delivery import DeliveryProcessed
from jackfield_common.ids import TenantId
from jackfield_gateway.models.event import ProcessedCounts, ProcessedEvent


class Deliveries:
    """Rows of `processed`, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def record(self, outcomes: Sequence[DeliveryProcessed]) -> None:
        """Keep outcomes; a later one of the same event (a replay) replaces an earlier one."""
        latest: dict[str, DeliveryProcessed] = {}
        for one in outcomes:
            known = latest.get(one.event_id)
            if known is None or known.at <= one.at:
                latest[one.event_id] = one
        # In the order of keys, so that two writers never wait for each other crosswise.
        ordered = [latest[event_id] for event_id in sorted(latest)]
        await self._connection.execute(
            "WITH kept AS ("
            " INSERT INTO processed AS p (event_id, tenant, integration_id, status, event_type,"
            " actions, matched, reason, at)"
            " SELECT event_id, tenant, integration_id, status, event_type,"
            " string_to_array(actions, ' '), string_to_array(matched, ' '), reason, at"
            " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],"
            " $7::text[], $8::text[], $9::timestamptz[]) AS o (event_id, tenant, integration_id,"
            " status, event_type, actions, matched, reason, at)"
            " ON CONFLICT (event_id) DO UPDATE SET status = excluded.status,"
            " event_type = excluded.event_type, actions = excluded.actions,"
            " matched = excluded.matched, reason = excluded.reason, at = excluded.at,"
            " recorded_at = now()"
            " WHERE p.at < excluded.at AND p.tenant = excluded.tenant"
            " RETURNING tenant, status)"
            " INSERT INTO processed_count AS c (tenant, status, count)"
            " SELECT tenant, status, count(*) FROM kept GROUP BY tenant, status"
            " ORDER BY tenant, status"
            " ON CONFLICT (tenant, status) DO UPDATE SET count = c.count + excluded.count",
            [one.event_id for one in ordered],
            [one.tenant for one in ordered],
            [one.integration_id for one in ordered],
            [one.status for one in ordered],
            [_stored_text(one.event_type) for one in ordered],
            [" ".join(one.actions) for one in ordered],
            [" ".join(one.matched) for one in ordered],
            [_stored_text(one.reason) for one in ordered],
            [one.at for one in ordered],
        )

    async def find(self, tenant: TenantId, event_id: str) -> ProcessedEvent | None:
        """The final state of one event of a tenant."""
        row = await self._connection.fetchrow(
            "SELECT event_id, integration_id, status, event_type, matched, actions, reason, at"
            " FROM processed WHERE tenant = $1 AND event_id = $2",
            tenant,
            event_id,
        )
        return ProcessedEvent.model_validate(dict(row)) if row else None

    async def counts(self, tenant: TenantId) -> ProcessedCounts:
        """How many of a tenant's ended in each state, ever."""
        rows = await self._connection.fetch(
            "SELECT status, count FROM processed_count WHERE tenant = $1", tenant
        )
        return ProcessedCounts.model_validate({row["status"]: row["count"] for row in rows})


def _stored_text(text: str | None) -> str | None:
    # PostgreSQL's text cannot hold NUL; what a sender chose may.
    return None if text is None else text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
