"""The audit trail."""

from jackfield_common.events.audit import AuditRecorded
from jackfield_common.events.message import JsonObject
from jackfield_gateway.models.actor import Actor
from jackfield_gateway.repository.store import Store


def allowed(
    actor: Actor, operation: str, resource: str, detail: JsonObject | None = None
) -> AuditRecorded:
    """`actor` did `operation` to `resource`; goes out with the transaction that did it."""
    return AuditRecorded(
        tenant=actor.tenant,
        actor=actor.name,
        operation=operation,
        resource=resource,
        allowed=True,
        detail=detail or {},
    )


class Refusals:
    """Records what somebody known was not allowed to do."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def record(self, actor: Actor, operation: str, resource: str, reason: str) -> None:
        """Record one. Raises NotReady while PostgreSQL is away."""
        async with self._store.transaction() as tx:
            await tx.publish(
                AuditRecorded(
                    tenant=actor.tenant,
                    actor=actor.name,
                    operation=operation,
                    resource=resource,
                    allowed=False,
                    detail={"reason": reason},
                )
            )
