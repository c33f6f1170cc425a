"""What became of webhooks and events."""

from fastapi import APIRouter

from jackfield_gateway.endpoints.access import Called, Reader
from jackfield_gateway.endpoints.documents import ABSENT
from jackfield_gateway.endpoints.parameters import Id
from jackfield_gateway.models.event import ProcessedEvent, WebhookStats

router = APIRouter(tags=["events"])


@router.get("/api/events/{event_id}", responses=ABSENT)
async def get_event(actor: Reader, called: Called, event_id: Id) -> ProcessedEvent:
    """The final state of an accepted webhook, or of an event sent in."""
    return await called.outcomes.event(actor, event_id)


@router.get("/webhooks/stats")
async def get_webhook_stats(actor: Reader, called: Called) -> WebhookStats:
    """Counters of this gateway's webhook listener, and how the tenant's deliveries ended."""
    listener = called.edge_stats()
    counts = await called.outcomes.counts(actor.tenant)
    return WebhookStats(
        **listener.model_dump(),
        **counts.model_dump(),
        queue_size=listener.in_flight + listener.spooled,
        workers_started=1,
    )
