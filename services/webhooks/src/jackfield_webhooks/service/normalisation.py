"""Vendors' deliveries, and CloudEvents sent in, as one kind of event.

The id of an event derives from what the vendor calls the delivery, so copies of a delivery become copies
of one event; without a vendor's id it is the id under which the delivery was accepted.
"""

from typing import Final
from urllib.parse import parse_qsl

from pydantic import JsonValue, ValidationError

from jackfield_common.connector.selector import Request
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events import DeliveryVerified, EventIngested, IntegrationEvent
from jackfield_common.events.message import JsonObject
from jackfield_common.ids import derived_id
from jackfield_webhooks.models import Normalised
from jackfield_webhooks.service.payload import Payload, parse
from jackfield_webhooks.service.sources import Source

UNKNOWN_TYPE: Final = "unknown"
"""The event type of a delivery in which the manifest's selector finds none."""


def normalise_delivery(delivery: DeliveryVerified, source: Source) -> Normalised:
    """A delivery as an event, by its connector's manifest.

    Raises Failure(INVALID) when its body is not what it says, or the event would not fit its contract.
    """
    payload = parse(_raw(delivery), delivery.content_type, source.content_types)
    request = request_of(delivery, payload.data)
    event_type = source.event_type.of(request)
    mapping = None if event_type is None else source.mapping(event_type)
    try:
        event = IntegrationEvent(
            id=event_id(delivery),
            tenant=delivery.tenant,
            at=delivery.at,
            integration_id=delivery.integration_id,
            event_type=event_type or UNKNOWN_TYPE,
            canonical_type=None if mapping is None else mapping.canonical,
            declared=mapping is not None,
            source=source.slug,
            about=None if source.subject is None else source.subject.of(request),
            occurrence=None if mapping is None else mapping.occurrence_in(request),
            data=payload.data,
            metadata=_delivery_metadata(delivery, payload),
        )
    except ValidationError as error:
        raise _unfit(error) from None
    return Normalised(event, _ordering(source, request, ""))


def normalise_ingested(ingested: EventIngested, source: Source | None) -> Normalised:
    """An event sent in, as if its integration's vendor had sent it where the integration has a source.

    The type is the vendor's own, or `<slug>.` before it. Selectors see the data as the body and the
    extension attributes as headers. Raises Failure(INVALID) when the event would not fit its contract.
    """
    if source is None:
        return Normalised(_plain(ingested), ingested.ordering)
    request = Request(headers=_extensions(ingested), body=ingested.data)
    event_type = type_at_source(ingested.event_type, source)
    mapping = source.mapping(event_type)
    try:
        event = IntegrationEvent(
            id=ingested.id,
            tenant=ingested.tenant,
            at=ingested.at,
            integration_id=ingested.integration_id,
            event_type=event_type,
            canonical_type=None if mapping is None else mapping.canonical,
            declared=mapping is not None,
            source=source.slug,
            about=_about(ingested, source, request),
            occurrence=None if mapping is None else mapping.occurrence_in(request),
            data=ingested.data,
            metadata=_ingested_metadata(ingested),
        )
    except ValidationError as error:
        raise _unfit(error) from None
    return Normalised(event, _ordering(source, request, ingested.ordering))


def type_at_source(event_type: str, source: Source) -> str:
    """A CloudEvents type without the connector's slug in front of it."""
    return event_type.removeprefix(f"{source.slug}.") or event_type


def event_id(delivery: DeliveryVerified) -> str:
    """The id of the event that a delivery becomes: the same for every copy of the delivery."""
    if delivery.delivery_id is None:
        return delivery.id
    return derived_id("delivery", delivery.tenant, delivery.integration_id, delivery.delivery_id)


def request_of(delivery: DeliveryVerified, body: JsonValue) -> Request:
    """What selectors see of a delivery."""
    query = dict(parse_qsl(delivery.query, keep_blank_values=True)) if delivery.query else None
    return Request(headers=delivery.headers, body=body, query=query)


def _raw(delivery: DeliveryVerified) -> bytes:
    try:
        return delivery.raw_body()
    except ValueError:
        raise Failure(ErrorKind.BUG, "body_base64 is not base64") from None


def _plain(ingested: EventIngested) -> IntegrationEvent:
    try:
        return IntegrationEvent(
            id=ingested.id,
            tenant=ingested.tenant,
            at=ingested.at,
            integration_id=ingested.integration_id,
            event_type=ingested.event_type,
            declared=False,
            source=ingested.source,
            about=ingested.about,
            data=ingested.data,
            metadata=_ingested_metadata(ingested),
        )
    except ValidationError as error:
        raise _unfit(error) from None


def _ordering(source: Source, request: Request, otherwise: str) -> str:
    if source.ordering is None:
        return otherwise
    return source.ordering.of(request) or otherwise


def _about(ingested: EventIngested, source: Source, request: Request) -> str | None:
    found = None if source.subject is None else source.subject.of(request)
    return ingested.about if found is None else found


def _extensions(ingested: EventIngested) -> dict[str, str]:
    extensions = ingested.metadata.get("extensions")
    if not isinstance(extensions, dict):
        return {}
    return {name: value for name, value in extensions.items() if isinstance(value, str)}


def _delivery_metadata(delivery: DeliveryVerified, payload: Payload) -> JsonObject:
    metadata: JsonObject = {
        "connector": delivery.connector,
        "accepted_as": delivery.id,
        "headers": dict(delivery.headers),
    }
    optional: JsonObject = {
        "delivery_id": delivery.delivery_id,
        "content_type": delivery.content_type or None,
        "query": delivery.query or None,
        "encoding": payload.encoding,
    }
    return metadata | {name: value for name, value in optional.items() if value is not None}


def _ingested_metadata(ingested: EventIngested) -> JsonObject:
    return {
        **ingested.metadata,
        "cloudevent_id": ingested.cloudevent_id,
        "cloudevent_source": ingested.source,
        "content_type": ingested.content_type,
    }


def _unfit(error: ValidationError) -> Failure:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the event"
    return Failure(ErrorKind.INVALID, f"{where}: {first['msg']}", field=where)
