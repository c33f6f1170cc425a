"""Past deliveries: searched, read, explained, routed again, and run through changed routes."""

from typing import Annotated

from fastapi import APIRouter, Query

from jackfield_gateway.endpoints.access import Called, Reader, Writer
from jackfield_gateway.endpoints.documents import ABSENT, CONFLICT, UNANSWERED
from jackfield_gateway.endpoints.parameters import Cursor, Id, IdempotencyKey, Limit
from jackfield_gateway.models.history import (
    DeliveryChoice,
    DeliveryContent,
    DeliveryId,
    DeliveryPage,
    Explanation,
    PreviewPage,
    PreviewRequest,
    Replayed,
    ReplayRequest,
    Status,
)
from jackfield_gateway.models.problem import invalid
from jackfield_gateway.models.route import EventPattern
from jackfield_gateway.models.value import Identifier, Moment

router = APIRouter(tags=["history"])

_ASKED = CONFLICT | UNANSWERED


@router.get("/api/deliveries", responses=_ASKED)
async def list_deliveries(
    actor: Reader,
    called: Called,
    integration_id: Identifier | None = None,
    event_type: Annotated[
        EventPattern | None,
        Query(description="An event type or a canonical type; `*` matches any run of characters."),
    ] = None,
    delivery_id: Annotated[DeliveryId | None, Query(description="The vendor's own id.")] = None,
    status: Status | None = None,
    since: Annotated[Moment | None, Query(description="Accepted at or after this time.")] = None,
    until: Annotated[Moment | None, Query(description="Accepted before this time.")] = None,
    field: Annotated[
        list[Annotated[str, Query(max_length=2_000, pattern=r"^[a-z][a-z0-9_]{0,63}=[^\x00]*$")]]
        | None,
        Query(
            max_length=20,
            description="name=value of the shared shape; all of them have to agree.",
            examples=[["repository=acme/site"]],
        ),
    ] = None,
    condition: Annotated[
        str | None,
        Query(max_length=8_192, description="CEL over `event`; reads each delivery's content."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DeliveryPage:
    """List past deliveries and events sent in, newest first."""
    fields: dict[str, str] = {}
    for pair in field or ():
        name, _, value = pair.partition("=")
        if fields.setdefault(name, value) != value:
            raise invalid("field", f"{name} is given twice, with different values")
    choice = DeliveryChoice(
        integration_id=integration_id,
        event_types=() if event_type is None else (event_type,),
        delivery_id=delivery_id,
        status=status,
        since=since,
        until=until,
        fields=fields,
        condition=condition,
    )
    return await called.histories.page(actor, choice, limit, cursor)


@router.post("/api/deliveries/replay", responses=_ASKED)
async def replay_deliveries(
    actor: Writer, called: Called, wanted: ReplayRequest, idempotency_key: IdempotencyKey = None
) -> Replayed:
    """Route past deliveries again, oldest first. The same Idempotency-Key replays each once."""
    return await called.histories.replay(actor, wanted, idempotency_key)


@router.get("/api/deliveries/{event_id}", responses=ABSENT | _ASKED)
async def get_delivery(actor: Reader, called: Called, event_id: Id) -> DeliveryContent:
    """One delivery with its headers and body, as it was accepted."""
    return await called.histories.read(actor, event_id)


@router.get("/api/deliveries/{event_id}/explain", responses=ABSENT | _ASKED)
async def explain_delivery(actor: Reader, called: Called, event_id: Id) -> Explanation:
    """Which routes take this delivery and which do not, and why: as the routes are now."""
    return await called.histories.explain(actor, event_id)


@router.post("/api/routes/preview", responses=ABSENT | _ASKED)
async def preview_route(actor: Reader, called: Called, wanted: PreviewRequest) -> PreviewPage:
    """Run past events through a changed route: what it would have sent. Nothing is sent or saved."""
    return await called.histories.preview(actor, wanted)
