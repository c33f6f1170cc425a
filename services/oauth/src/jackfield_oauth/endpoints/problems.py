"""What is no protocol error is an RFC 9457 problem."""

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from jackfield_common.database import AWAY
from jackfield_common.errors import NotReady

log = structlog.get_logger(__name__)

RETRY_AFTER = 1


class BodyTooLarge(Exception):
    """The body is longer than a form of the protocol ever is."""


def problem(
    request: Request, status: int, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """A problem (RFC 9457, 3)."""
    return JSONResponse(
        {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "instance": request.url.path,
        },
        status_code=status,
        media_type="application/problem+json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def install(app: FastAPI) -> None:
    """Answer exceptions of `app` with problems."""

    async def away(request: Request, error: Exception) -> JSONResponse:
        log.warning("unavailable", path=request.url.path, error=type(error).__name__)
        return problem(
            request,
            503,
            "A store that this needs does not answer. Try again shortly.",
            {"Retry-After": str(RETRY_AFTER)},
        )

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return problem(request, error.status_code, str(error.detail), dict(error.headers or {}))

    async def too_large(request: Request, error: Exception) -> JSONResponse:
        return problem(request, 413, str(error))

    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return problem(request, 500, "This is our fault; it was logged.")

    for kind in (*AWAY, NotReady):
        app.add_exception_handler(kind, away)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(BodyTooLarge, too_large)
    app.add_exception_handler(Exception, unexpected)
