"""The webhooks service's own types."""

from dataclasses import dataclass, field

from jackfield_common.events import ActionRequested, IntegrationEvent
from jackfield_common.ids import SubscriptionId


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
