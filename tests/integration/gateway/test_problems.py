"""Every error of the API is a problem document (RFC 9457)."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from tests.integration.gateway.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")

INSTALL = "/api/marketplace/install"


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("GET", "/api/nothing", {}, 404),
        ("GET", "/api/actions/no-such", {}, 404),
        ("GET", "/api/actions/%00", {}, 404),
        ("GET", "/api/marketplace/integrations/Not%20A%20Name", {}, 404),
        ("GET", "/webhooks/some-id", {}, 404),
        ("PUT", INSTALL, {}, 405),
        ("DELETE", "/api/routes", {}, 405),
        ("POST", INSTALL, {"content": b"{", "type": "application/json"}, 400),
        ("POST", INSTALL, {"content": b"\xff\xfe", "type": "application/json"}, 400),
        ("POST", INSTALL, {"content": b"[" * 100_000, "type": "application/json"}, 400),
        ("POST", INSTALL, {"content": b"a=b", "type": "application/x-www-form-urlencoded"}, 415),
        ("POST", INSTALL, {"content": b"{}", "type": ""}, 415),
        ("POST", INSTALL, {"content": b"", "type": "application/json"}, 422),
        ("POST", INSTALL, {"content": b"[]", "type": "application/json"}, 422),
        ("POST", INSTALL, {"content": b"null", "type": "application/json"}, 422),
        (
            "POST",
            INSTALL,
            {
                "content": b'{"template_name":"chat","config_overrides":{"a":NaN}}',
                "type": "application/json",
            },
            422,
        ),
        (
            "POST",
            INSTALL,
            {
                "content": b'{"template_name":"chat","custom_name":"\\ud800"}',
                "type": "application/json",
            },
            422,
        ),
        ("GET", "/api/routes?limit=0", {}, 422),
        ("GET", "/api/routes?limit=101", {}, 422),
        ("GET", "/api/routes?cursor=!", {}, 422),
        ("GET", "/api/routes?cursor=aaaa", {}, 422),
        ("GET", "/api/marketplace/integrations?sort=price", {}, 422),
        ("GET", "/api/marketplace/integrations?category=cars", {}, 422),
        ("POST", "/api/marketplace/installed/x/test?wait=61", {}, 422),
        ("POST", "/api/marketplace/installed/x/test?wait=nan", {}, 422),
    ],
)
async def test_it_is_one(
    gateway: Running, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    headers = {"content-type": more["type"]} if more.get("type") else {}
    answer = await gateway.http.request(method, path, content=more.get("content"), headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:jackfield:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"].startswith("/")
    assert ("errors" in problem) == (status == 422)


async def test_the_allow_header_names_every_method_of_a_path(gateway: Running) -> None:
    for path, methods in (
        ("/api/routes/some-route", "DELETE, GET, PATCH, PUT"),
        ("/api/routes/preview", "POST"),
        ("/api/routes", "GET, POST"),
    ):
        answer = await gateway.http.options(path)
        assert answer.status_code == 405
        assert answer.headers["allow"] == methods


async def test_a_body_that_is_too_large_is_cut_off_while_it_comes(gateway: Running) -> None:
    size = gateway.settings.api_max_body + 1
    whole = await gateway.http.post(
        INSTALL, content=b" " * size, headers={"content-type": "application/json"}
    )
    assert whole.status_code == 413
    assert whole.headers["content-type"] == "application/problem+json"

    async def parts() -> AsyncGenerator[bytes]:
        for _ in range(200):
            yield b" " * 64 * 1024

    streamed = await gateway.http.post(
        INSTALL, content=parts(), headers={"content-type": "application/json"}
    )
    assert streamed.status_code == 413


async def test_the_page_at_the_root_leads_on(gateway: Running) -> None:
    async with httpx.AsyncClient(base_url=str(gateway.http.base_url)) as anybody:
        answer = await anybody.get("/")
        assert answer.status_code == 200
        assert "/docs" in answer.text
        assert (await anybody.get("/docs")).status_code == 200
        assert (await anybody.get("/openapi.json")).json()["openapi"].startswith("3.1")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"


async def test_every_route_wants_a_credential(gateway: Running) -> None:
    document = (await gateway.http.get("/openapi.json")).json()
    async with httpx.AsyncClient(base_url=str(gateway.http.base_url)) as anybody:
        for path, operations in document["paths"].items():
            for method in operations:
                answer = await anybody.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == 401, f"{method} {path}"


async def test_many_at_once_are_served(gateway: Running) -> None:
    answers = await asyncio.gather(*(gateway.http.get("/api/routes") for _ in range(60)))
    assert {answer.status_code for answer in answers} == {200}
