"""Requests of any shape."""

from collections.abc import Awaitable, Callable
from typing import Literal

from pydantic import Field, JsonValue

from jackfield_common.connector.fields import Input, Output
from jackfield_common.connector.vendor import Reply, Vendor

KEPT_HEADERS = ("content-type", "etag", "last-modified", "link", "location", "x-request-id")


class ApiRequest(Input):
    """Send a request; `json_body` or `form` makes the body."""

    path: str = Field(
        pattern=r"^/[^\s#]*$", description="Below the base URL", examples=["/orders/17"]
    )
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    json_body: JsonValue = None
    form: dict[str, JsonValue] | None = None


class Check(Input):
    """Whether the API answers a GET of the test path."""


class ApiAnswer(Output):
    """The answer: `json_body` where it is JSON, else `text`."""

    status: int
    headers: dict[str, str] = {}
    json_body: JsonValue = None
    text: str | None = None


def call(
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
) -> Callable[[Vendor, ApiRequest], Awaitable[ApiAnswer]]:
    """The action that sends requests with one method."""

    async def send(vendor: Vendor, given: ApiRequest) -> ApiAnswer:
        reply = await vendor.request(
            method,
            given.path,
            query=given.query,
            json=given.json_body,
            form=given.form,
            headers=given.headers,
        )
        return _answer(reply)

    return send


async def check(vendor: Vendor, _given: Check) -> ApiAnswer:
    """GET the test path of the settings."""
    path = vendor.config.get("test_path")
    return _answer(await vendor.request("GET", path if isinstance(path, str) else "/"))


def _answer(reply: Reply) -> ApiAnswer:
    return ApiAnswer(
        status=reply.status,
        headers={name: reply.headers[name] for name in KEPT_HEADERS if name in reply.headers},
        json_body=reply.json,
        text=None if reply.json is not None else reply.body.decode("utf-8", "replace"),
    )
