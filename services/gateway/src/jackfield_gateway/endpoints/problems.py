"""Every error is a problem document (RFC 9457)."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route

from jackfield_common.errors import ErrorKind, Failure, NotReady
from jackfield_gateway.models.problem import (
    MEDIA_TYPE,
    Absent,
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    Problem,
    Refused,
    Unanswered,
    Unauthenticated,
)

log = structlog.get_logger(__name__)

TYPE: Final = "urn:jackfield:problem:"
REALM: Final = 'Bearer realm="jackfield"'

_NAMES: Final = {
    400: "bad-request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    409: "conflict",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid",
    500: "internal",
    503: "unavailable",
    504: "unanswered",
}
_DETAILS: Final = {
    404: "There is nothing at this path; /docs lists what there is.",
    405: "This path does not take this method; the Allow header says which it takes.",
    413: "The body is larger than the API takes.",
    500: "Something went wrong on our side; it was logged.",
}


def problem(
    status: int,
    detail: str,
    instance: str,
    *,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document as an answer."""
    document = Problem(
        type=TYPE + _NAMES.get(status, "error"),
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=instance,
        errors=tuple(errors),
    )
    return Response(
        document.model_dump_json(exclude_defaults=True),
        status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


def internal(instance: str) -> Response:
    """What the outside is told of a fault of ours."""
    return problem(500, _DETAILS[500], instance)


def _instance(request: Request) -> str:
    return request.scope["path"]


def _unauthenticated(request: Request, error: Unauthenticated) -> Response:
    # RFC 6750, 3: the code and the description only where a credential was given.
    challenge = REALM
    if error.error is not None:
        description = error.detail.encode("ascii", "ignore").decode().replace('"', "'")
        challenge += f', error="{error.error}", error_description="{description}"'
    headers = {"WWW-Authenticate": challenge}
    return problem(401, error.detail, _instance(request), headers=headers)


def _forbidden(request: Request, error: Forbidden) -> Response:
    challenge = f'{REALM}, error="insufficient_scope", scope="{error.scope}"'
    headers = {"WWW-Authenticate": challenge}
    return problem(403, error.detail, _instance(request), headers=headers)


def _invalid(request: Request, error: Invalid) -> Response:
    detail = "Some fields are wrong; `errors` names each."
    return problem(422, detail, _instance(request), errors=error.errors)


async def _on_refused(request: Request, error: Exception) -> Response:
    match error:
        case Unauthenticated():
            return _unauthenticated(request, error)
        case Forbidden():
            return _forbidden(request, error)
        case Invalid():
            return _invalid(request, error)
        case Absent(detail=detail):
            return problem(404, detail, _instance(request))
        case Conflict(detail=detail):
            return problem(409, detail, _instance(request))
        case Unanswered(detail=detail):
            return problem(504, detail, _instance(request))
        case _:
            return problem(400, cast(Refused, error).detail, _instance(request))


async def _on_not_ready(request: Request, error: Exception) -> Response:
    away = cast(NotReady, error)
    wait = max(1, math.ceil(away.retry_after))
    detail = f"Come back in {wait} s: {away}."
    return problem(503, detail, _instance(request), headers={"Retry-After": str(wait)})


async def _on_failure(request: Request, error: Exception) -> Response:
    failure = cast(Failure, error)
    if failure.kind is ErrorKind.INVALID:
        field = failure.field or "body"
        return _invalid(request, Invalid([FieldError(field=field, message=failure.message)]))
    log.error("unexpected_failure", kind=failure.kind, error=failure.message)
    return internal(_instance(request))


async def _on_http(request: Request, error: Exception) -> Response:
    http = cast(HTTPException, error)
    detail = _DETAILS.get(http.status_code, str(http.detail))
    headers = dict(http.headers or {})
    if http.status_code == 405:
        headers["Allow"] = ", ".join(_methods(request))
    return problem(http.status_code, detail, _instance(request), headers=headers)


def _methods(request: Request) -> list[str]:
    # Each route knows its own method only; the path takes those of all that match it. A fixed path
    # (`/api/routes/preview`) is no id of its neighbour (`/api/routes/{route_id}`).
    matching = [
        route
        for route in cast(Sequence[Route], request.app.state.paths)
        if route.matches(request.scope)[0] is not Match.NONE
    ]
    fewest = min((len(route.param_convertors) for route in matching), default=0)
    nearest = [route for route in matching if len(route.param_convertors) == fewest]
    return sorted({method for route in nearest for method in route.methods or ()})


async def _on_validation(request: Request, error: Exception) -> Response:
    found = cast(Sequence[Mapping[str, Any]], cast(RequestValidationError, error).errors())
    first = found[0]
    if first["type"] == "json_invalid":
        position = first["loc"][-1]
        detail = f"The body is not JSON: {first['ctx']['error']} at character {position}."
        return problem(400, detail, _instance(request))
    if any(one["loc"][0] == "path" for one in found):
        # An id that no thing can have is the id of nothing.
        return problem(404, "There is nothing with this id.", _instance(request))
    body = [one for one in found if tuple(one["loc"]) == ("body",)]
    if body and "content-length" in request.headers and not _is_json(request):
        detail = "Send the body as JSON, with the header Content-Type: application/json."
        return problem(415, detail, _instance(request))
    errors = [FieldError(field=_field(one["loc"]), message=_message(one)) for one in found[:50]]
    return _invalid(request, Invalid(errors))


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _field(place: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in place[1:]) or str(place[0])


def _message(error: Mapping[str, Any]) -> str:
    # pydantic's messages say what would be right, without the value that was given.
    return "is missing" if error["type"] == "missing" else str(error["msg"])


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(NotReady, _on_not_ready)
    app.add_exception_handler(Failure, _on_failure)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
