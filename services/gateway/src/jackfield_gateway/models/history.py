"""Past deliveries and events, as their owner searches, reads and replays them."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from jackfield_common.events.history import HistorySelection
from jackfield_common.events.message import JsonObject
from jackfield_common.ids import IntegrationId
from jackfield_gateway.models.page import Page
from jackfield_gateway.models.route import EventPattern, RouteDraft
from jackfield_gateway.models.value import Identifier, Moment, Value, Wanted

Status = Literal["processed", "duplicate", "failed"]
"""How a delivery ended."""

DeliveryId = Annotated[
    str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")
]
"""The vendor's own id of a delivery."""

ShapeField = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
ShapeValue = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[^\x00]*$")]


class DeliveryChoice(Wanted):
    """Which past deliveries are meant: all that meet every criterion given."""

    event_ids: Annotated[tuple[Identifier, ...], Field(max_length=500)] = Field(
        default=(), description="The ids under which they were accepted."
    )
    integration_id: Identifier | None = None
    event_types: Annotated[tuple[EventPattern, ...], Field(max_length=20)] = Field(
        default=(),
        description="Event types or canonical types; `*` matches any run of characters.",
        examples=[["push", "merge_request.*"]],
    )
    delivery_id: DeliveryId | None = Field(default=None, description="The vendor's own id.")
    status: Status | None = None
    since: Moment | None = Field(default=None, description="Accepted at or after this time.")
    until: Moment | None = Field(default=None, description="Accepted before this time.")
    fields: Annotated[dict[ShapeField, ShapeValue], Field(max_length=20)] = Field(
        default={},
        description="Fields of the shared shape, each with its value.",
        examples=[{"repository": "acme/site"}],
    )
    condition: str | None = Field(
        default=None,
        max_length=8_192,
        description="CEL over `event`, as in routes; asked of the deliveries' content.",
        examples=['event.data.ref == "refs/heads/main"'],
    )

    def selection(self) -> HistorySelection:
        """As the bus carries it."""
        return HistorySelection(
            event_ids=self.event_ids,
            integration_id=None
            if self.integration_id is None
            else IntegrationId(self.integration_id),
            delivery_id=self.delivery_id,
            types=self.event_types,
            status=self.status,
            since=self.since,
            until=self.until,
            fields=self.fields,
            condition=self.condition,
        )


class Delivery(Value):
    """A delivery, or an event sent in, that came to its end."""

    event_id: str = Field(description="The id under which it was accepted.")
    integration_id: str | None
    source: str
    event_type: str | None
    canonical_type: str | None
    delivery_id: str | None = Field(description="The vendor's own id.")
    status: Status
    reason: str | None
    accepted_at: AwareDatetime
    occurrence: dict[str, str] | None = Field(description="The shared shape, where it has one.")
    size: int = Field(description="Bytes.")


class DeliveryPage(Page[Delivery]):
    """A page of deliveries, newest first."""

    unreadable: int = Field(
        default=0, description="So many could not be asked the condition: their content is gone."
    )


class DeliveryContent(Value):
    """A delivery with its content, as it was accepted.

    A webhook has `headers` and `body` (`body_base64` where it is not UTF-8); what its scheme declares
    secret was removed. An event that was sent in has `data`.
    """

    delivery: Delivery
    method: str | None = None
    path: str | None = None
    query: str | None = None
    content_type: str | None = None
    headers: dict[str, str] = {}
    body: str | None = None
    body_base64: str | None = Field(default=None, description="RFC 4648, 4.")
    cloudevent_id: str | None = None
    data: JsonValue = None


class Verdict(Value):
    """What a route makes of an event.

    `matched`: it asks for its action with `input`. `failed`: `message` says why. Else why it does not
    take the event: `switched off`, `another source`, `another type`, `condition false`,
    `no such route`.
    """

    verdict: str
    input: JsonObject | None = None
    message: str | None = None


class RouteVerdict(Verdict):
    """The same, of one of the tenant's routes."""

    subscription_id: str
    name: str


class Explanation(Value):
    """A past event as routes see it, and what each route makes of it now."""

    event: JsonObject
    routes: tuple[RouteVerdict, ...]


class ReplayRequest(DeliveryChoice):
    """Route past deliveries again: one, a range, or what meets a condition. Something has to be chosen."""

    routes: Annotated[tuple[Identifier, ...], Field(max_length=100)] = Field(
        default=(), description="Only by these routes; by all when absent."
    )
    limit: int = Field(default=100, ge=1, le=500, description="So many at most, newest first.")
    cursor: str | None = Field(
        default=None,
        max_length=2_000,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="`next_cursor` of the replay before, to go on with older ones.",
    )


class Replayed(Value):
    """What is routed again; the actions it leads to are new ones."""

    event_ids: tuple[str, ...]
    unreadable: int = 0
    next_cursor: str | None = Field(default=None, description="There is more: give it as `cursor`.")


class PreviewRequest(Wanted):
    """A route to try on past events: a new one, or `subscription_id` as it is to become."""

    route: RouteDraft
    subscription_id: Identifier | None = Field(
        default=None, description="The saved route to compare with."
    )
    deliveries: DeliveryChoice = DeliveryChoice()
    limit: int = Field(default=50, ge=1, le=200, description="So many events, newest first.")
    cursor: str | None = Field(default=None, max_length=2_000, pattern=r"^[A-Za-z0-9_-]+$")


class PreviewedEvent(Value):
    """What the saved route made of an event, and what the changed one would."""

    event_id: str
    event_type: str | None = None
    before: Verdict | None = None
    after: Verdict | None = None
    changed: bool = False
    unreadable: str | None = Field(default=None, description="Why it could not be tried.")


class PreviewPage(Page[PreviewedEvent]):
    """A page of events, newest first. Nothing was sent."""

    unreadable: int = 0
