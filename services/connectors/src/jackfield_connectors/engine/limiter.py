"""How fast one integration may call: the vendor's own budget, and declared windows.

A call reserves its time when it asks, so calls go out in the order in which they asked. A wait that is
short is waited; a longer one is a RATE_LIMITED failure that says when to come back, so that the lane
and not a connection waits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from jackfield_common.connector.limits import HeaderBudget, Limit, SlidingWindow
from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.engine.answers import refill_seconds
from jackfield_connectors.engine.transport import Answer

MAX_WAIT: Final = 2.0
"""Seconds that a call waits here."""

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class _Window:
    """The last `calls` reserved times; the next may come `seconds` after the first of them."""

    __slots__ = ("seconds", "times")

    def __init__(self, limit: SlidingWindow) -> None:
        self.seconds = limit.seconds
        self.times = deque[float](maxlen=limit.calls)

    def slot(self, at: float) -> float:
        if len(self.times) < (self.times.maxlen or 0):
            return at
        return max(at, self.times[0] + self.seconds)


class _Budget:
    """What the vendor said is left, minus what has been sent since."""

    __slots__ = ("limit", "refills_at", "remaining")

    def __init__(self, limit: HeaderBudget) -> None:
        self.limit = limit
        self.remaining: float | None = None
        self.refills_at = 0.0

    def slot(self, at: float) -> float:
        if self.remaining is None or self.remaining > 0 or at >= self.refills_at:
            return at
        return self.refills_at

    def spend(self, at: float, now: float) -> None:
        if now >= self.refills_at:
            self.remaining = None
        elif at >= self.refills_at:
            return  # its turn comes after the refill: until then nothing is left for anyone else
        elif self.remaining is not None:
            self.remaining -= 1

    def learn(self, answer: Answer, now: float) -> None:
        said = answer.headers.get(self.limit.remaining.lower())
        if said is None:
            return
        try:
            self.remaining = float(said)
        except ValueError:
            return
        wait = refill_seconds(self.limit, answer)
        if wait is not None:
            self.refills_at = now + wait


class Limiter:
    """The limits of one integration. `clock` counts seconds, monotonically."""

    def __init__(self, limits: Sequence[Limit], clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._windows = [_Window(limit) for limit in limits if isinstance(limit, SlidingWindow)]
        self._budgets = [_Budget(limit) for limit in limits if isinstance(limit, HeaderBudget)]
        self._not_before = 0.0

    async def admit(self) -> None:
        """Wait for this call's turn. Raises Failure(RATE_LIMITED) when that would take long."""
        now = self._clock()
        at = max(now, self._not_before)
        for limit in (*self._windows, *self._budgets):
            at = limit.slot(at)
        if at - now > MAX_WAIT:
            raise Failure(
                ErrorKind.RATE_LIMITED,
                f"the vendor's limit is used up for {at - now:.0f} s",
                retry_after=at - now,
            )
        for window in self._windows:
            window.times.append(at)
        for budget in self._budgets:
            budget.spend(at, now)
        if at > now:
            await self._sleep(at - now)

    def learn(self, answer: Answer) -> None:
        """Take over what an answer's headers say of the budget."""
        for budget in self._budgets:
            budget.learn(answer, self._clock())

    def refused(self, retry_after: float | None) -> None:
        """The vendor refused a call for its rate: nothing goes out before that time."""
        if retry_after is not None:
            self._not_before = max(self._not_before, self._clock() + retry_after)
