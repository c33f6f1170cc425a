"""What became of things: results, final states and reports that the bus brings."""

from jackfield_common.events.action import ActionCompleted
from jackfield_common.events.certification import RunCompleted
from jackfield_common.events.delivery import DeliveryProcessed
from jackfield_common.ids import TenantId
from jackfield_gateway.models.actor import Actor
from jackfield_gateway.models.event import ProcessedCounts, ProcessedEvent
from jackfield_gateway.models.problem import Absent
from jackfield_gateway.repository.group_commit import GroupCommit
from jackfield_gateway.repository.store import Store


class Outcomes:
    """Keeps them, and reads them back. Keeping one twice is harmless."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._results = GroupCommit[ActionCompleted](
            store, lambda tx, batch: tx.actions.record(batch)
        )
        self._processed = GroupCommit[DeliveryProcessed](
            store, lambda tx, batch: tx.deliveries.record(batch)
        )

    async def action_completed(self, event: ActionCompleted) -> None:
        """Keep a result. Raises NotReady while PostgreSQL is away."""
        await self._results.add(event)

    async def delivery_processed(self, event: DeliveryProcessed) -> None:
        """Keep a final state. Raises NotReady while PostgreSQL is away."""
        await self._processed.add(event)

    async def run_completed(self, event: RunCompleted) -> None:
        """Keep a report. Raises NotReady while PostgreSQL is away."""
        async with self._store.statements() as tx:
            await tx.certifications.record(event)

    async def event(self, actor: Actor, event_id: str) -> ProcessedEvent:
        """The final state of a delivery or an event. Raises Absent, NotReady."""
        async with self._store.statements() as tx:
            found = await tx.deliveries.find(actor.tenant, event_id)
        if found is None:
            raise Absent(
                f"No final state is known of event {event_id!r}: it is still under way, was never"
                " accepted, or is too old."
            )
        return found

    async def counts(self, tenant: TenantId) -> ProcessedCounts:
        """How many ended in each state. Raises NotReady."""
        async with self._store.statements() as tx:
            return await tx.deliveries.counts(tenant)
