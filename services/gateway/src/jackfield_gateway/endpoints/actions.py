"""Calling vendors."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from jackfield_gateway.endpoints.access import Called, Reader, Writer
from jackfield_gateway.endpoints.documents import ABSENT, CONFLICT, PENDING
from jackfield_gateway.endpoints.parameters import Id, IdempotencyKey, Slug
from jackfield_gateway.models.action import ActionCall, ActionResult
from jackfield_gateway.service.actions import MAX_WAIT

router = APIRouter(prefix="/api", tags=["actions"])

Wait = Annotated[
    float,
    Query(ge=0, le=MAX_WAIT, description="Seconds to wait for the result; 0 does not wait."),
]


@router.post("/marketplace/installed/{integration_id}/test", responses=ABSENT | CONFLICT | PENDING)
async def test_connection(
    actor: Writer,
    called: Called,
    integration_id: Id,
    response: Response,
    wait: Wait = 30,  # noqa: PT028
) -> ActionResult:
    """Test the connection to the vendor."""
    result = await called.actions.call(actor, integration_id, None, {}, wait=wait)
    return _told(result, response)


@router.post(
    "/marketplace/installed/{integration_id}/actions/{action}",
    responses=ABSENT | CONFLICT | PENDING,
)
async def call_action(
    actor: Writer,
    called: Called,
    integration_id: Id,
    action: Slug,
    call: ActionCall,
    response: Response,
    wait: Wait = 30,
    idempotency_key: IdempotencyKey = None,
) -> ActionResult:
    """Call an action of the vendor. The result comes within `wait` seconds; else 202, and it can be
    read at the Location for 24 hours.
    """
    result = await called.actions.call(
        actor, integration_id, action, call.input, wait=wait, idempotency_key=idempotency_key
    )
    return _told(result, response)


@router.get("/actions/{action_id}", responses=ABSENT)
async def get_action(actor: Reader, called: Called, action_id: Id) -> ActionResult:
    """An action and its result."""
    return await called.actions.get(actor, action_id)


def _told(result: ActionResult, response: Response) -> ActionResult:
    if result.status == "pending":
        response.status_code = 202
        response.headers["Location"] = f"/api/actions/{result.action_id}"
    return result
