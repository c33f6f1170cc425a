"""Who may call: dependencies of the routes."""

from typing import Annotated, Any, Final

import structlog
from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from jackfield_common.errors import NotReady
from jackfield_gateway.endpoints.services import Services, services
from jackfield_gateway.models.actor import Actor, Scope
from jackfield_gateway.models.problem import Forbidden

log = structlog.get_logger(__name__)

# For the OpenAPI document; the headers are read below, where every way of getting them wrong is told.
_BEARER: Final = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="An API key, or an access token of the authorization server (RFC 9068).",
)
_API_KEY: Final = APIKeyHeader(
    name="X-API-Key", auto_error=False, scheme_name="apiKey", description="An API key."
)

Called = Annotated[Services, Depends(services)]


async def known(
    request: Request,
    called: Called,
    _bearer: Annotated[Any, Depends(_BEARER)],
    _api_key: Annotated[Any, Depends(_API_KEY)],
) -> Actor:
    """Whoever sent the request."""
    actor = await called.authentication.actor(
        request.headers.get("authorization"), request.headers.get("x-api-key")
    )
    request.state.actor = actor.name
    return actor


async def reader(
    request: Request, called: Called, actor: Annotated[Actor, Depends(known)]
) -> Actor:
    """An actor who may ask for what changes nothing."""
    if not actor.may_read():
        raise await _refused(request, called, actor, Scope.READ_API)
    return actor


async def writer(
    request: Request, called: Called, actor: Annotated[Actor, Depends(known)]
) -> Actor:
    """An actor who may change things."""
    if not actor.may_change():
        raise await _refused(request, called, actor, Scope.API)
    return actor


async def _refused(request: Request, called: Services, actor: Actor, scope: Scope) -> Forbidden:
    operation = f"{request.method} {request.scope['route'].path}"
    reason = f"needs the scope {scope}"
    try:
        await called.refusals.record(actor, operation, request.scope["path"][:200], reason)
    except NotReady as error:
        # The answer does not depend on the trail: refusing needs no database.
        log.warning("refusal_not_recorded", actor=actor.name, operation=operation, error=str(error))
    return Forbidden(f"This needs the scope {scope}, which the credential lacks.", scope=scope)


Reader = Annotated[Actor, Depends(reader)]
Writer = Annotated[Actor, Depends(writer)]
