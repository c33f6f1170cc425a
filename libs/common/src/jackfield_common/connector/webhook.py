"""What a vendor's webhooks look like."""

from pydantic import Field

from jackfield_common.connector.fields import Model
from jackfield_common.connector.handshake import Handshake
from jackfield_common.connector.selector import Selector
from jackfield_common.connector.verification import Verify


class EventMapping(Model):
    """How one event type of the vendor reads in the shared vocabulary.

    `occurrence` maps fields of the shared shape to selectors; `states` translates the vendor's word
    for a state into the shared one (`failure` → `failed`).
    """

    canonical: str | None = None
    occurrence: dict[str, Selector] = {}
    states: dict[str, str] = {}


class Webhook(Model):
    """A webhook source.

    `events` declares the event types by name; a name that ends in `.*` stands for every type below
    it. `ordering` selects what the order of deliveries is kept by. `headers` are the headers worth
    keeping on the bus, beside those the gateway always keeps. `setup` are the steps, for a person, in
    the vendor's own terms; `{url}` stands for the address to enter.
    """

    verify: Verify
    handshakes: tuple[Handshake, ...] = ()
    delivery_id: Selector | None = None
    event_type: Selector
    ordering: Selector | None = None
    events: dict[str, EventMapping] = {}
    headers: tuple[str, ...] = ()
    content_types: tuple[str, ...] = ("application/json",)
    subject: Selector | None = None
    setup: tuple[str, ...] = Field(min_length=1)

    def mapping(self, event_type: str) -> EventMapping | None:
        """The mapping of a type: its own, else the nearest `….*`; None when it is not declared."""
        if event_type in self.events:
            return self.events[event_type]
        parent = event_type
        while "." in parent:
            parent = parent.rpartition(".")[0]
            if f"{parent}.*" in self.events:
                return self.events[f"{parent}.*"]
            if parent in self.events:
                return self.events[parent]
        return None
