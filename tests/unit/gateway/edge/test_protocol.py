"""HTTP/1.1 at the edge: limits while reading, answers in order, nothing kept that is not wanted."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from jackfield_gateway.edge.answers import Answers
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.protocol import Listener
from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.settings import EdgeSettings
from jackfield_gateway.edge.statistics import Statistics
from tests.integration.edge.listening import Client, request


class Recording:
    """Takes every request and answers when told to."""

    def __init__(self, answers: Answers, statistics: Statistics) -> None:
        self.answers = answers
        self.statistics = statistics
        self.taken: list[Exchange] = []
        self.refused: list[Reason] = []
        self.refuses: Reason | None = None
        self.at_once = True

    def admit(self, exchange: Exchange) -> Reason | None:
        return self.refuses

    def receive(self, exchange: Exchange) -> None:
        self.taken.append(exchange)
        if self.at_once:
            self.accept(exchange)

    def accept(self, exchange: Exchange) -> None:
        body = exchange.body[:20]
        exchange.answer(
            self.answers.other(
                200,
                "OK",
                body,
                content_type="text/plain",
                headers={},
                keep_alive=exchange.keep_alive,
            )
        )

    def refuse(self, exchange: Exchange, reason: Reason) -> None:
        self.refused.append(reason)
        exchange.answer(self.answers.refused(reason, keep_alive=exchange.keep_alive))


class Serving:
    """A listener on a port, and its clients."""

    def __init__(self, listener: Listener, receiver: Recording, server: asyncio.Server) -> None:
        self.listener = listener
        self.receiver = receiver
        self.server = server
        self.clients: list[Client] = []

    async def connect(self) -> Client:
        port = self.server.sockets[0].getsockname()[1]
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        self.clients.append(client)
        return client

    async def sweep_until_closed(self, client: Client) -> None:
        """Let the sweeper run as the edge would, until the listener closes the connection."""
        closed = asyncio.create_task(client.is_closed())
        async with asyncio.timeout(10):
            while not closed.done():
                self.listener.sweep(time.monotonic())
                await asyncio.sleep(0.02)
        assert closed.result()


@asynccontextmanager
async def serving(**options: Any) -> AsyncGenerator[Serving]:
    answers, statistics = Answers(2), Statistics()
    answers.tick(time.time())
    receiver = Recording(answers, statistics)
    listener = Listener(EdgeSettings(**options), receiver, answers, statistics)
    server = await asyncio.get_running_loop().create_server(listener, "127.0.0.1", 0)
    running = Serving(listener, receiver, server)
    try:
        yield running
    finally:
        for client in running.clients:
            client.writer.close()
        server.close()
        for connection in list(listener.connections):
            connection.cut()
        await server.wait_closed()


async def test_a_connection_serves_many_requests() -> None:
    async with serving() as running:
        client = await running.connect()
        for number in range(3):
            await client.send(request("/", b"%d" % number))
            answer = await client.answer()
            assert (answer.status, answer.body) == (200, b"%d" % number)
        assert running.listener.statistics.received == 3
        assert running.listener.statistics.answered == 3


def test_it_runs_on_the_loop_that_services_run_on() -> None:
    async def serve() -> None:
        async with serving(max_pipelined=2) as running:
            client = await running.connect()
            await client.send(b"".join(request("/", b"%d" % number) for number in range(5)))
            assert [(await client.answer()).body for _ in range(5)] == [
                b"0", b"1", b"2", b"3", b"4"
            ]  # fmt: skip
            await client.send(b"GARBAGE\r\n\r\n")
            assert (await client.answer()).status == 400
            assert await client.is_closed()

    uvloop.run(serve())


async def test_a_request_in_many_pieces_is_the_same_request() -> None:
    async with serving() as running:
        client = await running.connect()
        for byte in request("/some/path?q=1", b"in pieces", {"X-One": "two"}):
            await client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.answer()).body == b"in pieces"
        [taken] = running.receiver.taken
        assert taken.target == b"/some/path?q=1"
        assert taken.headers[b"x-one"] == b"two"


async def test_chunked_bodies_are_read_and_their_trailers_dropped() -> None:
    async with serving() as running:
        client = await running.connect()
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"4\r\nhalf\r\n5\r\n done\r\n0\r\nX-Hub-Signature-256: forged\r\n\r\n"
        )
        assert (await client.answer()).body == b"half done"
        assert b"x-hub-signature-256" not in running.receiver.taken[0].headers


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with serving() as running:
        running.receiver.at_once = False
        client = await running.connect()
        await client.send(b"".join(request("/", b"%d" % number) for number in range(5)))
        while len(running.receiver.taken) < 5:
            await asyncio.sleep(0)
        for exchange in reversed(running.receiver.taken):
            running.receiver.accept(exchange)
        assert [(await client.answer()).body for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]


async def test_who_does_not_wait_for_answers_is_read_no_further() -> None:
    async with serving(max_pipelined=4) as running:
        running.receiver.at_once = False
        client = await running.connect()
        for _ in range(4):
            await client.send(request("/", b"x"))
            await asyncio.sleep(0.01)
        await client.send(request("/", b"late"))
        await asyncio.sleep(0.05)
        assert len(running.receiver.taken) == 4
        running.receiver.at_once = True
        for exchange in list(running.receiver.taken):
            running.receiver.accept(exchange)
        answers = [(await client.answer()).body for _ in range(5)]
        assert answers[-1] == b"late"


async def test_a_header_that_came_twice_is_marked() -> None:
    async with serving() as running:
        client = await running.connect()
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nX-Sig: 1\r\nx-sig: 2\r\nContent-Length: 0\r\n\r\n"
        )
        await client.answer()
        [taken] = running.receiver.taken
        assert taken.repeated == {b"x-sig"}
        assert taken.headers[b"x-sig"] == b"1, 2"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 3000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 9000, 431),
        (b"POST /" + b"y" * 9000, 431),
        (b"POST / HTTP/1.1\r\n" + b"".join(b"X%d: 1\r\n" % n for n in range(20)) + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4097\r\n\r\n", 413),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"800\r\n" + b"z" * 2048 + b"\r\n801\r\n" + b"z" * 2049 + b"\r\n",
            413,
        ),
    ],
    ids=[
        "no HTTP", "length no number", "two lengths", "length and chunked", "space before colon",
        "folded header", "HTTP/2", "CONNECT", "long header", "endless header", "endless target",
        "many headers", "large body declared", "large body in chunks",
    ],
)  # fmt: skip
async def test_what_is_refused_while_it_is_read(raw: bytes, status: int) -> None:
    async with serving(max_head=2048, max_headers=10, max_body=4096) as running:
        client = await running.connect()
        await client.send(raw)
        answer = await client.answer()
        assert answer.status == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["connection"] == "close"
        assert answer.json()["status"] == status
        assert await client.is_closed()
        assert running.receiver.taken == []
        assert running.listener.receiving == 0


async def test_an_upload_that_is_too_large_is_told_before_it_is_sent() -> None:
    async with serving(max_body=4096) as running:
        client = await running.connect()
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n"
        )
        assert (await client.answer()).status == 413
        client = await running.connect()
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        )
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        await client.send(b"body")
        assert (await client.answer()).body == b"body"


async def test_a_sender_still_sending_reads_why_it_was_refused() -> None:
    async with serving(max_body=4096) as running:
        client = await running.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n")
        for _ in range(50):
            await client.send(b"z" * 10_000)
        assert (await client.answer()).status == 413


async def test_the_body_of_a_refused_request_is_dropped_and_the_connection_stays() -> None:
    async with serving() as running:
        running.receiver.refuses = Reason.NOT_FOUND
        client = await running.connect()
        await client.send(request("/", b"z" * 10_000))
        assert (await client.answer()).status == 404
        running.receiver.refuses = None
        await client.send(request("/", b"again"))
        assert (await client.answer()).body == b"again"


async def test_bodies_under_way_are_bounded_over_all_connections() -> None:
    async with serving(max_receiving=1024 * 1024) as running:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
        first, second = await running.connect(), await running.connect()
        await first.send(head + b"z" * 800_000)
        while running.listener.receiving < 800_000:
            await asyncio.sleep(0.001)
        await second.send(head + b"z" * 800_000)
        answer = await second.answer()
        assert answer.status == 503
        assert "retry-after" in answer.headers
        await first.send(b"z" * 100_000)
        assert (await first.answer()).status == 200
        assert running.listener.receiving == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"POST / HTTP/1.1\r\nHost:",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfive",
    ],
    ids=["head", "body"],
)
async def test_a_slow_sender_is_told_and_cut_off(raw: bytes) -> None:
    async with serving(head_timeout=0.1, body_timeout=0.1) as running:
        client = await running.connect()
        await client.send(raw)
        answered = asyncio.create_task(client.answer())
        async with asyncio.timeout(10):
            while not answered.done():
                running.listener.sweep(time.monotonic())
                await asyncio.sleep(0.02)
        assert answered.result().status == 408
        await running.sweep_until_closed(client)


async def test_a_body_that_trickles_is_refused() -> None:
    async with serving(min_body_rate=1000) as running:
        client = await running.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nz")
        while not running.listener.connections:
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        running.listener.sweep(time.monotonic() + 6)
        assert (await client.answer()).status == 408


async def test_silent_and_idle_connections_are_closed() -> None:
    async with serving(head_timeout=0.1, idle_timeout=0.1) as running:
        silent = await running.connect()
        await running.sweep_until_closed(silent)
        idle = await running.connect()
        await idle.send(request("/"))
        await idle.answer()
        await running.sweep_until_closed(idle)
        assert running.listener.statistics.connections == 0


async def test_more_connections_than_allowed_are_turned_away() -> None:
    async with serving(max_connections=1) as running:
        first = await running.connect()
        await first.send(request("/"))
        await first.answer()
        second = await running.connect()
        assert (await second.answer()).status == 503
        assert await second.is_closed()


async def test_what_nobody_allowed_for_is_a_500_and_not_the_senders_fault() -> None:
    async with serving() as running:

        def broken(exchange: Exchange) -> None:
            raise RuntimeError("a bug")

        running.receiver.receive = broken
        client = await running.connect()
        await client.send(request("/", b"x"))
        answer = await client.answer()
        assert answer.status == 500
        assert "a bug" not in answer.body.decode()
        assert running.receiver.refused == [Reason.BUG]


async def test_a_sender_that_went_away_leaves_nothing_behind() -> None:
    async with serving() as running:
        running.receiver.at_once = False
        client = await running.connect()
        await client.send(request("/", b"one") + b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhal")
        while not running.receiver.taken:
            await asyncio.sleep(0)
        client.writer.close()
        await asyncio.sleep(0.02)
        running.receiver.accept(running.receiver.taken[0])
        while running.listener.connections:
            await asyncio.sleep(0.001)
        statistics = running.listener.statistics
        assert statistics.received == statistics.answered == 2
        assert running.listener.receiving == 0


async def test_half_closed_senders_get_their_answer() -> None:
    async with serving() as running:
        running.receiver.at_once = False
        client = await running.connect()
        await client.send(request("/", b"one"))
        client.writer.write_eof()
        while not running.receiver.taken:
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)
        running.receiver.accept(running.receiver.taken[0])
        assert (await client.answer()).body == b"one"
        assert await client.is_closed()


async def test_a_body_is_never_read_as_the_request_after_an_upgrade() -> None:
    async with serving() as running:
        client = await running.connect()
        upgrade = {"Connection": "Upgrade", "Upgrade": "h2c"}
        await client.send(request("/", request("/smuggled"), upgrade))
        assert (await client.answer()).status == 400
        assert await client.is_closed()
        assert running.receiver.taken == []


async def test_connection_close_and_http_1_0_are_honoured() -> None:
    for raw in (
        request("/", b"x", {"Connection": "close"}),
        b"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx",
    ):
        async with serving() as running:
            client = await running.connect()
            await client.send(raw)
            answer = await client.answer()
            assert answer.headers["connection"] == "close"
            assert await client.is_closed()


async def test_a_drain_lets_what_is_under_way_end() -> None:
    async with serving() as running:
        running.receiver.at_once = False
        idle, busy = await running.connect(), await running.connect()
        await idle.send(request("/", b"x"))
        while not running.receiver.taken:
            await asyncio.sleep(0)
        running.receiver.accept(running.receiver.taken[0])
        await idle.answer()
        await busy.send(request("/", b"busy"))
        while len(running.receiver.taken) < 2:
            await asyncio.sleep(0)
        draining = asyncio.create_task(running.listener.drain(5))
        assert await idle.is_closed()
        running.receiver.accept(running.receiver.taken[1])
        answer = await busy.answer()
        assert answer.body == b"busy"
        await draining
        assert not running.listener.connections
