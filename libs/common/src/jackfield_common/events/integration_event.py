"""The normalised event: one shape for every vendor, and for a tenant's own systems."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from jackfield_common.events.message import Event, JsonObject
from jackfield_common.ids import IntegrationId
from jackfield_common.topics import EVENT_INGESTED, Topic, events_out


class Occurrence(BaseModel):
    """What happened in a repository, a pipeline, a tracker or a monitor, whoever the vendor is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str | None = None
    project: str | None = None
    ref: str | None = None
    sha: str | None = None
    actor: str | None = None
    title: str | None = None
    description: str | None = None
    number: str | None = None
    action: str | None = None
    state: str | None = None
    severity: str | None = None
    environment: str | None = None
    url: str | None = None


class IntegrationEvent(Event):
    """A normalised event, published on `tenant.<tenant>.events.out.v1`.

    `event_type` is the vendor's own name (`push`, `pull_request.opened`), `canonical_type` the shared
    one (`push`, `merge_request`) where the connector declares it; `declared` is false for a type that
    the connector's manifest does not know. `source` is the connector's slug, or the CloudEvents
    source of an event sent in. `data` is the payload as received.
    """

    topic: ClassVar[Topic]  # depends on the tenant: see topic_for()

    integration_id: IntegrationId | None = None
    event_type: str = Field(min_length=1, max_length=512)
    canonical_type: str | None = None
    declared: bool = True
    source: str
    about: str | None = None
    occurrence: Occurrence | None = None
    data: JsonValue = None
    metadata: JsonObject = {}

    def topic_for(self) -> Topic:
        """The tenant's outgoing topic."""
        return events_out(self.tenant)

    def key(self) -> str:
        """The integration id, or the source of an event that no integration sent."""
        return self.integration_id or self.source


class EventIngested(Event):
    """A CloudEvent from a tenant's public topic, checked and re-keyed; `id` derives from its source and id.

    Other clients partition differently, so nothing relies on the order before this topic.
    """

    topic: ClassVar[Topic] = EVENT_INGESTED

    cloudevent_id: str
    event_type: str = Field(min_length=1, max_length=512)
    source: str
    integration_id: IntegrationId | None = None
    about: str | None = None
    ordering: str = ""
    mode: Literal["binary", "structured"] = "binary"
    content_type: str = "application/json"
    data: JsonValue = None
    metadata: JsonObject = {}

    def key(self) -> str:
        """The integration id, or the CloudEvents source."""
        return self.integration_id or self.source

    def lane(self) -> str:
        """The CloudEvents `partitionkey`, or subject, of the sender."""
        return self.ordering
