"""The bus, written down: JSON Schemas of every event and an AsyncAPI document of every topic.

`docs/events/` holds what is generated here, and a test holds it to the code. A published version of a
topic is a promise: what readers rely on may not change, only optional fields may be added.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import jackfield_common.events as events
from jackfield_common import topics
from jackfield_common.events.dead import DeadLetter
from jackfield_common.events.integration_event import IntegrationEvent
from jackfield_common.events.message import Event
from jackfield_common.ids import TenantId
from jackfield_common.topics import Kind, Topic

Schema = dict[str, Any]

_TENANT: Final = TenantId("tenant-name")
_DESCRIPTIONS: Final = {
    Kind.STATE: "State, compacted: the latest value per key is the entity, null deletes it.",
    Kind.WORK: "Work: each record is done once, in the order of its lane.",
    Kind.FEED: "Facts for whoever wants to know.",
}


def event_classes() -> list[type[Event]]:
    """Every event class there is, by name."""
    found = [
        value
        for value in vars(events).values()
        if inspect.isclass(value)
        and issubclass(value, Event)
        and value not in (Event, events.State)
    ]
    return sorted(
        (event for event in found if event is not events.WorkCommand), key=lambda e: e.__name__
    )


def schema_of(event: type[Event]) -> Schema:
    """The JSON Schema (2020-12) of an event's value."""
    schema = event.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def channels() -> Iterator[tuple[str, Topic, type[Event] | None]]:
    """Every topic with the class of its records; None where records are CloudEvents of any type."""
    classes = {event.topic.name: event for event in event_classes() if hasattr(event, "topic")}
    for topic in topics.declared():
        yield (
            topic.name,
            topic,
            classes.get(topic.name, DeadLetter if "dead" in topic.name else None),
        )
    name = str(_TENANT)
    yield (
        topics.events_in(_TENANT).name.replace(name, "{tenant}"),
        topics.events_in(_TENANT),
        None,
    )
    yield (
        topics.events_out(_TENANT).name.replace(name, "{tenant}"),
        topics.events_out(_TENANT),
        IntegrationEvent,
    )
    yield (
        topics.events_dead(_TENANT).name.replace(name, "{tenant}"),
        topics.events_dead(_TENANT),
        DeadLetter,
    )


def asyncapi() -> Schema:
    """The bus as an AsyncAPI 3.0 document."""
    document: Schema = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Jackfield topics",
            "version": "1",
            "license": {"name": "MIT"},
            "description": "Records are CloudEvents 1.0 in Kafka binary content mode: attributes are"
            " ce_* headers, traceparent carries the trace, the value is JSON.",
        },
        "defaultContentType": "application/json",
        "channels": {},
        "operations": {},
        "components": {"messages": {}, "messageTraits": {"cloudEvent": _CLOUDEVENT}},
    }
    for name, topic, event in channels():
        message = event.__name__ if event is not None else "CloudEvent"
        document["components"]["messages"][message] = _message(message, event)
        channel: Schema = {
            "address": name,
            "description": _DESCRIPTIONS[topic.kind],
            "messages": {message: {"$ref": f"#/components/messages/{message}"}},
            "bindings": {
                "kafka": {
                    "bindingVersion": "0.5.0",
                    "partitions": topic.partitions,
                    "topicConfiguration": _configuration(topic),
                }
            },
        }
        if "{tenant}" in name:
            channel["parameters"] = {"tenant": {"description": "The tenant's id."}}
        identifier = name.replace("{tenant}", "tenant").replace(".", "_")
        document["channels"][identifier] = channel
        document["operations"][f"receive_{identifier}"] = {
            "action": "receive" if name.endswith("events.in.v1") else "send",
            "channel": {"$ref": f"#/channels/{identifier}"},
            "description": f"By the {topic.owner} service.",
        }
    return document


def _configuration(topic: Topic) -> Schema:
    configuration = topic.configuration()
    kept: Schema = {
        "cleanup.policy": [configuration["cleanup.policy"]],
        "max.message.bytes": topic.max_message_bytes,
    }
    if topic.kind is not Kind.STATE:
        kept["retention.ms"] = topic.retention
    return kept


def _message(name: str, event: type[Event] | None) -> Schema:
    if event is None:
        return {
            "name": name,
            "title": "A CloudEvent of any type, in binary or structured mode",
            "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
            "payload": True,
        }
    return {
        "name": name,
        "title": (inspect.getdoc(event) or name).splitlines()[0],
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./schemas/{name}.json"},
        },
    }


_CLOUDEVENT: Final[Schema] = {
    "headers": {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": {"type": "string"},
            "ce_source": {"type": "string"},
            "ce_type": {"type": "string"},
            "ce_subject": {"type": "string"},
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_tenant": {"type": "string"},
            "ce_partitionkey": {"type": "string"},
            "ce_lane": {"type": "string"},
            "ce_version": {"type": "string", "pattern": "^[0-9]+$"},
            "content-type": {"type": "string"},
            "traceparent": {"type": "string"},
        },
    }
}


def incompatibilities(published: Schema, current: Schema, where: str = "") -> list[str]:
    """What a reader or writer of the published schema could not live with in the current one.

    Compatible means: every published field is still there with the same type and meaning, nothing
    published as always present has become absent, and new fields are optional to readers.
    """
    return list(
        _compare(_resolved(published, published), _resolved(current, current), where or "$")
    )


def _compare(old: Schema, new: Schema, where: str) -> Iterator[str]:
    for word in ("type", "const", "format", "pattern"):
        if old.get(word) != new.get(word):
            yield f"{where}: {word} was {old.get(word)!r} and is {new.get(word)!r}"
    removed = [value for value in old.get("enum", []) if value not in new.get("enum", [])]
    if "enum" in old and removed:
        yield f"{where}: no longer {removed}"
    properties = cast(Mapping[str, Schema], old.get("properties", {}))
    present = cast(Mapping[str, Schema], new.get("properties", {}))
    for name, schema in properties.items():
        if name not in present:
            yield f"{where}.{name}: was removed"
        else:
            yield from _compare(schema, present[name], f"{where}.{name}")
    for name in set(new.get("required", [])) - set(old.get("required", [])):
        if name not in properties:
            yield f"{where}.{name}: is new and not optional"
    for name in set(old.get("required", [])) - set(new.get("required", [])):
        if name in present:
            yield f"{where}.{name}: was always there and has become optional"
    if "items" in old:
        yield from _compare(old["items"], new.get("items", {}), f"{where}[]")
    for word in ("anyOf", "oneOf"):
        options, now = old.get(word, []), new.get(word, [])
        for index, option in enumerate(options):
            if not any(not list(_compare(option, other, where)) for other in now):
                yield f"{where}: alternative {index} of {word} is gone"


def _resolved(schema: Any, root: Schema, references: int = 0) -> Any:
    """The schema with its references followed, recursive ones to a depth of eight."""
    if isinstance(schema, dict):
        node = cast(Schema, schema)
        if "$ref" in node:
            if references == 8:
                return {}
            target = node["$ref"].rpartition("/")[2]
            merged = {**root.get("$defs", {}).get(target, {}), **node}
            del merged["$ref"]
            return _resolved(merged, root, references + 1)
        return {
            key: _resolved(value, root, references) for key, value in node.items() if key != "$defs"
        }
    if isinstance(schema, list):
        return [_resolved(item, root, references) for item in cast(list[Any], schema)]
    return schema
