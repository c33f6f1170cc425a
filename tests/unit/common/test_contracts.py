"""The bus is what docs/events says it is, and published versions do not break."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from jackfield_common import topics
from jackfield_common.contracts import (
    asyncapi,
    channels,
    event_classes,
    incompatibilities,
    schema_of,
)
from jackfield_common.events import IntegrationState
from jackfield_common.events.dead import DeadLetter
from jackfield_common.events.integration_event import IntegrationEvent
from jackfield_common.events.message import Event
from jackfield_common.ids import TenantId

EVENTS = Path(__file__).parents[3] / "docs" / "events"


@pytest.mark.parametrize("event", event_classes(), ids=lambda event: event.__name__)
def test_the_published_schema_is_the_codes(event: type[Event]) -> None:
    published = json.loads((EVENTS / "schemas" / f"{event.__name__}.json").read_text())
    assert incompatibilities(published, schema_of(event)) == []
    assert published == schema_of(event), "run `make docs` and commit what it writes"


def test_the_asyncapi_document_is_the_codes() -> None:
    assert json.loads((EVENTS / "asyncapi.json").read_text()) == asyncapi(), "run `make docs`"


def test_every_event_has_a_declared_topic_and_every_topic_an_event() -> None:
    declared = {topic.name for topic in topics.declared()}
    used = {
        event.topic.name for event in event_classes() if event not in (DeadLetter, IntegrationEvent)
    }
    assert used <= declared
    nameless = {name for name, _, event in channels() if event is None}
    assert nameless == {"tenant.{tenant}.events.in.v1"}, "a topic without an event class"


def test_topic_names_follow_the_rule() -> None:
    for topic in topics.declared():
        domain, noun, *rest = topic.name.split(".")
        assert domain
        assert noun
        assert rest[-1].startswith("v")
        assert rest[-1][1:].isdecimal()


def test_a_tenants_topic_names_its_tenant() -> None:
    tenant = TenantId("acme-1")
    for make in (topics.events_in, topics.events_out, topics.events_dead):
        assert topics.tenant_of(make(tenant).name) == tenant
        assert topics.find(make(tenant).name) == make(tenant)
    for name in ("tenant..events.in.v1", "tenant.A.events.in.v1", "gateway.integration.v1"):
        with pytest.raises(ValueError, match="tenant"):
            topics.tenant_of(name)


def test_an_undeclared_topic_is_an_error() -> None:
    with pytest.raises(KeyError, match="not declared"):
        topics.find("somebody.elses.v1")


def drop(schema: Any) -> None:
    del schema["properties"]["name"]


def retype(schema: Any) -> None:
    schema["properties"]["enabled"]["type"] = "string"


def demand(schema: Any) -> None:
    schema["properties"]["colour"] = {"type": "string"}
    schema["required"].append("colour")


def relax(schema: Any) -> None:
    schema["required"].remove("integration_id")


def narrow(schema: Any) -> None:
    schema["$defs"]["SealedSecret"]["properties"]["jwe"]["type"] = "integer"


@pytest.mark.parametrize("change", [drop, retype, demand, relax, narrow])
def test_an_incompatible_change_is_found(change: Any) -> None:
    published = schema_of(IntegrationState)
    current = copy.deepcopy(published)
    change(current)
    assert incompatibilities(published, current)


def test_a_new_optional_field_is_no_incompatibility() -> None:
    published = schema_of(IntegrationState)
    current = copy.deepcopy(published)
    current["properties"]["colour"] = {"type": "string", "default": ""}
    assert incompatibilities(published, current) == []
