"""A vendor's limits, kept and measured at the vendor's side."""

import time
from collections import deque
from collections.abc import Callable

from jackfield_common.connector.limits import HeaderBudget, Limit, SlidingWindow

_PLENTY = 5_000
_WINDOW = 3_600.0


class Limits:
    """Counts calls against the declared limits; `exceeded` is how many came in spite of them."""

    def __init__(
        self,
        limits: tuple[Limit, ...],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._budgets = [one for one in limits if isinstance(one, HeaderBudget)]
        self._windows: list[tuple[SlidingWindow, deque[float]]] = [
            (one, deque(maxlen=one.calls)) for one in limits if isinstance(one, SlidingWindow)
        ]
        self._monotonic = monotonic
        self._clock = clock
        self._remaining = _PLENTY
        self._resets_at = self._clock() + _WINDOW
        self.exceeded = 0

    @property
    def has_budget(self) -> bool:
        """Whether the vendor announces a budget in its answers."""
        return bool(self._budgets)

    def set_budget(self, remaining: int, resets_in: float) -> None:
        """From now so many calls are left, refilled after `resets_in` seconds."""
        self._remaining = remaining
        self._resets_at = self._clock() + resets_in

    def admit(self) -> bool:
        """Count a call; false when it is one too many, which the vendor then refuses."""
        now = self._monotonic()
        if self._clock() >= self._resets_at:
            self._remaining = _PLENTY
            self._resets_at = self._clock() + _WINDOW
        within = not self._budgets or self._remaining > 0
        for window, calls in self._windows:
            if len(calls) == window.calls and now - calls[0] < window.seconds:
                within = False
        if not within:
            self.exceeded += 1
            return False
        self._remaining -= 1
        for _, calls in self._windows:
            calls.append(now)
        return True

    def headers(self) -> dict[str, str]:
        """What the answer says about the budget."""
        found: dict[str, str] = {}
        for budget in self._budgets:
            found[budget.remaining] = str(max(0, self._remaining))
            # Rounded up: a client that waits until then must find the budget refilled.
            seconds = self._resets_at - (self._clock() if budget.relative else 0)
            found[budget.resets_at] = str(int(-(-seconds // 1)))
        return found
