"""Names, resolved to addresses that calls may reach."""

import socket
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from jackfield_common.egress import Egress, EgressRefused


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
