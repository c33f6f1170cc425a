"""Owners handle what waits and what was given up, with the command they have."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import pytest
from aiohttp import web

from tests.e2e.product import Line, Product, Vendor, arrives, connect, product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@dataclass
class Moody(Vendor):
    """A vendor that is well, asks to be left alone, or hangs up once it has read the request."""

    mood: Literal["well", "busy", "rude"] = "well"

    async def receive(self, request: web.Request) -> web.Response:
        """As the mood is; what is refused as busy does not count as arrived."""
        if self.mood == "busy":
            return web.Response(status=503, headers={"Retry-After": "3600"}, text="maintenance")
        answer = await super().receive(request)
        if self.mood == "rude":
            assert request.transport is not None
            request.transport.abort()
        return answer


@pytest.fixture(scope="module")
def running() -> Iterator[Product]:
    with product() as one:
        yield one


@pytest.fixture
async def api(running: Product) -> AsyncGenerator[httpx.AsyncClient]:
    async with running.api() as client:
        yield client


@pytest.fixture
async def vendor() -> AsyncGenerator[Moody]:
    one = Moody()
    runner = await one.start()
    yield one
    await runner.cleanup()


@pytest.fixture
async def line(api: httpx.AsyncClient, vendor: Moody) -> Line:
    return await connect(api, vendor)


async def push(line: Line) -> str:
    """Send a push in; its text."""
    sha = secrets.token_hex(20)
    body, headers = line.push(sha)
    async with httpx.AsyncClient(timeout=15) as client:
        answer = await client.post(line.source["webhook_url"], content=body, headers=headers)
    assert answer.status_code == 202
    return sha


async def jackfield(running: Product, *arguments: str) -> Any:
    """What the command says, while the vendor goes on answering."""
    return json.loads(await asyncio.to_thread(running.jackfield, *arguments, "--json"))


async def listed(running: Product, state: str, line: Line, count: int) -> list[dict[str, Any]]:
    """The target's work, once it is so many."""
    target = str(line.target["integration_id"])
    async with asyncio.timeout(60):
        while True:
            found = await jackfield(running, state, "list", "--integration", target)
            if len(found) == count:
                return found


async def test_what_a_vendor_could_not_take_waits_and_is_tried_when_its_owner_says(
    running: Product, line: Line, vendor: Moody
) -> None:
    vendor.mood = "busy"
    text = await push(line)
    (work,) = await listed(running, "parked", line, 1)
    assert (work["service"], work["kind"], work["attempts"]) == ("connectors", "unavailable", 1)
    assert "503" in work["message"]
    assert text not in vendor.arrived

    vendor.mood = "well"
    counts = await jackfield(running, "parked", "retry", work["id"])
    assert counts == {"webhooks": 0, "connectors": 1}
    await arrives(vendor, text)
    await listed(running, "parked", line, 0)
    assert await listed(running, "dead", line, 0) == []
    assert len(vendor.arrived[text]) == 1


async def test_a_call_that_was_cut_off_is_repeated_by_its_owner_alone_and_once(
    running: Product, line: Line, vendor: Moody
) -> None:
    vendor.mood = "rude"
    text = await push(line)
    (work,) = await listed(running, "dead", line, 1)
    assert (work["service"], work["kind"]) == ("connectors", "outcome_unknown")
    assert len(vendor.arrived[text]) == 1
    shown = await asyncio.to_thread(running.jackfield, "dead", "show", work["id"])
    assert text in shown

    vendor.mood = "well"
    again = ("dead", "replay", work["id"], "--idempotency-key", secrets.token_hex(8))
    assert await jackfield(running, *again) == {"webhooks": 0, "connectors": 1}
    await listed(running, "dead", line, 0)
    assert await jackfield(running, *again) == {"webhooks": 0, "connectors": 0}
    async with asyncio.timeout(30):
        while len(vendor.arrived[text]) < 2:
            await asyncio.sleep(0.02)
    await arrives(vendor, await push(line))
    assert len(vendor.arrived[text]) == 2


async def test_a_paused_integration_gets_nothing_until_it_is_resumed_and_then_all_of_it(
    running: Product, line: Line, vendor: Moody
) -> None:
    target = str(line.target["integration_id"])
    await asyncio.to_thread(running.jackfield, "parked", "pause", target)
    texts = [await push(line) for _ in range(3)]
    await listed(running, "parked", line, 3)
    assert vendor.arrived == {}
    await asyncio.to_thread(running.jackfield, "parked", "resume", target)
    for text in texts:
        await arrives(vendor, text)
    assert all(len(times) == 1 for times in vendor.arrived.values())
