"""The audit trail."""

from typing import ClassVar

from jackfield_common.events.message import Event, JsonObject
from jackfield_common.topics import AUDIT, Topic


class AuditRecorded(Event):
    """Who did what to which thing, and whether it was allowed."""

    topic: ClassVar[Topic] = AUDIT

    actor: str
    operation: str
    resource: str
    allowed: bool
    detail: JsonObject = {}

    def key(self) -> str:
        """The thing it was done to."""
        return self.resource
