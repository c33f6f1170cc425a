"""Parked and dead work."""

from typing import Annotated

from fastapi import APIRouter, Query

from jackfield_common.errors import ErrorKind
from jackfield_common.lanes.parking import WorkContent
from jackfield_gateway.endpoints.access import Called, Reader, Writer
from jackfield_gateway.endpoints.documents import ABSENT, UNANSWERED
from jackfield_gateway.endpoints.parameters import Cursor, Id, IdempotencyKey, Limit
from jackfield_gateway.models.value import Identifier, Moment
from jackfield_gateway.models.work import (
    PauseRequest,
    WorkChanged,
    WorkChoice,
    Worker,
    WorkPage,
    WorkState,
)

router = APIRouter(prefix="/api/work/{worker}", tags=["parked and dead work"])

Since = Annotated[Moment | None, Query(description="Changed at or after this time.")]
Until = Annotated[Moment | None, Query(description="Changed before this time.")]


@router.get("/{state}", responses=ABSENT | UNANSWERED)
async def list_work(
    actor: Reader,
    called: Called,
    worker: Worker,
    state: WorkState,
    integration_id: Identifier | None = None,
    kind: ErrorKind | None = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> WorkPage:
    """List parked or dead work, oldest first, with every attempt and what went wrong."""
    choice = WorkChoice(integration_id=integration_id, kind=kind, since=since, until=until)
    return await called.works.page(actor, worker, state, choice, limit, cursor)


@router.get("/items/{work_id}", responses=ABSENT | UNANSWERED)
async def get_work(actor: Reader, called: Called, worker: Worker, work_id: Id) -> WorkContent:
    """One piece of work with its original bytes and headers (base64)."""
    return await called.works.read(actor, worker, work_id)


@router.post("/parked/retry", responses=ABSENT | UNANSWERED)
async def retry_work(
    actor: Writer, called: Called, worker: Worker, choice: WorkChoice
) -> WorkChanged:
    """Try the chosen lanes now rather than when they are due."""
    return WorkChanged(
        count=await called.works.change(actor, worker, "retry", WorkState.PARKED, choice)
    )


@router.post("/{state}/cancel", responses=ABSENT | UNANSWERED)
async def cancel_work(
    actor: Writer, called: Called, worker: Worker, state: WorkState, choice: WorkChoice
) -> WorkChanged:
    """Give the chosen work up for good; what follows it in its lane goes on."""
    return WorkChanged(count=await called.works.change(actor, worker, "cancel", state, choice))


@router.post("/dead/replay", responses=ABSENT | UNANSWERED)
async def replay_work(
    actor: Writer,
    called: Called,
    worker: Worker,
    choice: WorkChoice,
    idempotency_key: IdempotencyKey = None,
) -> WorkChanged:
    """Run the chosen dead work again. The same Idempotency-Key replays a piece of work once."""
    count = await called.works.change(
        actor, worker, "replay", WorkState.DEAD, choice, idempotency_key
    )
    return WorkChanged(count=count)


@router.post("/pause", status_code=204, responses=ABSENT | UNANSWERED)
async def pause_work(actor: Writer, called: Called, worker: Worker, wanted: PauseRequest) -> None:
    """Let the work of an integration wait, until it is resumed."""
    await called.works.pause(actor, worker, "pause", wanted.integration_id)


@router.post("/resume", status_code=204, responses=ABSENT | UNANSWERED)
async def resume_work(actor: Writer, called: Called, worker: Worker, wanted: PauseRequest) -> None:
    """Let the work of an integration go on."""
    await called.works.pause(actor, worker, "resume", wanted.integration_id)
