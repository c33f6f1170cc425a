"""The OpenAPI document: what FastAPI derives, with our problem documents in place of its errors."""

from typing import Any, Final, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from jackfield_gateway.models.action import ActionResult
from jackfield_gateway.models.problem import MEDIA_TYPE, Problem

Responses = dict[int | str, dict[str, Any]]

ABSENT: Final[Responses] = {404: {"description": "There is no such thing for this tenant."}}
CONFLICT: Final[Responses] = {409: {"description": "The thing's state does not allow this now."}}
UNANSWERED: Final[Responses] = {
    504: {"description": "The service that has to answer did not in time."}
}
PENDING: Final[Responses] = {
    202: {
        "description": "No result within `wait`: it can be read at the Location for 24 hours.",
        "model": ActionResult,
    }
}

_EVERYWHERE: Final = {
    "400": "The body is not JSON.",
    "401": "No credential, or none that holds.",
    "403": "The credential's scopes do not reach.",
    "413": "The body is too large.",
    "415": "The body is not declared as JSON.",
    "422": "Some fields are wrong; `errors` names each.",
    "500": "A fault of ours.",
    "503": "A dependency is away: come back after Retry-After seconds.",
}
_ONLY_WITH_BODY: Final = frozenset({"400", "413", "415"})
_HEADERS: Final = {
    "401": ("WWW-Authenticate", "RFC 6750, 3.", {"type": "string"}),
    "403": ("WWW-Authenticate", "RFC 6750, 3.", {"type": "string"}),
    "503": ("Retry-After", "Seconds.", {"type": "integer"}),
}
_LOCATED: Final = {"201", "202"}
_NOT_LOCATED: Final = frozenset({"create_key"})


def operation_id(route: APIRoute) -> str:
    """The name of the function: short, stable, and good as a method of a generated client."""
    return route.name


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document of `app`."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        schemas = cast(dict[str, Any], document["components"]["schemas"])
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs", {}))
        schemas["Problem"] = problem
        for path in cast(dict[str, Any], document["paths"]).values():
            for operation in path.values():
                _tell_problems(operation)
        app.openapi_schema = document
    return app.openapi_schema


def _tell_problems(operation: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    # Either credential does; FastAPI says so only as far as its own classes check them.
    operation["security"] = [{"bearer": []}, {"apiKey": []}]
    for status, description in _EVERYWHERE.items():
        if status in _ONLY_WITH_BODY and "requestBody" not in operation:
            continue
        responses[status] = {"description": description}
    for status, response in responses.items():
        if status >= "400":
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            if status in _HEADERS:
                name, text, schema = _HEADERS[status]
                response["headers"] = {name: {"description": text, "schema": schema}}
        elif status in _LOCATED and operation["operationId"] not in _NOT_LOCATED:
            response["headers"] = {
                "Location": {
                    "description": "Where it can be read.",
                    "schema": {"type": "string", "format": "uri-reference"},
                }
            }
    operation["responses"] = dict(sorted(responses.items()))
