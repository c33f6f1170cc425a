"""Routes: which events lead to which action."""

from fastapi import APIRouter, Response

from jackfield_gateway.endpoints.access import Called, Reader, Writer
from jackfield_gateway.endpoints.documents import ABSENT, CONFLICT
from jackfield_gateway.endpoints.parameters import Cursor, Id, Limit
from jackfield_gateway.models.route import Route, RouteChange, RouteDraft, RoutePage

router = APIRouter(prefix="/api/routes", tags=["routes"])


@router.get("")
async def list_routes(
    actor: Reader, called: Called, limit: Limit = 50, cursor: Cursor = None
) -> RoutePage:
    """List the routes, oldest first."""
    return await called.routes.page(actor, limit, cursor)


@router.post("", status_code=201)
async def create_route(
    actor: Writer, called: Called, draft: RouteDraft, response: Response
) -> Route:
    """Add a route. Its condition (CEL) and transformation (JSONata) are compiled first."""
    route = await called.routes.create(actor, draft)
    response.headers["Location"] = f"/api/routes/{route.subscription_id}"
    return route


@router.get("/{route_id}", responses=ABSENT)
async def get_route(actor: Reader, called: Called, route_id: Id) -> Route:
    """One route."""
    return await called.routes.get(actor, route_id)


@router.put("/{route_id}", responses=ABSENT | CONFLICT)
async def replace_route(actor: Writer, called: Called, route_id: Id, draft: RouteDraft) -> Route:
    """Put another route in the place of this one."""
    return await called.routes.replace(actor, route_id, draft)


@router.patch("/{route_id}", responses=ABSENT | CONFLICT)
async def change_route(actor: Writer, called: Called, route_id: Id, change: RouteChange) -> Route:
    """Change what is given; `source` and `condition` can be removed with null."""
    return await called.routes.change(actor, route_id, change)


@router.delete("/{route_id}", status_code=204, responses=ABSENT)
async def delete_route(actor: Writer, called: Called, route_id: Id) -> None:
    """Remove a route."""
    await called.routes.delete(actor, route_id)
