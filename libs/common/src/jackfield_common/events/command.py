"""What the API asks of parked and dead work; each service that works has a topic for it."""

from typing import ClassVar, Literal

from pydantic import AwareDatetime

from jackfield_common.errors import ErrorKind
from jackfield_common.events.message import Event
from jackfield_common.events.question import Question
from jackfield_common.ids import IntegrationId
from jackfield_common.topics import COMMAND_REQUESTED, CONNECTORS_COMMAND, Topic


class WorkCommand(Event):
    """List, read, retry, cancel or replay parked and dead work; pause or resume an integration."""

    verb: Literal["list", "read", "retry", "cancel", "replay", "pause", "resume"]
    state: Literal["parked", "dead"] = "parked"
    integration_id: IntegrationId | None = None
    work_ids: tuple[str, ...] = ()
    kind: ErrorKind | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    cursor: str | None = None
    limit: int = 50
    question: Question | None = None

    def key(self) -> str:
        """The integration it is about, or the tenant."""
        return self.integration_id or self.tenant


class WebhooksCommand(WorkCommand):
    """For the webhooks service."""

    topic: ClassVar[Topic] = COMMAND_REQUESTED


class ConnectorsCommand(WorkCommand):
    """For the connectors service."""

    topic: ClassVar[Topic] = CONNECTORS_COMMAND
