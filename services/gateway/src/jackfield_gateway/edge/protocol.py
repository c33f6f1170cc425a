"""HTTP/1.1 (RFC 9112) on the webhook port: a bare asyncio protocol around llhttp.

Every limit holds while the request is being read: nothing is buffered beyond it. Answers leave in the
order of their requests, however the requests end.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Final, Protocol, cast

import httptools
import structlog

from jackfield_gateway.edge.answers import CONTINUE, Answers
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.limits import Networks, sender
from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.settings import EdgeSettings
from jackfield_gateway.edge.statistics import Statistics

log = structlog.get_logger(__name__)

_monotonic = time.monotonic
_LINGER: Final = 2.0
"""Seconds that a refused sender may go on sending before the connection is cut (RFC 9112, 9.6)."""
_DISCARDED: Final = 64 * 1024
"""Bytes of a refused body that are read and dropped to keep the connection."""
_GRACE: Final = 5.0
_NEVER: Final = float("inf")


class Receiving(Protocol):
    """What decides on requests."""

    def admit(self, exchange: Exchange) -> Reason | None:
        """Decide on the head of a request, before its body is read; None lets it in."""
        ...

    def receive(self, exchange: Exchange) -> None:
        """Take a whole request; it will be answered."""
        ...

    def refuse(self, exchange: Exchange, reason: Reason) -> None:
        """Answer with a problem."""
        ...


class Listener:
    """What all connections of a listener share."""

    def __init__(
        self, settings: EdgeSettings, receiver: Receiving, answers: Answers, statistics: Statistics
    ) -> None:
        self.settings = settings
        self.receiver = receiver
        self.answers = answers
        self.statistics = statistics
        self.trusted = Networks(settings.trusted_proxies)
        self.connections: set[Connection] = set()
        self.receiving = 0
        self.draining = False
        self.empty = asyncio.Event()
        """Set when the last connection of a listener that drains is gone."""

    def __call__(self) -> "Connection":
        """A protocol for a new connection."""
        return Connection(self)

    def sweep(self, now: float) -> None:
        """End what is over its time; call twice a second with the monotonic time."""
        late = [one for one in self.connections if one.deadline < now or one.is_too_slow(now)]
        for connection in late:
            connection.expire()

    async def drain(self, timeout: float) -> None:
        """Close idle connections, and the others with their next answer, within `timeout` seconds."""
        self.draining = True
        for connection in list(self.connections):
            connection.drain()
        if self.connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.empty.wait(), timeout)


class Connection(asyncio.Protocol):
    """One connection: a parser, the request being read, and the answers that are due."""

    __slots__ = (
        "_body",
        "_body_size",
        "_closing",
        "_deciding",
        "_ended",
        "_exchange",
        "_head_size",
        "_in_head",
        "_listener",
        "_parser",
        "_paused",
        "_peer",
        "_peer_trusted",
        "_queue",
        "_read_since",
        "_refused",
        "_repeats",
        "_transport",
        "_writable",
        "deadline",
    )

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._queue: deque[Exchange] = deque()
        self._exchange: Exchange | None = None
        self._deciding: Exchange | None = None
        self._body: list[bytes] = []
        self._body_size = 0
        self._head_size = 0
        self._repeats = 0
        self._in_head = False
        self._refused: Reason | None = None
        self._closing = False
        self._ended = False
        self._paused = False
        self._writable = True
        self._peer = ""
        self._peer_trusted = False
        self._read_since = 0.0
        self.deadline = 0.0

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A sender connected."""
        # uvloop's transport is none by inheritance
        transport = cast(asyncio.Transport, transport)
        listener = self._listener
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._peer_trusted = self._peer in listener.trusted
        self.deadline = _monotonic() + listener.settings.head_timeout
        if len(listener.connections) >= listener.settings.max_connections or listener.draining:
            listener.statistics.refused[Reason.OVERLOADED] += 1
            transport.write(listener.answers.refused(Reason.OVERLOADED, keep_alive=False))
            transport.close()
            self._closing = True
            return
        listener.connections.add(self)
        listener.statistics.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """The sender is gone; what it sent whole still goes its way."""
        listener = self._listener
        self._transport = None
        self._abandon()
        self._queue.clear()
        if self in listener.connections:
            listener.connections.discard(self)
            listener.statistics.connections -= 1
            if listener.draining and not listener.connections:
                listener.empty.set()

    def data_received(self, data: bytes) -> None:
        """Bytes from the sender."""
        if self._closing:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            # not the sender's fault: what decided on the request raised something
            log.error("webhook_request_failed", exc_info=error.__context__)
            if self._deciding is not None:
                # it stands in the queue already, and answers leave in order
                self._queue.remove(self._deciding)
                self._exchange, self._deciding = self._deciding, None
            self._end_with(Reason.BUG)
            return
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._end_with(Reason.BAD_REQUEST)
            return
        if self._in_head:
            # llhttp keeps an unfinished header to itself: what it holds is bounded here
            self._head_size += len(data)
            if self._head_size > 2 * self._listener.settings.max_head:
                self._end_with(Reason.HEAD_TOO_LARGE)

    def eof_received(self) -> bool:
        """The sender will send no more; answers that are due still go out."""
        self._ended = True
        if self._exchange is not None:
            self._abandon()
            self._closing = True
        return bool(self._queue)

    def pause_writing(self) -> None:
        """The sender does not read its answers: read no more requests from it."""
        self._writable = False
        self._balance()

    def resume_writing(self) -> None:
        """The sender reads again."""
        self._writable = True
        self._balance()

    # The parser's side.

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if self._closing:
            return
        now = _monotonic()
        self._exchange = Exchange(self, now)
        self._in_head = True
        self._head_size = 0
        self._repeats = 0
        self._refused = None
        self.deadline = now + self._listener.settings.head_timeout

    def on_url(self, url: bytes) -> None:
        """The request target, or a piece of it."""
        exchange = self._exchange
        if exchange is not None:
            exchange.target += url
            if len(exchange.target) > self._listener.settings.max_head:
                self._end_with(Reason.HEAD_TOO_LARGE)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers (RFC 9110, 6.5) are dropped."""
        exchange = self._exchange
        if exchange is None or not self._in_head:
            return
        name = name.lower()
        headers = exchange.headers
        if name not in headers:
            headers[name] = value
            return
        self._repeats += 1
        if self._repeats > self._listener.settings.max_headers:
            self._end_with(Reason.HEAD_TOO_LARGE)
            return
        headers[name] += b", " + value
        if exchange.repeated is None:
            exchange.repeated = set()
        exchange.repeated.add(name)

    def on_headers_complete(self) -> None:
        """The head is whole: decide whether the body is worth reading."""
        exchange = self._exchange
        if exchange is None:
            return
        listener, settings = self._listener, self._listener.settings
        self._in_head = False
        exchange.method = self._parser.get_method()
        exchange.keep_alive = self._parser.should_keep_alive() and not listener.draining
        exchange.source = self._peer
        exchange.origin = settings.public_url
        listener.statistics.received += 1
        headers = exchange.headers
        if self._parser.should_upgrade():
            # llhttp would not read the body as one, but as what follows the upgrade: a smuggled request
            self._end_with(Reason.BAD_REQUEST)
            return
        if self._peer_trusted:
            exchange.through_proxy = True
            forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
            if forwarded:
                exchange.source = sender(self._peer, forwarded, listener.trusted)
        size = sum(map(len, headers)) + sum(map(len, headers.values())) + 4 * len(headers)
        if (
            size + len(exchange.target) > settings.max_head
            or len(headers) + self._repeats > settings.max_headers
        ):
            self._end_with(Reason.HEAD_TOO_LARGE)
            return
        length = headers.get(b"content-length")
        if length is not None and int(length) > settings.max_body:
            self._end_with(Reason.BODY_TOO_LARGE)
            return
        if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
            self._refused = Reason.CONTENT_ENCODING
        else:
            self._refused = listener.receiver.admit(exchange)
        if b"expect" in headers and headers[b"expect"].lower() == b"100-continue":
            if self._refused is not None:
                self._end_with(self._refused)
                return
            if not self._queue and self._transport is not None:
                self._transport.write(CONTINUE)
        self._read_since = exchange.started
        self.deadline = exchange.started + settings.head_timeout + settings.body_timeout

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._exchange is None:
            return
        listener = self._listener
        self._body_size += len(body)
        if self._refused is not None:
            if self._body_size > _DISCARDED:
                self._end_with(self._refused)
            return
        if self._body_size > listener.settings.max_body:
            self._end_with(Reason.BODY_TOO_LARGE)
            return
        self._body.append(body)
        listener.receiving += len(body)
        if listener.receiving > listener.settings.max_receiving:
            self._end_with(Reason.OVERLOADED)

    def on_message_complete(self) -> None:
        """The request is whole."""
        exchange = self._exchange
        if exchange is None:
            return
        listener = self._listener
        self._exchange = None
        pieces = self._body
        if pieces:
            exchange.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            listener.receiving -= len(exchange.body)
            self._body = []
        self._body_size = 0
        self._queue.append(exchange)
        self.deadline = _NEVER
        self._deciding = exchange
        if self._refused is not None:
            listener.receiver.refuse(exchange, self._refused)
        else:
            listener.receiver.receive(exchange)
        self._deciding = None
        if len(self._queue) >= listener.settings.max_pipelined:
            self._balance()

    # Answers.

    def answer(self, exchange: Exchange, raw: bytes) -> None:
        """Send an answer when those before it are sent."""
        self._listener.statistics.answered += 1
        transport, queue = self._transport, self._queue
        if transport is None:
            return
        exchange.raw = raw
        while queue and queue[0].raw is not None:
            head = queue.popleft()
            assert head.raw is not None
            transport.write(head.raw)
            if not head.keep_alive:
                self._finish()
                return
        if not queue:
            if self._ended:
                transport.close()
            elif self._exchange is None and not self._closing:
                self.deadline = _monotonic() + self._listener.settings.idle_timeout
        if self._paused:
            self._balance()

    def expire(self) -> None:
        """The time for what this connection is doing is over."""
        transport = self._transport
        if transport is None:
            return
        if self._closing:
            transport.abort()
        elif self._exchange is not None:
            self._end_with(Reason.SLOW)
        else:
            self._closing = True
            self.deadline = _monotonic() + _LINGER
            transport.close()

    def is_too_slow(self, now: float) -> bool:
        """Whether a body comes more slowly than the least rate."""
        if self._exchange is None or self._in_head or self._closing:
            return False
        elapsed = now - self._read_since - _GRACE
        return elapsed > 0 and self._body_size < elapsed * self._listener.settings.min_body_rate

    def drain(self) -> None:
        """Close now when idle, else with the next answer."""
        if self._transport is None:
            return
        for exchange in self._queue:
            exchange.keep_alive = False
        if self._exchange is None and not self._queue:
            self._transport.close()

    def cut(self) -> None:
        """Close without waiting for anything."""
        if self._transport is not None:
            self._transport.abort()

    def _end_with(self, reason: Reason) -> None:
        """Refuse what is being read, and read no more."""
        exchange = self._exchange
        self._drop_body()
        self._in_head = False
        self._exchange = None
        self._closing = True
        self.deadline = _monotonic() + _LINGER
        if exchange is None:
            exchange = Exchange(self, _monotonic())
        if not exchange.method:
            # what never became a request
            exchange.source = self._peer
            self._listener.statistics.received += 1
        exchange.keep_alive = False
        self._queue.append(exchange)
        self._listener.receiver.refuse(exchange, reason)

    def _finish(self) -> None:
        """Close after the last answer. A sender still sending gets to read it first."""
        transport = self._transport
        if transport is None:
            return
        if self._closing and not self._ended and transport.can_write_eof():
            self.deadline = _monotonic() + _LINGER
            transport.write_eof()
            return
        self._closing = True
        transport.close()

    def _abandon(self) -> None:
        """The request being read will never be whole."""
        if self._exchange is not None and self._exchange.method:
            self._listener.statistics.answered += 1
        self._drop_body()
        self._exchange = None

    def _drop_body(self) -> None:
        self._listener.receiving -= sum(len(piece) for piece in self._body)
        self._body = []
        self._body_size = 0

    def _balance(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        full = not self._writable or len(self._queue) >= self._listener.settings.max_pipelined
        if full and not self._paused:
            self._paused = True
            transport.pause_reading()
        elif not full and self._paused:
            self._paused = False
            transport.resume_reading()
