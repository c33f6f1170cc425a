"""Addresses that users give: https, unless the operator opened the network they lead into."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

from pydantic import JsonValue

from jackfield_common.egress import Address, Egress, literal

Resolve = Callable[[str], Awaitable[list[Address]]]

RESOLVE_TIMEOUT: Final = 2.0
"""Seconds."""


async def resolve(host: str) -> list[Address]:
    """The addresses of a host name; none when it has none, or none was found in time."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return []
    return [ipaddress.ip_address(entry[4][0]) for entry in found]


class Addresses:
    """Judges addresses by the operator's `egress_allow`.

    This refuses mistakes when they are typed. What an address leads to is checked again by whoever
    connects to it, every time.
    """

    def __init__(self, allow: Iterable[str], resolve: Resolve = resolve) -> None:
        self._egress = Egress(tuple(allow))
        self._resolve = resolve

    async def objection(self, url: str) -> str | None:
        """Why `url` cannot be used; None when it can."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            return "is not an address"
        if parts.scheme not in ("http", "https") or not host:
            return "give an address that begins with https://"
        if parts.username is not None or parts.password is not None:
            return "an address must not hold a user name or a password: give them as credentials"
        address = literal(host)
        if address is not None and not self._egress.reachable(address):
            return (
                "leads into a network that calls may not reach, unless the operator names it in"
                " JACKFIELD_EGRESS_ALLOW"
            )
        if parts.scheme == "http" and not await self.opened(host):
            return (
                "give an https address; plain http is only for hosts inside the networks of"
                " JACKFIELD_EGRESS_ALLOW"
            )
        return None

    async def opened(self, host: str) -> bool:
        """Whether `host` lies, with all its addresses, in networks that the operator opened."""
        address = literal(host)
        found = [address] if address is not None else await self._resolve(host)
        return bool(found) and all(self._egress.allowed(address) for address in found)


def addresses_in(value: JsonValue, path: str) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value that is an address, or stands where one belongs, with its path."""
    match value:
        case str():
            name = path.rpartition(".")[2]
            looks = value.lower().startswith(("http://", "https://"))
            if looks or name == "url" or name.endswith("_url"):
                yield path, value
        case dict():
            for name, item in value.items():
                yield from addresses_in(item, f"{path}.{name}")
        case list():
            for index, item in enumerate(value):
                yield from addresses_in(item, f"{path}.{index}")
        case _:
            return
