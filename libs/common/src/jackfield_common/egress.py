"""Where calls to the outside may go: public addresses, and the networks that the operator names.

Whoever connects checks the very addresses that a name was resolved to, for each connection anew; a name
that leads somewhere else the next time gains nothing.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

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
