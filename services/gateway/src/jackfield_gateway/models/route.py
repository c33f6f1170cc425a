"""Routes: which events lead to which action."""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from jackfield_common.events.message import JsonObject
from jackfield_common.events.subscription import SubscriptionState, Target
from jackfield_common.ids import IntegrationId, Slug, SubscriptionId, TenantId
from jackfield_gateway.models.page import Page
from jackfield_gateway.models.value import Identifier, Name, Value, Wanted

EventPattern = Annotated[
    str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\s\x00-\x1f\x7f]+$")
]
"""An event type or a canonical type; `*` matches any run of characters."""

Events = Annotated[tuple[EventPattern, ...], Field(min_length=1, max_length=100)]


class TargetDraft(Wanted):
    """The action that a route asks for: fixed input, overlaid with what `transform` yields."""

    integration_id: Identifier
    action: Slug
    input: JsonObject = {}
    transform: str | None = Field(
        default=None,
        max_length=16_384,
        description="JSONata over the event; yields an object.",
        examples=['{"text": data.head_commit.message}'],
    )

    def target(self) -> Target:
        """As the bus carries it."""
        return Target(
            integration_id=IntegrationId(self.integration_id),
            action=self.action,
            input=self.input,
            transform=self.transform,
        )


class RouteDraft(Wanted):
    """A route as its owner writes it."""

    name: Name = Field(examples=["Pushes to the channel"])
    source: Identifier | None = Field(
        default=None, description="The integration whose events are meant; any when absent."
    )
    events: Events = Field(default=("*",), examples=[["push", "merge_request"]])
    condition: str | None = Field(
        default=None,
        max_length=8_192,
        description="CEL over `event`; the route takes the event when it is true.",
        examples=['event.occurrence.ref == "refs/heads/main"'],
    )
    target: TargetDraft
    enabled: bool = True


class RouteChange(Wanted):
    """Changes to a route; what is absent stays as it is."""

    name: Name | None = None
    source: Identifier | None = None
    events: Events | None = None
    condition: str | None = Field(default=None, max_length=8_192)
    target: TargetDraft | None = None
    enabled: bool | None = None


class Route(Value):
    """A route, as it is kept."""

    subscription_id: SubscriptionId
    tenant: TenantId
    name: str
    source: IntegrationId | None
    events: tuple[str, ...]
    condition: str | None
    target: Target
    enabled: bool
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime

    def state(self) -> SubscriptionState:
        """What the other services are told."""
        return SubscriptionState(
            tenant=self.tenant,
            version=self.version,
            subscription_id=self.subscription_id,
            name=self.name,
            source=self.source,
            events=self.events,
            condition=self.condition,
            target=self.target,
            enabled=self.enabled,
        )


class RoutePage(Page[Route]):
    """A page of routes."""
