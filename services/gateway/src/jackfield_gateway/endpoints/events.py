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
    """Counters of the webhook listener and of routing, and how the tenant's deliveries ended."""
    listener, routing = called.edge_stats(), called.routing.now()
    counts = await called.outcomes.counts(actor.tenant)
    return WebhookStats(
        **listener.model_dump(),
        **counts.model_dump(),
        queue_size=listener.in_flight + listener.spooled + routing.queued + routing.in_flight,
        workers_started=routing.workers,
        routing=routing,
    )
