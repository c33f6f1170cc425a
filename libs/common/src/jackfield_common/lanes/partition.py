"""One partition while this worker owns it."""

import time

from aiokafka import TopicPartition

from jackfield_common.lanes.lane import Lane
from jackfield_common.lanes.watermark import Watermark


class Partition:
    """Everything held for one assignment of one partition; dropped as a whole when it is lost."""

    __slots__ = (
        "closed",
        "closed_at",
        "committed",
        "epoch",
        "lanes",
        "moved_at",
        "number",
        "opened",
        "settled",
        "topic",
        "tp",
        "watermark",
    )

    def __init__(self, tp: TopicPartition, topic: str) -> None:
        self.tp = tp
        self.topic = topic
        """The logical name."""
        self.number = tp.partition
        self.epoch = 0
        """This assignment's number; writes of an older one are refused."""
        self.opened = False
        """Whether the epoch is taken and the parked lanes are loaded: records may be read."""
        self.closed = False
        """Whether it is lost: nothing may be started or written for it."""
        self.closed_at = 0.0
        """When that was found out; monotonic seconds."""
        self.committed = -1
        self.moved_at = 0.0
        """When the commit last moved, or the partition was opened; monotonic seconds."""
        self.watermark = Watermark(0)
        self.lanes: dict[tuple[bytes, bytes], Lane] = {}
        self.settled: set[int] = set()
        """Offsets above the committed one that already are rows: not to be run again when read."""

    def close(self) -> None:
        """It is lost, or its epoch is over."""
        if not self.closed:
            self.closed = True
            self.closed_at = time.monotonic()
