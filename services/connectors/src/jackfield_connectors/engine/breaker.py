"""A circuit breaker: a vendor that keeps failing is left alone for a while.

closed → (failures in a row) → open → (time) → half open, one probe → closed, or open for twice as long
"""

from typing import Final

from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.engine.limiter import Clock

FAILURES_TO_OPEN: Final = 5
OPEN_SECONDS: Final = 5.0
MAX_OPEN_SECONDS: Final = 60.0

COUNTED: Final = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.CONNECTION, ErrorKind.TIMEOUT})
"""Failures that speak of the vendor's health; the others speak of the request."""


class Breaker:
    """The breaker of one integration at one host."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0
        self._open_for = OPEN_SECONDS
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether calls are refused now."""
        return self._clock() < self._open_until

    def admit(self) -> None:
        """Raises Failure(UNAVAILABLE) while the vendor is left alone. One probe goes through after that."""
        if self._failures < FAILURES_TO_OPEN:
            return
        wait = self._open_until - self._clock()
        if wait <= 0 and not self._probing:
            self._probing = True
            return
        raise Failure(
            ErrorKind.UNAVAILABLE,
            f"the vendor failed {self._failures} times in a row and is left alone",
            retry_after=max(wait, 1.0),
        )

    def record(self, kind: ErrorKind | None) -> None:
        """What became of an admitted call: None for success."""
        probing, self._probing = self._probing, False
        if kind not in COUNTED:
            self._failures, self._open_for = 0, OPEN_SECONDS
            return
        self._failures += 1
        # Calls that were under way when it opened say nothing new: only a probe makes it last longer.
        if self._failures == FAILURES_TO_OPEN or probing:
            self._open_until = self._clock() + self._open_for
            self._open_for = min(self._open_for * 2, MAX_OPEN_SECONDS)

    def abandon(self) -> None:
        """An admitted call was cancelled before it said anything of the vendor."""
        self._probing = False
