"""Fetching keys and certificates: a small HTTPS GET that can only go where calls may go.

The name is resolved here, each address is checked, and the connection is made to the address that was
checked. No redirects; the answer is bounded in size and in time.
"""

import asyncio
import socket
import ssl
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import h11

from jackfield_common.egress import Egress, EgressRefused
from jackfield_common.errors import JackfieldError

MAX_ANSWER: Final = 256 * 1024
TIMEOUT: Final = 3.0


class FetchError(JackfieldError):
    """The document could not be fetched; the text says why."""


class Fetcher:
    """Fetches small public documents over https; over http only from networks the operator allows."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._tls = ssl.create_default_context()

    async def get(self, url: str) -> bytes:
        """The document at `url`. Raises FetchError."""
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._get(url)
        except (OSError, h11.ProtocolError, ValueError) as error:
            # TimeoutError is an OSError
            raise FetchError(f"{urlsplit(url).hostname}: {error or 'no answer in time'}") from None

    async def _get(self, url: str) -> bytes:
        parts = urlsplit(url)
        host = parts.hostname
        if host is None or parts.scheme not in ("https", "http") or parts.username is not None:
            raise FetchError("not an https address")
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        address = await self._resolve(host, port, secure)
        reader, writer = await asyncio.open_connection(
            address,
            port,
            ssl=self._tls if secure else None,
            server_hostname=host if secure else None,
        )
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            return await _exchange(reader, writer, parts.netloc, target)
        finally:
            writer.close()

    async def _resolve(self, host: str, port: int, secure: bool) -> str:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, where in found:
            address = ip_address(where[0])
            if self._egress.reachable(address) if secure else self._egress.allowed(address):
                return str(address)
        raise EgressRefused("its address may not be reached from here (JACKFIELD_EGRESS_ALLOW)")


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, target: str
) -> bytes:
    connection = h11.Connection(h11.CLIENT)
    question = h11.Request(
        method="GET",
        target=target,
        headers=[("Host", host), ("Accept", "*/*"), ("Connection", "close")],
    )
    writer.write(connection.send(question))
    writer.write(connection.send(h11.EndOfMessage()))
    await writer.drain()
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(16 * 1024))
        elif isinstance(event, h11.Response):
            if event.status_code != 200:
                raise FetchError(f"it answered {event.status_code}")
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_ANSWER:
                raise FetchError(f"its answer is larger than {MAX_ANSWER} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)
        elif not isinstance(event, h11.InformationalResponse):
            raise FetchError("it closed the connection")
