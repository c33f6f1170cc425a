"""What is remembered of an integration between calls: its limits, and a breaker for each host."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from jackfield_common.connector.limits import Limit
from jackfield_connectors.engine.breaker import Breaker
from jackfield_connectors.engine.limiter import Clock, Limiter

MAX_LINES: Final = 16_384
_MAX_HOSTS: Final = 16


class Line:
    """One integration."""

    __slots__ = ("_breakers", "_clock", "limiter")

    def __init__(self, limits: Sequence[Limit], clock: Clock) -> None:
        self.limiter = Limiter(limits, clock)
        self._clock = clock
        self._breakers: OrderedDict[str, Breaker] = OrderedDict()

    def breaker(self, host: str) -> Breaker:
        """The breaker of a host."""
        found = self._breakers.get(host)
        if found is None:
            found = self._breakers[host] = Breaker(self._clock)
            if len(self._breakers) > _MAX_HOSTS:
                self._breakers.popitem(last=False)
        return found


class Lines:
    """The integrations that were active last, each forgotten when many others came after it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: OrderedDict[str, Line] = OrderedDict()

    def of(self, integration_id: str, limits: Sequence[Limit]) -> Line:
        """The line of an integration."""
        line = self._lines.get(integration_id)
        if line is None:
            line = self._lines[integration_id] = Line(limits, self._clock)
            if len(self._lines) > MAX_LINES:
                self._lines.popitem(last=False)
        self._lines.move_to_end(integration_id)
        return line

    def forget(self, integration_id: str) -> None:
        """Drop an integration that was uninstalled."""
        self._lines.pop(integration_id, None)
