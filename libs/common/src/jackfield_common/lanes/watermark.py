"""The highest offset of a partition below which everything is done.

An offset's life, from the log to the commit:

    read ──enter──▶ outstanding ──done──▶ gone; when nothing older is outstanding, it may be committed

Offsets enter in the order of the log. They are done in any order. Memory is taken only by what is
outstanding, however far a slow record falls behind the others.
"""


class Watermark:
    """Tracks one assignment of one partition."""

    __slots__ = ("_outstanding", "next")

    def __init__(self, start: int) -> None:
        self.next = start
        """The offset after the newest that entered."""
        self._outstanding: dict[int, None] = {}

    def enter(self, offset: int) -> None:
        """An offset was read. Raises ValueError when it is not newer than all before it."""
        if offset < self.next:
            raise ValueError(f"offset {offset} was read after {self.next - 1}")
        self._outstanding[offset] = None
        self.next = offset + 1

    def pass_over(self, position: int) -> None:
        """Nothing is to be done below `position` beyond what entered: markers, aborted or settled records."""
        self.next = max(self.next, position)

    def done(self, offset: int) -> None:
        """An outstanding offset is done or parked durably. Raises KeyError when it is not outstanding."""
        del self._outstanding[offset]

    @property
    def position(self) -> int:
        """What may be committed: the oldest outstanding offset, or the one after the newest."""
        for offset in self._outstanding:
            return offset
        return self.next

    def __len__(self) -> int:
        """How many offsets are outstanding."""
        return len(self._outstanding)
