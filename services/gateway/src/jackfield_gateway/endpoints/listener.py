"""uvicorn inside a running service: its socket bound first, its end the service's."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

KEEP_ALIVE: Final = 75
"""Seconds that an idle connection is kept."""
MAX_HEAD: Final = 32 * 1024
"""Bytes of a request's head."""


class _Server(uvicorn.Server):
    """A server that leaves signals to the process around it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


def bind(host: str, port: int) -> socket.socket:
    """A bound socket. Raises OSError naming the address when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches off the delay of small writes (TCP_NODELAY).
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"{host}:{port}: {error.strerror}") from None
    return bound


@asynccontextmanager
async def listening(app: ASGIApp, bound: socket.socket, drain: float) -> AsyncGenerator[None]:
    """Serve `app` on a bound socket inside the block; its end waits `drain` seconds for open requests."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, int(drain)),
        h11_max_incomplete_event_size=MAX_HEAD,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([bound]), name="api")
    listens = asyncio.create_task(server.listens.wait())
    try:
        await asyncio.wait({serving, listens}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        yield
    finally:
        listens.cancel()
        server.should_exit = True
        await serving
