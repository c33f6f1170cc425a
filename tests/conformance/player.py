"""Plays a vendor: answers a list of requests in turn, and says where one was not as recorded."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic import JsonValue

from jackfield_common.connector.manifest import Exchange, Step
from jackfield_common.connector.selector import as_text

Behaviour = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived; `path` is below the base, percent-encoded."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes


@dataclass
class Player:
    """A vendor on loopback. `url` is where it listens, `prefix` the path that its base URL has."""

    behaviour: Behaviour
    prefix: str = ""
    url: str = ""
    seen: list[Seen] = field(default_factory=list[Seen])

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        raw = request.raw_path.partition("?")
        self.seen.append(
            Seen(
                request.method,
                raw[0].removeprefix(self.prefix),
                tuple(parse_qsl(raw[2], keep_blank_values=True)),
                {name.lower(): value for name, value in request.headers.items()},
                await request.read(),
            )
        )
        return await self.behaviour(request)


@asynccontextmanager
async def playing(behaviour: Behaviour, prefix: str = "") -> AsyncGenerator[Player]:
    """A vendor, for as long as the context lasts."""
    player = Player(behaviour, prefix)
    server = web.Server(player._serve, access_log=None)  # pyright: ignore[reportPrivateUsage]
    runner = web.ServerRunner(server, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    player.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield player
    finally:
        await runner.cleanup()


def steps_of(exchange: Exchange) -> tuple[Step, ...]:
    """Every request of an exchange with its answer."""
    return (Step(request=exchange.request, response=exchange.response), *exchange.then)


def answering(responses: Sequence[dict[str, JsonValue]], base: Callable[[], str]) -> Behaviour:
    """Gives recorded answers in turn, the last one again and again. `{base_url}` in them is `base()`."""
    left = list(responses)

    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        response = left.pop(0) if len(left) > 1 else left[0]
        return respond(response, base())

    return answer


def respond(response: dict[str, JsonValue], base: str = "") -> web.Response:
    """A recorded answer."""
    body = response.get("body")
    headers = {str(name): str(value) for name, value in _object(response.get("headers")).items()}
    if isinstance(body, str):
        text = body
    elif body is None:
        text = ""
    else:
        text = json.dumps(body)
        headers.setdefault("content-type", "application/json")
    status = response["status"]
    assert isinstance(status, int)
    return web.Response(
        status=status, body=text.replace("{base_url}", base).encode(), headers=headers
    )


def difference(seen: Seen, expected: dict[str, JsonValue]) -> str | None:
    """In what a request differs from the recorded one; None when in nothing."""
    if seen.method != expected["method"]:
        return f"method {seen.method}, expected {expected['method']}"
    if seen.path != expected["path"]:
        return f"path {seen.path}, expected {expected['path']}"
    if sorted(seen.query) != sorted(_pairs(_object(expected.get("query")))):
        return f"query {seen.query}, expected {expected.get('query')}"
    for name, value in _object(expected.get("headers")).items():
        if seen.headers.get(name.lower()) != value:
            return f"header {name}: {seen.headers.get(name.lower())!r}, expected {value!r}"
    wanted = expected.get("body")
    found = _body(seen, wanted)
    return None if found == wanted else f"body {found!r}, expected {wanted!r}"


def _body(seen: Seen, wanted: JsonValue) -> JsonValue:
    if not seen.body:
        return None
    if isinstance(wanted, str):
        return seen.body.decode()
    content: JsonValue = json.loads(seen.body)
    return content


def _pairs(query: dict[str, JsonValue]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        for item in value if isinstance(value, list) else [value]:
            pairs.append((name, as_text(item) or ""))
    return pairs


def _object(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


async def half_a_body(request: web.BaseRequest) -> web.StreamResponse:
    """Promises more than it sends, and hangs up."""
    response = web.StreamResponse(
        headers={"content-length": "1000", "content-type": "application/json"}
    )
    await response.prepare(request)
    await response.write(b'{"half": ')
    assert request.transport is not None
    request.transport.close()
    return response


async def hangs_up(request: web.BaseRequest) -> web.StreamResponse:
    """Closes the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stalls(_request: web.BaseRequest) -> web.StreamResponse:
    """Does not answer."""
    await asyncio.sleep(60)
    return web.Response()
