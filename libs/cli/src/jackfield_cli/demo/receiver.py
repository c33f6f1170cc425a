"""A chat's incoming webhook on loopback: takes messages and says when each came."""

import asyncio
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from pydantic import BaseModel, ValidationError

from jackfield_cli.local.ports import LOOPBACK

_LARGEST_BODY = 1024 * 1024
_SHUTDOWN_POLL_SECONDS = 0.05


class Message(BaseModel):
    """A message as the incoming webhook takes it."""

    text: str = ""


class Arrival(BaseModel):
    """A message that came, and when: seconds since the epoch."""

    at: float
    message: Message


class Receiver:
    """Listens in a thread; `arrivals` is filled in the event loop that made it."""

    def __init__(self) -> None:
        self.path = (
            f"/services/T{secrets.token_hex(4)}/B{secrets.token_hex(4)}/{secrets.token_hex(12)}"
        )
        self.arrivals: asyncio.Queue[Arrival] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())

    @property
    def url(self) -> str:
        """The address of the incoming webhook; it is the secret."""
        return f"http://{LOOPBACK}:{self._server.server_port}{self.path}"

    @contextmanager
    def listening(self) -> Generator[None]:
        """Take messages for the length of a `with`."""
        thread = Thread(target=self._server.serve_forever, args=(_SHUTDOWN_POLL_SECONDS,))
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def _arrived(self, message: Message) -> None:
        arrival = Arrival(at=time.time(), message=message)
        self._loop.call_soon_threadsafe(self.arrivals.put_nowait, arrival)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                """Answer as the vendor does: `ok`, or the reason as text."""
                length = min(int(self.headers.get("Content-Length") or 0), _LARGEST_BODY)
                content = self.rfile.read(length)
                if self.path != receiver.path:
                    self._answer(404, b"no_service")
                    return
                try:
                    message = Message.model_validate_json(content)
                except ValidationError:
                    self._answer(400, b"invalid_payload")
                    return
                receiver._arrived(message)  # this class is a part of it
                self._answer(200, b"ok")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Keep quiet."""

        return Handler
