"""The webhooks service's own types."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from jackfield_common.events import ActionRequested, IntegrationEvent
from jackfield_common.ids import IntegrationId, SubscriptionId, TenantId


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised event, and what its order is kept by within its integration."""

    event: IntegrationEvent
    ordering: str


@dataclass(frozen=True, slots=True)
class RouteFailure:
    """A route that failed on an event; the other routes do not notice."""

    subscription_id: SubscriptionId
    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Routed:
    """What the routes of a tenant ask for in answer to one event."""

    requests: tuple[ActionRequested, ...] = ()
    failures: tuple[RouteFailure, ...] = field(default=())

    @property
    def matched(self) -> tuple[SubscriptionId, ...]:
        """The routes that asked for something."""
        return tuple(
            request.subscription_id
            for request in self.requests
            if request.subscription_id is not None
        )


@dataclass(frozen=True, slots=True)
class DoneBy:
    """What took a delivery to its end: the id it was accepted under, and where its record stands."""

    event_id: str
    place: str


class Place(BaseModel):
    """Where a record stands: the logical name of its topic, partition and offset."""

    model_config = ConfigDict(frozen=True)

    topic: str
    partition: int
    offset: int


class PastDelivery(BaseModel):
    """A delivery or event that came to its end. `event_id` is the id it was accepted under."""

    model_config = ConfigDict(frozen=True)

    event_id: str
    tenant: TenantId
    integration_id: IntegrationId | None
    source: str
    event_type: str | None
    canonical_type: str | None
    delivery_id: str | None
    status: Literal["processed", "duplicate", "failed"]
    reason: str | None
    accepted_at: AwareDatetime
    occurrence: dict[str, str] | None
    place: Place
    size: int


@dataclass(frozen=True, slots=True)
class Replay:
    """A record is routed again on purpose, by these routes alone where there are any."""

    id: str
    routes: frozenset[SubscriptionId]
