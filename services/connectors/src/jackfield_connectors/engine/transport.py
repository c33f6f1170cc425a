"""HTTP to vendors over aiohttp: one session an integration, everything bounded.

The connection pool, the answer's size after decompression, redirects and time have limits; TLS is
verified; addresses are checked as `egress` says. Sessions are made when first needed and closed when
too many lie idle.
"""

import asyncio
import ssl
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import aiohttp
from aiohttp.resolver import ThreadedResolver
from multidict import CIMultiDictProxy
from yarl import URL

from jackfield_common.egress import Egress, EgressRefused, literal
from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.engine.failures import CutOff
from jackfield_connectors.engine.resolver import CheckedResolver

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""The largest answer that is read, in bytes after decompression."""
MAX_REDIRECTS: Final = 5
CONNECT_SECONDS: Final = 10.0
KEEPALIVE_SECONDS: Final = 4.0
"""Shorter than vendors' own (5 s is common), so that a request rarely meets a connection being closed:
for a call that must not be repeated that would be an unknown outcome."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SAME_METHOD: Final = frozenset({307, 308})
_READ_METHODS: Final = frozenset({"GET", "HEAD"})
_CREDENTIAL_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Request:
    """What goes out. `named_only`: only to networks that the operator named.

    `secret_headers` are lowercase names that never follow a redirect to another host.
    """

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None = field(default=None, repr=False)
    named_only: bool = False
    secret_headers: frozenset[str] = _CREDENTIAL_HEADERS


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are lowercase."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Line:
    """The sessions of one integration."""

    __slots__ = ("busy", "named", "public")

    def __init__(self) -> None:
        self.public: aiohttp.ClientSession | None = None
        self.named: aiohttp.ClientSession | None = None
        self.busy = 0

    async def close(self) -> None:
        for session in (self.public, self.named):
            if session is not None:
                await session.close()


class Transport:
    """Sends requests for integrations. Close it at the end."""

    def __init__(
        self,
        egress: Egress,
        *,
        connections: int = 32,
        idle_sessions: int = 256,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._egress = egress
        self._connections = connections
        self._idle_sessions = idle_sessions
        self._max_answer_bytes = max_answer_bytes
        self._tls = tls or ssl.create_default_context()
        self._names = ThreadedResolver()
        self._lines: OrderedDict[str, _Line] = OrderedDict()

    async def close(self) -> None:
        """Close every session."""
        lines, self._lines = list(self._lines.values()), OrderedDict()
        for line in lines:
            await line.close()

    async def forget(self, integration_id: str) -> None:
        """Close the sessions of an integration that was uninstalled."""
        line = self._lines.pop(integration_id, None)
        if line is not None:
            await line.close()

    async def send(self, integration_id: str, request: Request, timeout: float) -> Answer:
        """Send a request and read the whole answer, within `timeout` seconds.

        Raises Failure: CONNECTION when nothing was sent, INVALID for an address that calls may not
        reach, BUG for an answer beyond the bounds; CutOff when the request left without a whole answer.
        """
        line = self._lines.get(integration_id)
        if line is None:
            line = self._lines[integration_id] = _Line()
        self._lines.move_to_end(integration_id)
        line.busy += 1
        try:
            async with asyncio.timeout(timeout):
                return await self._follow(line, request, timeout)
        except TimeoutError:
            raise CutOff(ErrorKind.TIMEOUT, f"no answer within {timeout:g} s") from None
        finally:
            line.busy -= 1
            if len(self._lines) > self._idle_sessions:
                await self._close_idle()

    async def _follow(self, line: _Line, request: Request, timeout: float) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._once(line, request, timeout)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or location is None:
                return answer
            request = _redirected(request, answer.status, location)
        raise Failure(ErrorKind.BUG, f"more than {MAX_REDIRECTS} redirects")

    async def _once(self, line: _Line, request: Request, timeout: float) -> Answer:
        session = self._session(line, request)
        limits = aiohttp.ClientTimeout(connect=min(CONNECT_SECONDS, timeout / 2))
        try:
            async with session.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
                timeout=limits,
            ) as response:
                body = await self._read(response)
                return Answer(response.status, _lower(response.headers), body)
        except aiohttp.ClientConnectorCertificateError as error:
            raise Failure(
                ErrorKind.CONNECTION, f"the certificate of {request.url.host} is not trusted"
            ) from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, EgressRefused):
                raise Failure(ErrorKind.INVALID, str(error.os_error), field="base_url") from None
            raise Failure(
                ErrorKind.CONNECTION, f"{request.url.host} cannot be reached: {_reason(error)}"
            ) from error
        except aiohttp.ConnectionTimeoutError:
            raise Failure(
                ErrorKind.CONNECTION, f"{request.url.host} did not accept a connection in time"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise CutOff(
                ErrorKind.CONNECTION, f"the connection broke off: {type(error).__name__}"
            ) from error

    def _session(self, line: _Line, request: Request) -> aiohttp.ClientSession:
        url = request.url
        if url.scheme not in ("https", "http") or not url.host:
            raise Failure(ErrorKind.INVALID, "the address is not https", field="base_url")
        named_only = request.named_only or url.scheme == "http"
        address = literal(url.host)
        admits = self._egress.allowed if named_only else self._egress.reachable
        if address is not None and not admits(address):
            raise Failure(
                ErrorKind.INVALID,
                f"{url.host} lies in a network that calls may not reach",
                field="base_url",
            )
        if named_only:
            if line.named is None:
                line.named = self._open(named_only=True)
            return line.named
        if line.public is None:
            line.public = self._open(named_only=False)
        return line.public

    def _open(self, *, named_only: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._connections,
            ssl=self._tls,
            resolver=CheckedResolver(self._egress, self._names, named_only=named_only),
            keepalive_timeout=KEEPALIVE_SECONDS,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            requote_redirect_url=False,
            skip_auto_headers=("User-Agent", "Content-Type"),
        )
        # aiohttp repeats PUT and DELETE by itself when a kept connection breaks; whether a call may be
        # repeated is the action's to say.
        session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
        return session

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._max_answer_bytes
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        inflate = _inflater(encoding)
        parts: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            try:
                part = chunk if inflate is None else inflate.decompress(chunk, limit - size + 1)
            except zlib.error:
                raise Failure(ErrorKind.BUG, f"the answer is not {encoding}") from None
            size += len(part)
            if size > limit:
                # The rest is not wanted: closing drops the connection with what is still under way.
                response.close()
                raise Failure(ErrorKind.BUG, f"the answer is larger than {limit} bytes")
            parts.append(part)
        if inflate is not None and parts and not inflate.eof:
            raise Failure(ErrorKind.BUG, f"the answer's {encoding} ends too early")
        return b"".join(parts)

    async def _close_idle(self) -> None:
        for integration_id, line in list(self._lines.items()):
            if len(self._lines) <= self._idle_sessions:
                return
            if line.busy == 0:
                del self._lines[integration_id]
                await line.close()


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes: ...


def _inflater(encoding: str) -> _Inflater | None:
    match encoding:
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(16 + zlib.MAX_WBITS)
        case "deflate":
            return zlib.decompressobj()
        case _:
            raise Failure(
                ErrorKind.BUG, f"the answer's encoding {encoding[:40]!r} was not asked for"
            )


def _redirected(request: Request, status: int, location: str) -> Request:
    if request.method not in _READ_METHODS and status not in _SAME_METHOD:
        raise Failure(
            ErrorKind.INVALID, f"the vendor answered {status}: what was addressed has moved"
        )
    try:
        target = request.url.join(URL(location, encoded=True))
    except ValueError:
        raise Failure(ErrorKind.BUG, "the vendor redirected to what is no address") from None
    if target.scheme != "https" and request.url.scheme == "https":
        raise Failure(ErrorKind.INVALID, "the vendor redirected from https to plain http")
    if target.origin() == request.url.origin():
        return replace(request, url=target)
    if request.method not in _READ_METHODS:
        raise Failure(ErrorKind.INVALID, "the vendor redirected the call to another host")
    kept = {
        name: value
        for name, value in request.headers.items()
        if name.lower() not in request.secret_headers
    }
    return replace(request, url=target, headers=kept)


def _lower(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def _reason(error: aiohttp.ClientConnectorError) -> str:
    return error.os_error.strerror or type(error.os_error).__name__
