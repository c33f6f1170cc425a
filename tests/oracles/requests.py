"""Requests as vendors send them, through the listener's own parser to a verifier."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from jackfield_common.connector.verification import Verify
from jackfield_common.egress import Egress
from jackfield_gateway.edge.answers import Answers
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.fetching import Fetcher, FetchError
from jackfield_gateway.edge.protocol import Listener
from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.schemes.compile import Compiler, chosen
from jackfield_gateway.edge.schemes.verifier import Preparing, Secrets, Verifier
from jackfield_gateway.edge.settings import EdgeSettings
from jackfield_gateway.edge.statistics import Statistics

ORIGIN = "https://hooks.example.com"
PATH = "/webhooks/abcdefghijklmnopqrstuvwxyz"
SENDER = "203.0.113.7"
PROXY = "10.0.0.1"


@dataclass(frozen=True)
class Sent:
    """A request. A header may be there more than once."""

    body: bytes
    headers: tuple[tuple[str, str], ...]
    target: str = PATH
    method: str = "POST"
    peer: str = SENDER
    origin: str = ORIGIN

    def header(self, name: str) -> str:
        """One header's value."""
        return next(value for key, value in self.headers if key.lower() == name.lower())

    def names(self) -> list[str]:
        """The headers' names."""
        return [name for name, _ in self.headers]

    def with_header(self, name: str, value: str | None) -> "Sent":
        """With another value for a header, or without it."""
        headers = tuple(
            (key, value if key.lower() == name.lower() else given)
            for key, given in self.headers
            if key.lower() != name.lower() or value is not None
        )
        return replace(self, headers=tuple((k, v) for k, v in headers if v is not None))

    def raw(self) -> bytes:
        """The bytes on the wire."""
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: hooks.example.com"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body


class _Wire(asyncio.Transport):
    """A transport with nobody at the other end."""

    def __init__(self, peer: str) -> None:
        super().__init__({"peername": (peer, 40000)})

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def close(self) -> None:
        pass

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return False


class _Catching:
    """Keeps the requests that came through."""

    def __init__(self) -> None:
        self.caught: list[Exchange] = []

    def admit(self, exchange: Exchange) -> Reason | None:
        return None

    def receive(self, exchange: Exchange) -> None:
        self.caught.append(exchange)

    def refuse(self, exchange: Exchange, reason: Reason) -> None:
        pass


_CATCHING = _Catching()
_ANSWERS = Answers(1)
_ANSWERS.tick(0)
_LISTENER = Listener(
    EdgeSettings(public_url=ORIGIN, trusted_proxies=(PROXY + "/32",)),
    _CATCHING,
    _ANSWERS,
    Statistics(),
)


def parsed(raw: bytes, peer: str = SENDER) -> Exchange | None:
    """The request, parsed as the listener does it; None when it is refused as HTTP."""
    _CATCHING.caught = []
    connection = _LISTENER()
    connection.connection_made(_Wire(peer))
    connection.data_received(raw)
    connection.connection_lost(None)
    return _CATCHING.caught[0] if len(_CATCHING.caught) == 1 else None


class Documents:
    """What a vendor publishes, by address."""

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self.documents = dict(documents)
        self.asked: list[str] = []

    async def get(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.documents:
            raise FetchError(f"nothing at {url}")
        return self.documents[url]


def verifier_for(
    verify: Verify,
    secrets: Mapping[str, str | Sequence[str]],
    *,
    documents: Documents | None = None,
    config: Mapping[str, JsonValue] | None = None,
) -> Verifier:
    """A scheme compiled with these secrets. Raises Unusable."""
    values = {
        name: (given,) if isinstance(given, str) else tuple(given)
        for name, given in secrets.items()
    }
    compiler = Compiler(Fetcher(Egress()) if documents is None else documents)
    return compiler.compile(chosen(verify, config or {}), Secrets(values))


def verdict(verifier: Verifier, sent: Sent, now: float) -> Reason | None:
    """What becomes of a request; None when it is accepted."""
    exchange = parsed(sent.raw(), sent.peer)
    if exchange is None:
        return Reason.BAD_REQUEST
    exchange.origin = sent.origin
    if isinstance(verifier, Preparing):
        preparation = verifier.prepare(exchange, now)
        if preparation is not None:
            asyncio.run(_await(preparation))
    return verifier.verify(exchange, now)


async def _await(preparation: object) -> None:
    assert asyncio.iscoroutine(preparation)
    await preparation


def fresh() -> float:
    """The time that requests are signed at, for SDKs that read the clock themselves."""
    return float(int(time.time()))
