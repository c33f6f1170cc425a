"""Which lane runs next: those that are ready, in turn; those that are due, in time."""

import heapq
import itertools
from collections import deque
from collections.abc import Callable

from jackfield_common.lanes.clock import Clock
from jackfield_common.lanes.lane import Lane, Phase


class Scheduler:
    """Orders lanes. A lane is in one place: ready, held by its key's share, running, or waiting."""

    def __init__(self, clock: Clock, share: int) -> None:
        self._clock = clock
        self._share = share
        self.ready: deque[Lane] = deque()
        self._due: list[tuple[float, int, Lane]] = []
        self._sequence = itertools.count()
        self.running = 0
        self.waiting: set[Lane] = set()
        """Lanes whose head waits in memory."""

    def put(self, lane: Lane) -> None:
        """A lane has something to run now."""
        lane.phase = Phase.READY
        self.ready.append(lane)

    def take(self) -> Lane | None:
        """The next lane to run, now running; None when there is none."""
        ready = self.ready
        while ready:
            lane = ready.popleft()
            if lane.partition.closed or lane.phase is not Phase.READY:
                continue
            key = lane.key
            if key.running >= self._share:
                lane.phase = Phase.HELD
                key.held.append(lane)
                continue
            key.running += 1
            self.running += 1
            lane.phase = Phase.RUNNING
            return lane
        return None

    def stop(self, lane: Lane) -> None:
        """A running lane stopped running; another of its key may."""
        self.running -= 1
        key = lane.key
        key.running -= 1
        lane.phase = Phase.IDLE
        while key.held:
            held = key.held.popleft()
            if held.phase is Phase.HELD:
                self.put(held)
                break

    def wait(self, lane: Lane, due: float) -> None:
        """Keep a lane's head in memory until `due` (seconds since the epoch)."""
        lane.phase = Phase.WAITING
        self.waiting.add(lane)
        self.at(lane, due)

    def at(self, lane: Lane, due: float) -> None:
        """Look at this lane again at `due`."""
        lane.due = due
        heapq.heappush(self._due, (due, next(self._sequence), lane))

    def unwait(self, lane: Lane) -> None:
        """Take a lane out of waiting."""
        self.waiting.discard(lane)
        lane.phase = Phase.IDLE

    def run_due(self, settle: Callable[[Lane], None]) -> None:
        """Hand every lane that has become due to `settle`."""
        now = self._clock.time()
        due = self._due
        while due and due[0][0] <= now:
            at, _, lane = heapq.heappop(due)
            if at != lane.due or lane.partition.closed:
                continue  # it was given another time since, or is no longer ours
            if lane.phase is Phase.WAITING:
                self.unwait(lane)
            if lane.phase is Phase.IDLE:
                settle(lane)

    def next_due(self) -> float | None:
        """When the next lane becomes due."""
        return self._due[0][0] if self._due else None

    def forget(self, lane: Lane) -> None:
        """Its partition was lost."""
        self.waiting.discard(lane)
