"""The emulated vendor: an HTTP server made from a connector's manifest."""

import asyncio
import contextlib
import json
import socket
import struct
import time
from collections.abc import Mapping
from typing import Final, cast
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import JsonValue

from jackfield_certification.emulator.calls import Call, Calls
from jackfield_certification.emulator.faults import (
    Drift,
    ExpiredToken,
    Fault,
    Faults,
    HalfBody,
    Latency,
    Reset,
    Stall,
    Status,
    drifted,
)
from jackfield_certification.emulator.limits import Limits
from jackfield_certification.emulator.matching import ArrivedRequest
from jackfield_certification.emulator.paging import PagedList
from jackfield_certification.emulator.recording import BASE_URL, Recording, base_path
from jackfield_certification.emulator.refusals import refusal
from jackfield_certification.emulator.routes import Match, Routes
from jackfield_certification.emulator.signin import Door
from jackfield_certification.emulator.synthesis import example_of
from jackfield_common.connector.manifest import Manifest
from jackfield_common.errors import ErrorKind

MAX_BODY: Final = 32 * 1024 * 1024
# Headers of an answer that the emulator's own connection decides.
_OWN_HEADERS: Final = frozenset(
    {"content-length", "content-encoding", "transfer-encoding", "connection", "date", "server"}
)


class VendorEmulator:
    """Plays the vendor of one connector over plain HTTP.

    It answers as recorded, keeps its sign-in and its limits, takes faults on demand, and remembers
    every call. `host` and `port` are where it listens (0 picks a free port), `name` is the host under
    which others reach it.
    """

    def __init__(
        self, manifest: Manifest, *, host: str = "127.0.0.1", port: int = 0, name: str | None = None
    ) -> None:
        self.manifest = manifest
        self.routes = Routes(manifest)
        self.door = Door()
        self.faults = Faults()
        self.limits = Limits(manifest.limits)
        self.calls = Calls()
        self.paged: PagedList | None = None
        """A list that is answered in pages, in place of its recording."""
        self._expected: Recording | None = None
        self._host = host
        self._port = port
        self._name = name or host
        self._runner: web.ServerRunner | None = None
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=1)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Close; what is stalled is cut off."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> "VendorEmulator":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._runner is None:
            return self._port
        return int(self._runner.addresses[0][1])

    @property
    def address(self) -> str:
        """`http://host:port`, as others reach it."""
        return f"http://{self._name}:{self.port}"

    def base_url(self, config: Mapping[str, JsonValue] | None = None) -> str:
        """What stands in for the vendor's base URL, for an installation with these settings."""
        return self.address + base_path(self.manifest, config)

    def as_answered(self, document: JsonValue, recording: Recording) -> JsonValue:
        """A recorded document as this vendor answers it: its addresses lead here."""
        return cast(JsonValue, json.loads(self._redirected(json.dumps(document), recording)))

    def expect(self, recording: Recording | None) -> None:
        """Which recording is meant where several fit a request equally."""
        self._expected = recording

    def healthy(self) -> None:
        """No faults, no planned pages, nothing expected."""
        self.faults.clear()
        self.paged = None
        self._expected = None

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        arrived = await _arrived(request)
        sign_in = self.door.who(arrived)
        inner = ArrivedRequest(
            arrived.method,
            self.door.inner_path(arrived.path),
            arrived.query,
            arrived.headers,
            arrived.body,
        )
        match = self.routes.match(inner, self._expected, self.door.query_names())
        if sign_in is None and match is not None and match.step is not None:
            sign_in = "handed_out" if match.step.handed_out else None
        fault = self.faults.take(match.action if match else None)
        status = await self._misbehave(request, fault)
        if status is None:
            answer = self._answer(inner, sign_in, match, fault)
            status = answer.status
        else:
            answer = None
        await self.calls.add(
            Call(
                at=time.monotonic(),
                request=inner,
                sign_in=sign_in,
                action=match.action if match else None,
                recording=match.recording.name if match and match.recording else None,
                step=match.recording.steps.index(match.step)
                if match and match.recording and match.step
                else 0,
                differences=match.differences if match else (),
                fault=type(fault).__name__ if fault is not None else None,
                status=status,
                connection=_connection(request),
            )
        )
        if answer is None:
            return web.Response()  # the connection is gone already: nothing of this is sent
        if isinstance(fault, HalfBody):
            return await _half(request, answer)
        return answer

    async def _misbehave(self, request: web.BaseRequest, fault: Fault | None) -> int | None:
        """Act out a fault that delays or takes the place of an answer; 0 when none is to follow."""
        match fault:
            case Latency():
                await asyncio.sleep(fault.seconds)
            case Stall():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), fault.seconds)
                _abort(request)
                return 0
            case Reset():
                _abort(request)
                return 0
            case _:
                pass
        return None

    def _answer(
        self,
        arrived: ArrivedRequest,
        sign_in: str | None,
        match: Match | None,
        fault: Fault | None,
    ) -> web.Response:
        if isinstance(fault, Status):
            return self._refuse(fault)
        if sign_in is None or isinstance(fault, ExpiredToken):
            return self._refuse(refusal(self.manifest, ErrorKind.AUTH))
        if not self.limits.admit():
            return self._refuse(refusal(self.manifest, ErrorKind.RATE_LIMITED))
        if match is None:
            return self._refuse(refusal(self.manifest, ErrorKind.NOT_FOUND))
        return self._recorded(arrived, match, drift=isinstance(fault, Drift))

    def _recorded(self, arrived: ArrivedRequest, match: Match, *, drift: bool) -> web.Response:
        headers = self.limits.headers()
        if self.paged is not None and self.paged.action == match.action:
            page = self.paged.page(arrived, self.address)
            return _json(200, page.body, headers | dict(page.headers))
        if match.step is None:
            action = self.manifest.action(match.action)
            assert action is not None
            body = example_of(action.output)
            return _json(200, drifted(body) if drift else body, headers)
        assert match.recording is not None
        response = match.step.response
        # What a recording says of the budget was true when it was recorded; the live one counts.
        hidden = _OWN_HEADERS | {name.lower() for name in headers}
        headers |= {
            name: self._redirected(value, match.recording)
            for name, value in response.headers.items()
            if name not in hidden
        }
        if isinstance(response.body, str):
            headers.setdefault("content-type", "text/plain; charset=utf-8")
            text = self._redirected(response.body, match.recording)
            return web.Response(status=response.status, body=text.encode(), headers=headers)
        body = self.as_answered(response.body, match.recording)
        return _json(response.status, drifted(body) if drift else body, headers)

    def _refuse(self, status: Status) -> web.Response:
        headers = self.limits.headers()
        headers |= dict(status.headers)
        if status.retry_after is not None:
            headers["Retry-After"] = status.retry_after
        body: JsonValue = status.body
        if body is None:
            body = {"message": f"refused ({status.status})"}
        return _json(status.status, body, headers)

    def _redirected(self, text: str, recording: Recording) -> str:
        """The text with addresses of the vendor leading to the emulator."""
        text = text.replace(BASE_URL, self.base_url(recording.config))
        origins = {
            step.host
            for recording in self.routes.recordings
            for step in recording.steps
            if step.host is not None
        }
        if self.manifest.base_url is not None and "{" not in self.manifest.base_url:
            origins.add(urlsplit(self.manifest.base_url).netloc)
        for host in sorted(origins, key=len, reverse=True):
            text = text.replace(f"https://{host}", self.address)
        return text


async def _arrived(request: web.BaseRequest) -> ArrivedRequest:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY, len(body))
    return ArrivedRequest(
        method=request.method,
        path=request.rel_url.raw_path,
        query=tuple(request.rel_url.query.items()),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=bytes(body),
    )


def _json(status: int, body: JsonValue, headers: Mapping[str, str]) -> web.Response:
    if status in (204, 304):
        return web.Response(status=status, headers=dict(headers))
    given = {name.lower() for name in headers}
    content_type = {} if "content-type" in given else {"Content-Type": "application/json"}
    return web.Response(
        status=status, body=json.dumps(body).encode(), headers=content_type | dict(headers)
    )


async def _half(request: web.BaseRequest, answer: web.Response) -> web.StreamResponse:
    whole = cast(bytes, answer.body or b"{}")
    half = web.StreamResponse(status=answer.status, headers=answer.headers)
    half.content_length = len(whole)
    await half.prepare(request)
    await half.write(whole[: len(whole) // 2])
    if request.transport is not None:
        request.transport.close()
    return half


def _abort(request: web.BaseRequest) -> None:
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        # Linger of 0: the kernel sends RST instead of FIN (socket(7), SO_LINGER).
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _connection(request: web.BaseRequest) -> str:
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    return str(peer)
