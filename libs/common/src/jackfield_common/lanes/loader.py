"""Brings parked lanes back: their first rows, when they are due."""

import asyncio
from collections import deque
from typing import Final

from jackfield_common.database import AWAY
from jackfield_common.lanes.clock import Clock
from jackfield_common.lanes.gate import Gate
from jackfield_common.lanes.hold import Hold
from jackfield_common.lanes.journal import Journal
from jackfield_common.lanes.lane import Lane, Phase
from jackfield_common.lanes.ledger import Ledger, Loaded
from jackfield_common.lanes.outcome import Outcomes

READERS: Final = 3


class Loader:
    """Reads the rows of one lane after another; `READERS` at a time."""

    def __init__(
        self, ledger: Ledger, journal: Journal, gate: Gate, hold: Hold, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._gate = gate
        self._hold = hold
        self._clock = clock
        self._wanted: deque[Lane] = deque()
        self._asked = asyncio.Event()

    def ask(self, lane: Lane) -> None:
        """Load this lane, whose phase is BUSY until that is done."""
        self._wanted.append(lane)
        self._asked.set()

    async def run(self, outcomes: Outcomes) -> None:
        """Load what is asked for, until cancelled."""
        while True:
            if not self._wanted:
                self._asked.clear()
                await self._asked.wait()
                continue
            if self._hold.full:
                await self._hold.make_room()
                continue
            lane = self._wanted.popleft()
            spills = lane.spills
            loaded = await self._read(lane)
            if not lane.partition.closed:
                self._place(lane, loaded, complete=spills == lane.spills)
                outcomes.settle(lane)

    async def _read(self, lane: Lane) -> Loaded:
        while not lane.partition.closed:
            try:
                # What was asked to be written or removed before must show in what is read.
                await self._journal.flushed()
                return await self._ledger.load(lane, self._clock.time())
            except AWAY as error:
                self._gate.doubt(error)
                await self._gate.wait()
        return Loaded()

    def _place(self, lane: Lane, loaded: Loaded, *, complete: bool) -> None:
        lane.phase = Phase.IDLE
        lane.blocked = loaded.blocked
        lane.due = loaded.due
        for item in loaded.items:
            self._hold.enter(item.size)
            self._hold.push(lane, item)
        if not loaded.items and not loaded.due and not loaded.blocked and complete:
            lane.spilled = False
            lane.rows = 0
