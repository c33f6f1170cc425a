"""Dead letters: work that was given up, with everything needed to understand and replay it."""

from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

from jackfield_common.errors import ErrorKind
from jackfield_common.events.message import Event
from jackfield_common.topics import Topic


class Tried(BaseModel):
    """One attempt."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    at: AwareDatetime
    kind: ErrorKind
    message: str


class DeadLetter(Event):
    """A copy of a record that was given up; the record's own bytes and headers, base64 (RFC 4648, 4)."""

    topic: ClassVar[Topic]  # the dead-letter feed of the source topic

    source_topic: str
    partition: int
    offset: int
    lane_key: str
    kind: ErrorKind
    message: str
    attempts: tuple[Tried, ...] = ()
    record_key: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    value: str | None = None

    def key(self) -> str:
        """The lane."""
        return self.lane_key
