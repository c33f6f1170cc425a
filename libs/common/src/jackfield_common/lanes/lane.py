"""A lane: the records of one key and ordering key, one at a time and in order.

    memory    ┌ head ┐ … items …            runs, or waits shortly for its next attempt
    database  parked rows, in order          once there are any, whatever arrives joins them

A lane whose `spilled` is set has rows in the database: it runs what it holds in memory, then loads its
rows in order, and returns to memory when there are none left. With its first row, everything it holds
gets one, the running head included: after a crash rows are run before the log is read again, so a row
must never stand there without those that come before it.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from aiokafka import ConsumerRecord

from jackfield_common.events.dead import Tried

if TYPE_CHECKING:
    from jackfield_common.lanes.partition import Partition


class Phase(Enum):
    """What a lane is doing."""

    IDLE = auto()
    """Nothing to run in memory."""
    READY = auto()
    """In the queue for a worker."""
    HELD = auto()
    """Ready, but its key already has as many handlers running as it may."""
    RUNNING = auto()
    WAITING = auto()
    """Its head waits for its next attempt, in memory."""
    BUSY = auto()
    """Its rows are being read, or what its failure means is being found out."""


@dataclass(slots=True)
class Row:
    """The database row that stands for a record: its offset was let go when it was written."""

    id: str
    place: int | None
    """Its place in the lane; None when it was asked for and is not known here."""
    replayed_by: str | None = None
    """The command by which its owner had it run again after it was given up."""


class Item:
    """A record in memory, and what became of its attempts."""

    __slots__ = ("attempts", "first_at", "record", "row", "size", "tried")

    def __init__(self, record: ConsumerRecord, size: int) -> None:
        self.record = record
        self.size = size
        self.attempts = 0
        """Attempts that have ended."""
        self.first_at = 0.0
        """When the first began, in seconds since the epoch; 0 before it."""
        self.tried: tuple[Tried, ...] = ()
        self.row: Row | None = None


@dataclass(eq=False, slots=True)
class Key:
    """What one record key (an integration) holds in memory and has running, over all its lanes."""

    name: bytes
    text: str
    tenant: str
    paused: bool = False
    slow: bool = False
    """Seen to fall behind: what exceeds its share is parked at once."""
    pace: float = 0.0
    """Seconds a record took lately (moving average)."""
    records: int = 0
    size: int = 0
    """Bytes in memory."""
    running: int = 0
    lanes: int = 0
    held: deque["Lane"] = field(default_factory=deque["Lane"])


@dataclass(eq=False, slots=True)
class Lane:
    """One lane of one partition."""

    partition: "Partition"
    key: Key
    name: bytes
    text: str
    items: deque[Item] = field(default_factory=deque[Item])
    phase: Phase = Phase.IDLE
    size: int = 0
    """Bytes in memory."""
    spilled: bool = False
    blocked: bool = False
    """Its first row is dead and the policy says that the lane waits for its owner."""
    due: float = 0.0
    """When the head may run, or the rows may be loaded; seconds since the epoch."""
    spills: int = 0
    """Counts what was sent to the database, so that a load knows whether it saw all."""
    rows: int = 0
    """About how many rows it has; exact when they were last read."""
    unwritten: int = 0
    """What was sent to the database and has not arrived."""
    started: float = 0.0
    """When the running handler began; monotonic seconds, 0 when none runs."""

    @property
    def id(self) -> tuple[bytes, bytes]:
        """Key and ordering key."""
        return (self.key.name, self.name)
