"""Actions: what is asked of a vendor, and what came of it."""

from typing import ClassVar

from pydantic import AwareDatetime, Field, JsonValue

from jackfield_common.errors import ErrorKind
from jackfield_common.events.message import Event, JsonObject
from jackfield_common.events.question import Question
from jackfield_common.ids import ActionId, IntegrationId, Slug, SubscriptionId
from jackfield_common.topics import ACTION_COMPLETED, ACTION_REQUESTED, Topic


class ActionRequested(Event):
    """Do `action` of this integration once, after everything before it in its lane.

    `action_id` is derived from the cause, so a second request for the same effect is a no-op. The
    `*_version` fields are what the asker had seen: a worker that is behind them waits. The lane is
    `ordering`; an interactive call has `question` and a lane of its own.
    """

    topic: ClassVar[Topic] = ACTION_REQUESTED

    action_id: ActionId
    integration_id: IntegrationId
    connector: Slug
    action: Slug
    input: JsonObject = {}
    ordering: str = ""
    integration_version: int = 0
    cause: str | None = None
    subscription_id: SubscriptionId | None = None
    caused_at: AwareDatetime | None = None
    question: Question | None = None

    def key(self) -> str:
        """The integration id."""
        return self.integration_id

    def lane(self) -> str:
        """The ordering key, or the action's own lane for an interactive call."""
        return f"?{self.action_id}" if self.question is not None else self.ordering


class ActionCompleted(Event):
    """What came of an action: `{success, message, data}`, the error's kind, and how long it took."""

    topic: ClassVar[Topic] = ACTION_COMPLETED

    action_id: ActionId
    integration_id: IntegrationId
    connector: Slug
    action: Slug
    success: bool
    message: str
    data: JsonValue = None
    error: ErrorKind | None = None
    field: str | None = None
    attempts: int = 1
    duration_ms: float = Field(ge=0)
    vendor_ms: float = Field(default=0, ge=0)
    requested_at: AwareDatetime | None = None
    cause: str | None = None
    subscription_id: SubscriptionId | None = None
    caused_at: AwareDatetime | None = None

    def key(self) -> str:
        """The integration id."""
        return self.integration_id
