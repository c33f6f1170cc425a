"""A route: which events lead to which action."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from jackfield_common.events.message import JsonObject, State
from jackfield_common.ids import IntegrationId, Slug, SubscriptionId
from jackfield_common.topics import SUBSCRIPTION, Topic


class Target(BaseModel):
    """The action that a route asks for.

    The input is `input` (fixed values) overlaid with the object that the JSONata expression
    `transform` yields from the event; without `transform` the fixed values alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    integration_id: IntegrationId
    action: Slug
    input: JsonObject = {}
    transform: str | None = Field(default=None, max_length=16_384)


class SubscriptionState(State):
    """A route, evaluated in the tenant that owns it.

    It takes events of `source` (any integration of the tenant when absent) whose event type or
    canonical type matches one of `events` (`*` matches any run of characters) and for which the CEL
    expression `condition` is true.
    """

    topic: ClassVar[Topic] = SUBSCRIPTION

    subscription_id: SubscriptionId
    name: str = Field(min_length=1, max_length=200)
    source: IntegrationId | None = None
    events: tuple[str, ...] = ("*",)
    condition: str | None = Field(default=None, max_length=8_192)
    target: Target
    enabled: bool = True

    def key(self) -> str:
        """The subscription id."""
        return self.subscription_id
