"""What became of webhooks and events."""

from fastapi import APIRouter
from pydantic import JsonValue

from jackfield_gateway.endpoints.access import Called, Reader
from jackfield_gateway.endpoints.documents import ABSENT
from jackfield_gateway.endpoints.parameters import Id
from jackfield_gateway.models.event import ProcessedEvent

router = APIRouter(tags=["events"])


@router.get("/api/events/{event_id}", responses=ABSENT)
async def get_event(actor: Reader, called: Called, event_id: Id) -> ProcessedEvent:
    """The final state of an accepted webhook, or of an event sent in."""
    return await called.outcomes.event(actor, event_id)


@router.get("/webhooks/stats")
async def get_webhook_stats(actor: Reader, called: Called) -> dict[str, JsonValue]:
    """Counters of this gateway's webhook listener, and how many deliveries of the tenant ended how."""
    counts = await called.outcomes.counts(actor.tenant)
    return {**called.edge_stats(), **counts.model_dump()}
