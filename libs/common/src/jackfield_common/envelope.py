"""CloudEvents 1.0 on Kafka (Kafka Protocol Binding 1.0.2): binary mode out, binary and structured in.

Attributes travel as `ce_*` headers, the W3C trace context as `traceparent`, the data as the value. The
partition key is `ce_partitionkey` (Partitioning extension), the order within it `ce_lane`.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from jackfield_common.errors import ContractError
from jackfield_common.events.integration_event import IntegrationEvent
from jackfield_common.events.message import Event, State
from jackfield_common.topics import Naming, Topic

Headers = list[tuple[str, bytes]]

CONTENT_TYPE: Final = "content-type"
JSON: Final = b"application/json"
STRUCTURED: Final = "application/cloudevents+json"
MAX_ATTRIBUTES: Final = 64
MAX_ATTRIBUTE_BYTES: Final = 8 * 1024


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record as the producer takes it."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers


def topic_of(event: Event) -> Topic:
    """The topic an event goes to: its class's, or its tenant's."""
    return event.topic_for() if isinstance(event, IntegrationEvent) else type(event).topic


def type_of(event: Event) -> str:
    """The CloudEvents `type`: the event type of a normalised event, else the topic's name."""
    return event.event_type if isinstance(event, IntegrationEvent) else type(event).topic.name


def encode(
    event: Event, source: str, naming: Naming, trace: Mapping[str, str] | None = None
) -> OutgoingRecord:
    """An event as a record. `source` is the publishing service, `trace` its W3C trace context."""
    key = event.key().encode()
    headers: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.encode()),
        ("ce_source", f"/jackfield/{source}".encode()),
        ("ce_type", type_of(event).encode()),
        ("ce_time", event.at.isoformat().encode()),
        ("ce_subject", event.subject().encode()),
        ("ce_tenant", event.tenant.encode()),
        ("ce_partitionkey", key),
        (CONTENT_TYPE, JSON),
    ]
    lane = event.lane()
    if lane:
        headers.append(("ce_lane", lane.encode()))
    if isinstance(event, State):
        headers.append(("ce_version", str(event.version).encode()))
    headers.extend((name, value.encode()) for name, value in (trace or {}).items())
    return OutgoingRecord(naming.physical(topic_of(event)), key, event.to_bytes(), headers)


def tombstone(topic: Topic, key: str, version: int, naming: Naming) -> OutgoingRecord:
    """The deletion of an entity: a null value. `ce_version` says which version it deletes up to."""
    return OutgoingRecord(
        naming.physical(topic),
        key.encode(),
        None,
        [
            ("ce_specversion", b"1.0"),
            ("ce_type", topic.name.encode()),
            ("ce_version", str(version).encode()),
        ],
    )


def header(headers: Iterable[tuple[str, bytes]], name: str) -> str | None:
    """One header as text; the last wins. Raises ContractError when it is not UTF-8."""
    found: bytes | None = None
    for key, value in headers:
        if key == name:
            found = value
    if found is None:
        return None
    try:
        return found.decode()
    except UnicodeDecodeError:
        raise ContractError(f"header {name} is not UTF-8") from None


def trace_context(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """The W3C trace context of a record; empty where there is none or it is unreadable."""
    context: dict[str, str] = {}
    for key, value in headers:
        # other people's clients can send a header without a value
        if key in ("traceparent", "tracestate") and value and value.isascii():
            context[key] = value.decode("ascii")
    return context


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """A CloudEvent from outside: its attributes, and the data as bytes."""

    id: str
    source: str
    type: str
    subject: str | None
    time: datetime | None
    content_type: str
    data: bytes
    structured: bool
    extensions: dict[str, str] = field(default_factory=dict[str, str])


_CORE: Final = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"}
)


def read_cloudevent(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> CloudEvent:
    """Read a CloudEvent in binary or structured mode (Kafka Protocol Binding, 3). Raises ContractError."""
    pairs = list(headers)
    content_type = header(pairs, CONTENT_TYPE) or ""
    if content_type.lower().startswith("application/cloudevents-batch"):
        raise ContractError("batched CloudEvents are not defined for Kafka: send one a record")
    if content_type.lower().startswith("application/cloudevents"):
        return _structured(content_type, value)
    attributes: dict[str, str] = {}
    for name, _ in pairs:
        if name.startswith("ce_"):
            if len(attributes) >= MAX_ATTRIBUTES:
                raise ContractError(f"more than {MAX_ATTRIBUTES} CloudEvents attributes")
            attributes[name[3:]] = _bounded(name, header(pairs, name) or "")
    return _event(attributes, content_type or "application/json", value or b"", structured=False)


def _structured(content_type: str, value: bytes | None) -> CloudEvent:
    if not content_type.lower().startswith(STRUCTURED):
        raise ContractError(f"content-type {content_type[:100]!r}: structured mode is {STRUCTURED}")
    try:
        document = json.loads(value or b"")
    except (ValueError, RecursionError):
        raise ContractError("the structured CloudEvent is not JSON") from None
    if not isinstance(document, dict):
        raise ContractError("the structured CloudEvent is not a JSON object")
    attributes: dict[str, str] = {}
    for name, item in document.items():  # pyright: ignore[reportUnknownVariableType]
        if name in ("data", "data_base64") or item is None:
            continue
        if not isinstance(name, str) or not isinstance(item, str | bool | int):
            raise ContractError("a CloudEvents attribute is a string, a boolean or an integer")
        text = item if isinstance(item, str) else json.dumps(item)
        attributes[name] = _bounded(name, text)
    data_type = attributes.get("datacontenttype", "application/json")
    return _event(attributes, data_type, _structured_data(document, data_type), structured=True)  # pyright: ignore[reportUnknownArgumentType]


def _structured_data(document: Mapping[str, object], data_type: str) -> bytes:
    if "data_base64" in document:
        if "data" in document or not isinstance(document["data_base64"], str):
            raise ContractError("data_base64 is a string, and excludes data")
        try:
            return base64.b64decode(document["data_base64"], validate=True)
        except (binascii.Error, ValueError):
            raise ContractError("data_base64 is not base64") from None
    data = document.get("data")
    if isinstance(data, str) and "json" not in data_type:
        return data.encode()
    return b"" if "data" not in document else json.dumps(data).encode()


def _bounded(name: str, text: str) -> str:
    if len(text) > MAX_ATTRIBUTE_BYTES:
        raise ContractError(
            f"attribute {name[:50]} is longer than {MAX_ATTRIBUTE_BYTES} characters"
        )
    return text


def _event(
    attributes: dict[str, str], content_type: str, data: bytes, *, structured: bool
) -> CloudEvent:
    for required in ("specversion", "id", "source", "type"):
        if not attributes.get(required):
            raise ContractError(f"the CloudEvents attribute {required} is missing")
    if attributes["specversion"] != "1.0":
        raise ContractError(f"specversion is {attributes['specversion'][:20]!r}, only 1.0 is known")
    time: datetime | None = None
    if "time" in attributes:
        try:
            time = datetime.fromisoformat(attributes["time"])
        except ValueError:
            raise ContractError("the attribute time is not RFC 3339") from None
        if time.tzinfo is None:
            raise ContractError("the attribute time has no time zone (RFC 3339, 5.6)")
    return CloudEvent(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        subject=attributes.get("subject"),
        time=time,
        content_type=content_type,
        data=data,
        structured=structured,
        extensions={name: text for name, text in attributes.items() if name not in _CORE},
    )
