"""The FastAPI application."""

from typing import Any, Final

from fastapi import FastAPI
from starlette.routing import Route

from jackfield_gateway.endpoints import (
    actions,
    api_keys,
    certification,
    events,
    history,
    installed,
    marketplace,
    page,
    problems,
    routes,
    work,
)
from jackfield_gateway.endpoints.documents import describe, operation_id
from jackfield_gateway.endpoints.frame import Frame
from jackfield_gateway.endpoints.services import Services

VERSION: Final = "1.0.0"
"""Of the API, by semantic versioning."""
_ROUTERS: Final = (
    marketplace.router,
    installed.router,
    installed.health,
    actions.router,
    history.router,
    routes.router,
    events.router,
    work.router,
    certification.router,
    api_keys.router,
    page.router,
)


def application(services: Services, max_body: int, max_requests: int) -> FastAPI:
    """The API: bodies of at most `max_body` bytes, at most `max_requests` at a time."""
    app = FastAPI(
        title="Jackfield",
        version=VERSION,
        summary="Webhooks in, events on Kafka, vendors called in return.",
        description="Install integrations, give their credentials, route events to actions, and call"
        " vendors. Errors are problem documents (RFC 9457). Lists are paged by cursor.",
        generate_unique_id_function=operation_id,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.services = services
    problems.install(app)
    app.state.paths = [route for route in app.routes if isinstance(route, Route)]
    for router in _ROUTERS:
        app.include_router(router)
        app.state.paths += [route for route in router.routes if isinstance(route, Route)]

    def document() -> dict[str, Any]:
        return describe(app)

    app.openapi = document
    app.add_middleware(Frame, max_requests=max_requests, max_body=max_body)
    return app
