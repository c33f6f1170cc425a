"""`/health/live`, `/health/ready` and `/metrics`, on a port of their own for the operator alone."""

import asyncio
import json
from collections.abc import Callable
from typing import Final

import h11
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

log = structlog.get_logger(__name__)

_TIMEOUT: Final = 10.0
_MAX_CONNECTIONS: Final = 64


class Readiness:
    """Named checks that all have to hold before a process should be given work."""

    def __init__(self) -> None:
        self._checks: dict[str, Callable[[], bool]] = {}

    def add(self, name: str, check: Callable[[], bool]) -> None:
        """Add a check; it is called for every probe and must not block."""
        self._checks[name] = check

    def report(self) -> dict[str, bool]:
        """Every check by name."""
        return {name: check() for name, check in self._checks.items()}


class OperationsServer:
    """A small HTTP/1.1 server (RFC 9112) for probes and scrapes."""

    def __init__(self, host: str, port: int, readiness: Readiness) -> None:
        self._host = host
        self._port = port
        self._readiness = readiness
        self._server: asyncio.Server | None = None
        self._open = 0

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            return self._port
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._serve, self._host, self._port)

    async def stop(self) -> None:
        """Close."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= _MAX_CONNECTIONS:
                async with asyncio.timeout(_TIMEOUT):
                    await self._answer(reader, writer)
        except (TimeoutError, OSError, h11.RemoteProtocolError) as error:
            log.debug("operations_connection_ended", error=type(error).__name__)
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=8 * 1024)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(4096))
            elif isinstance(event, h11.Request):
                path = event.target.split(b"?")[0].decode("ascii", "replace")
                status, content_type, body = self._respond(event.method, path)
                headers = [
                    ("content-type", content_type),
                    ("content-length", str(len(body))),
                    ("connection", "close"),
                ]
                for part in (
                    h11.Response(status_code=status, headers=headers),
                    h11.Data(data=b"" if event.method == b"HEAD" else body),
                    h11.EndOfMessage(),
                ):
                    writer.write(connection.send(part) or b"")
                await writer.drain()
                return
            else:
                return

    def _respond(self, method: bytes, path: str) -> tuple[int, str, bytes]:
        if method not in (b"GET", b"HEAD"):
            return 405, "text/plain", b"method not allowed\n"
        match path:
            case "/health/live":
                return 200, "application/json", b'{"status":"live"}'
            case "/health/ready":
                checks = self._readiness.report()
                ready = all(checks.values())
                body = {
                    "status": "ready" if ready else "not ready",
                    "waiting_for": [name for name, holds in checks.items() if not holds],
                    "checks": checks,
                }
                return 200 if ready else 503, "application/json", json.dumps(body).encode()
            case "/metrics":
                return 200, CONTENT_TYPE_LATEST, generate_latest()
            case _:
                return 404, "text/plain", b"not found\n"
