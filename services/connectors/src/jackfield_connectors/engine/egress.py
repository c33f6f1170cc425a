"""Where calls may go: public addresses, and the networks that the operator names.

Names are checked when they are resolved, for each connection anew, and the connection is made to the
very addresses that were checked; a name that leads somewhere else the next time gains nothing.
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

Address = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOW_32: Final = 0xFFFFFFFF


class EgressRefused(OSError):
    """Every address of the host lies in a network that calls may not reach."""


class Egress:
    """The operator's rule. `allow` are networks (CIDR) reachable although they are not public."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._allow = tuple(ip_network(network) for network in allow)

    def allowed(self, address: Address) -> bool:
        """Whether the operator named a network that holds this address."""
        return any(address in network for network in self._allow)

    def reachable(self, address: Address) -> bool:
        """Whether a call may go there: public, or named by the operator."""
        return self.allowed(address) or _public(address)


def _public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        # Addresses that carry another one lead to that one.
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None:
            inner = address.teredo[1]
        if address in _NAT64:
            inner = IPv4Address(int(address) & _LOW_32)
        if inner is not None:
            return _public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def literal(host: str) -> Address | None:
    """The address that a URL's host is, when it is not a name."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


class CheckedResolver(AbstractResolver):
    """Resolves names to addresses that calls may reach; `named_only` admits only the operator's networks."""

    def __init__(self, egress: Egress, inner: AbstractResolver, *, named_only: bool) -> None:
        self._inner = inner
        self._admits = egress.allowed if named_only else egress.reachable

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The reachable addresses of `host`. Raises EgressRefused, or OSError when there is none at all."""
        found = await self._inner.resolve(host, port, family)
        admitted = [one for one in found if self._admits(ip_address(one["host"].split("%")[0]))]
        if not admitted:
            raise EgressRefused(f"{host} leads into a network that calls may not reach")
        return admitted

    async def close(self) -> None:
        """Nothing of its own to close."""
