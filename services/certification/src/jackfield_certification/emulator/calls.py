"""What reached the vendor, kept as evidence."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jackfield_certification.emulator.matching import ArrivedRequest

MAX_CALLS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Call:
    """One request and what the emulated vendor made of it.

    `at` is seconds on the monotonic clock. `sign_in` is the kind of credential that it presented, None
    for a stranger. `action`, `recording` and `step` say what it was understood as; `differences` is how it
    departs from that recording. `status` is 0 where no answer was sent; `connection` tells connections apart.
    """

    at: float
    request: ArrivedRequest
    sign_in: str | None
    action: str | None
    recording: str | None
    step: int
    differences: tuple[str, ...]
    fault: str | None
    status: int
    connection: str


class Calls:
    """The calls of one emulated vendor, oldest first; only the latest `MAX_CALLS` are kept."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=MAX_CALLS)
        self._counted = 0
        self._changed = asyncio.Condition()

    async def add(self, call: Call) -> None:
        """Keep a call and wake whoever waits for it."""
        async with self._changed:
            self._calls.append(call)
            self._counted += 1
            self._changed.notify_all()

    @property
    def mark(self) -> int:
        """A position: `since` returns what came after it."""
        return self._counted

    def since(self, mark: int = 0) -> tuple[Call, ...]:
        """The calls after a position, as far as they are kept."""
        newer = self._counted - mark
        return tuple(self._calls)[-newer:] if newer > 0 else ()

    async def wait_for(
        self, count: int, mark: int, timeout: float, *, fits: Callable[[Call], bool] | None = None
    ) -> tuple[Call, ...]:
        """The calls after `mark` once there are `count` that fit, or what there is after `timeout`."""

        def found() -> tuple[Call, ...]:
            return tuple(call for call in self.since(mark) if fits is None or fits(call))

        async with self._changed:
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait_for(lambda: len(found()) >= count)
            except TimeoutError:
                pass
        return found()
