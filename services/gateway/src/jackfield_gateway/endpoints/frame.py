"""What stands around every request: its span, its metrics, security headers, and faults of ours."""

import asyncio
import time
from typing import Any, Final

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jackfield_common import telemetry
from jackfield_gateway.endpoints.problems import internal, problem

log = structlog.get_logger(__name__)

REQUESTS: Final = Counter(
    "jackfield_api_requests_total", "API requests", ["method", "route", "status"]
)
DURATION: Final = Histogram(
    "jackfield_api_request_seconds",
    "Time from the head of an API request to the end of its answer",
    ["method", "route"],
    buckets=telemetry.LATENCY_BUCKETS,
)

_DISCARD_BYTES: Final = 32 * 1024 * 1024
_DISCARD_SECONDS: Final = 5.0
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Frame:
    """ASGI middleware, outermost; at most `max_requests` at a time, with bodies of `max_body` bytes."""

    def __init__(self, app: ASGIApp, max_requests: int, max_body: int) -> None:
        self._app = app
        self._max_requests = max_requests
        self._max_body = max_body
        self._serving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"traceparent", b"tracestate")
        }
        method = scope["method"] if scope["method"] in _METHODS else "other"
        started = time.perf_counter()
        status = 500

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message["headers"])
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        self._serving += 1
        with telemetry.serving(f"{method} API", carrier) as span:
            try:
                await self._serve(scope, receive, framed)
            finally:
                self._serving -= 1
                route = _route(scope)
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)
                span.set_attribute("http.request.method", method)
                span.set_attribute("http.response.status_code", status)
                REQUESTS.labels(method, route, str(status)).inc()
                DURATION.labels(method, route).observe(time.perf_counter() - started)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        if self._serving > self._max_requests:
            detail = f"{self._max_requests} requests are being served: come back in 1 s."
            busy = problem(503, detail, scope["path"], headers={"Retry-After": "1"})
            await busy(scope, receive, send)
            return
        if _declared_length(scope) > self._max_body:
            await _discard(receive)
            await self._too_large(scope)(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, self._limited(receive), noted)
        except Exception:
            # The outermost loop of a request: whatever it was, the sender learns that it failed.
            log.exception("request_failed", method=scope["method"], route=_route(scope))
            if begun:
                raise
            await internal(scope["path"])(scope, receive, send)

    def _limited(self, receive: Receive) -> Receive:
        """As `receive`, up to the limit: a body is never held in memory beyond it."""
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body:
                if message.get("more_body"):
                    await _discard(receive)
                raise HTTPException(413, headers={"Connection": "close"})
            return message

        return limited

    def _too_large(self, scope: Scope) -> ASGIApp:
        detail = f"The body is larger than the {self._max_body} bytes that the API takes."
        return problem(413, detail, scope["path"], headers={"Connection": "close"})


async def _discard(receive: Receive) -> None:
    """Let a body pass, within limits: closing on a sender that still writes loses it the answer."""
    passed = 0
    try:
        async with asyncio.timeout(_DISCARD_SECONDS):
            while passed < _DISCARD_BYTES:
                message = await receive()
                passed += len(message.get("body", b""))
                if not message.get("more_body"):
                    return
    except TimeoutError:
        return


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _route(scope: Scope) -> str:
    route: Any = scope.get("route")
    return getattr(route, "path", "none")
