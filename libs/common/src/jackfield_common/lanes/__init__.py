"""Lanes: how work is consumed. In order per key, concurrent across keys, nothing lost, bounded memory.

A consumer is three lines:

    async def handle(work: Work) -> None: ...

    async with Lanes(kafka, pool, publisher, name="routing", topics=[DELIVERY_VERIFIED],
                     handle=handle, dead=DELIVERY_DEAD):
        ...

See docs/lanes.md for what is promised.
"""

from jackfield_common.lanes.commands import answer_command
from jackfield_common.lanes.parking import Page, Parking, WorkRow
from jackfield_common.lanes.policy import Backoff, Limits, Policy
from jackfield_common.lanes.runtime import Lanes
from jackfield_common.lanes.selection import Selection
from jackfield_common.lanes.work import Effect, Work

__all__ = [
    "Backoff",
    "Effect",
    "Lanes",
    "Limits",
    "Page",
    "Parking",
    "Policy",
    "Selection",
    "Work",
    "WorkRow",
    "answer_command",
]
