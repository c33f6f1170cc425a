"""Rate limits: the generic cell rate algorithm (ITU-T I.371), in memory.

A cell may come `burst` at once and `rate` a second for ever. The state is one number a key: the time
at which the next request would be exactly on schedule.
"""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

_MAX_KEYS: Final = 100_000
_ROUNDING: Final = 1e-6
"""Seconds; what sums of intervals may be off by, so that a burst is never one short."""


class Gcra:
    """One limit for many keys; what a key has left is forgotten when it is whole again."""

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1 / rate
        self._tolerance = (burst - 1) / rate
        self._due: dict[str, float] = {}

    def take(self, key: str, now: float) -> float:
        """Take one; 0 when there was one to take, else the seconds until there is."""
        due = self._due.get(key, 0.0)
        if due < now:
            due = now
        wait = due - now - self._tolerance
        if wait > _ROUNDING:
            return wait
        self._due[key] = due + self._interval
        return 0.0

    def wait(self, key: str, now: float) -> float:
        """As `take`, without taking."""
        return max(0.0, self._due.get(key, 0.0) - now - self._tolerance)

    def exhausted(self, now: float) -> int:
        """How many keys have nothing left now."""
        return sum(due - now > self._tolerance for due in self._due.values())

    def forget(self, now: float) -> None:
        """Drop keys that are whole again, and the oldest beyond the bound."""
        for key in [key for key, due in self._due.items() if due <= now]:
            del self._due[key]
        excess = len(self._due) - _MAX_KEYS
        if excess > 0:
            for key in list(self._due)[:excess]:
                del self._due[key]


class Networks:
    """A list of networks (CIDR). Answers are remembered for the addresses asked last."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = [
            ip_network(one, strict=False) for one in networks
        ]
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: str) -> bool:
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= 10_000:
                self._known.clear()
            known = self._known[address] = self._find(address)
        return known

    def _find(self, text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        if mapped is not None:
            address = mapped
        return any(address in network for network in self._networks)


def sender(peer: str, forwarded_for: str, trusted: Networks) -> str:
    """Who sent a request: the last address in X-Forwarded-For that is no trusted proxy.

    `peer` is the connection's other end. Nothing in the header counts unless the peer is trusted, and
    what does not parse as an address ends the walk at the proxy that wrote it.
    """
    address = peer
    if peer not in trusted:
        return address
    for hop in reversed(forwarded_for.split(",")):
        candidate = hop.strip().strip("[]")
        try:
            ip_address(candidate)
        except ValueError:
            return address
        address = candidate
        if candidate not in trusted:
            return address
    return address
