"""A webhook delivery whose sender was proven."""

import base64
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from jackfield_common.events.message import Event, JsonObject
from jackfield_common.ids import IntegrationId, Slug, SubscriptionId
from jackfield_common.topics import DELIVERY_PROCESSED, DELIVERY_VERIFIED, Topic


class DeliveryVerified(Event):
    """One accepted webhook request.

    `body` is the body as text where it is UTF-8, else `body_base64` holds it (RFC 4648, 4). `headers`
    are lowercase names from the allow-list; what the scheme declares secret is not among them.
    `delivery_id` is the vendor's own id of the delivery; without one there is no deduplication.
    """

    topic: ClassVar[Topic] = DELIVERY_VERIFIED

    integration_id: IntegrationId
    connector: Slug
    delivery_id: str | None = Field(default=None, max_length=512)
    method: str = "POST"
    path: str = ""
    query: str = ""
    content_type: str = ""
    headers: dict[str, str] = {}
    body: str | None = None
    body_base64: str | None = None

    @model_validator(mode="after")
    def _has_one_body(self) -> Self:
        if self.body is not None and self.body_base64 is not None:
            raise ValueError("body and body_base64 exclude each other")
        return self

    def key(self) -> str:
        """The integration id."""
        return self.integration_id

    def raw_body(self) -> bytes:
        """The body as it was received. Raises ValueError when the base64 is broken."""
        if self.body_base64 is not None:
            return base64.b64decode(self.body_base64, validate=True)
        return (self.body or "").encode()


class DeliveryProcessed(Event):
    """What became of a delivery or of an event sent in; its `id` is derived from `event_id`.

    `event_id` is the id the sender was given. `integration_id` is the CloudEvents source of an event
    that no integration sent. `actions` are the ids of the actions asked for, `matched` the routes that
    asked. `duration_ms` is the time since the delivery was accepted.
    """

    topic: ClassVar[Topic] = DELIVERY_PROCESSED

    event_id: str
    integration_id: IntegrationId
    status: Literal["processed", "duplicate", "failed"]
    event_type: str | None = None
    actions: tuple[str, ...] = ()
    matched: tuple[SubscriptionId, ...] = ()
    reason: str | None = None
    duration_ms: float | None = Field(default=None, ge=0)
    detail: JsonObject = {}

    def key(self) -> str:
        """The integration id."""
        return self.integration_id
