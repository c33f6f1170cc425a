"""The load generator of `benchmarks.ingest`: each connection sends its next post on the last answer.

Reads one JSON object from standard input, writes one to standard output. It parses no HTTP beyond the
status: all answers of a run have one length, which the first one tells.
"""

import asyncio
import hashlib
import hmac
import json
import sys
import time
from typing import Any, cast

import uvloop

from benchmarks.machine import percentile

_BODIES = 16


class Posts:
    """Signed posts, made ahead but for the delivery's number."""

    def __init__(self, integrations: list[str], secret: str, size: int) -> None:
        self._heads: list[tuple[bytes, bytes]] = []
        self._next = 0
        for integration in integrations:
            for number in range(_BODIES):
                filler = {"repository": {"full_name": f"acme/{number}"}, "text": ""}
                room = size - len(json.dumps(filler))
                body = json.dumps(filler | {"text": ("lorem ipsum " * 400)[:room]}).encode()
                signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
                before = (
                    f"POST /webhooks/{integration} HTTP/1.1\r\nHost: hooks.example.com\r\n"
                    "User-Agent: GitHub-Hookshot/044aadd\r\nAccept: */*\r\n"
                    "Content-Type: application/json\r\nX-GitHub-Event: push\r\n"
                    f"X-GitHub-Hook-ID: 292430182\r\nX-Hub-Signature-256: sha256={signature}\r\n"
                    f"Content-Length: {len(body)}\r\nX-GitHub-Delivery: "
                )
                self._heads.append((before.encode(), b"\r\n\r\n" + body))

    def take(self) -> bytes:
        """The next post."""
        number = self._next = self._next + 1
        before, after = self._heads[number % len(self._heads)]
        return b"%b%012d-%012d%b" % (before, number, time.monotonic_ns() % 10**12, after)


class Sender(asyncio.Protocol):
    """One connection."""

    def __init__(self, posts: Posts, times: list[float], wrong: list[int], end: float) -> None:
        self._posts = posts
        self._times = times
        self._wrong = wrong
        self._end = end
        self._length = 0
        self._got = b""
        self._sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first post."""
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._posts.take())

    def data_received(self, data: bytes) -> None:
        """Note an answer that is whole, and send the next post."""
        got = self._got + data if self._got else data
        head = got.find(b"\r\n\r\n")
        if head < 0:
            self._got = got
            return
        if not self._length:
            for line in got[:head].lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    self._length = int(line[15:])
        if len(got) < head + 4 + self._length:
            self._got = got
            return
        self._got = b""
        now = time.perf_counter()
        if got.startswith(b"HTTP/1.1 202"):
            self._times.append(now - self._sent)
        else:
            self._wrong.append(int(got[9:12]))
            self._length = 0
        if now < self._end:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        if not self.done.done():
            self.done.set_result(None)


async def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Send for `seconds` over `connections`."""
    posts = Posts(asked["integrations"], asked["secret"], asked["size"])
    times: list[float] = []
    wrong: list[int] = []
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    end = started + asked["seconds"]
    senders: list[Sender] = []
    for _ in range(asked["connections"]):
        _, sender = await loop.create_connection(
            lambda: Sender(posts, times, wrong, end), "127.0.0.1", asked["port"]
        )
        senders.append(sender)
    await asyncio.gather(*(sender.done for sender in senders))
    elapsed = time.perf_counter() - started
    times.sort()
    return {
        "count": len(times),
        "rate": len(times) / elapsed,
        "wrong": len(wrong),
        "p50": percentile(times, 0.5) * 1000,
        "p99": percentile(times, 0.99) * 1000,
        "p999": percentile(times, 0.999) * 1000,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.stdin.read())))))
