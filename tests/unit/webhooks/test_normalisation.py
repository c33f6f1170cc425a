"""Deliveries and sent events as one kind of event."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from jackfield_common.connector.selector import Request, compile_selector
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events import EventIngested, Occurrence
from jackfield_common.ids import DEFAULT_TENANT, IntegrationId
from jackfield_webhooks.service.normalisation import normalise_delivery, normalise_ingested
from tests.unit.webhooks.sources import delivered, source_of

GIT_LAB = {
    "event_type": "body:object_kind",
    "ordering": "body:project.path",
    "events": {
        "pipeline": {
            "canonical": "pipeline",
            "occurrence": {
                "repository": "body:project.path",
                "ref": "body:object_attributes.ref",
                "sha": "body:object_attributes.sha",
                "state": "body:object_attributes.status",
                "actor": "body:user.username",
            },
            "states": {"success": "succeeded", "failed": "failed"},
        }
    },
}
GIT_HUB = {
    "event_type": "header:X-GitHub-Event",
    "ordering": "body:repository.full_name",
    "events": {
        "workflow_run": {
            "canonical": "pipeline",
            "occurrence": {
                "repository": "body:repository.full_name",
                "ref": "body:workflow_run.head_branch",
                "sha": "body:workflow_run.head_sha",
                "state": "body:workflow_run.conclusion",
                "actor": "body:sender.login",
            },
            "states": {"success": "succeeded", "failure": "failed"},
        }
    },
}


def test_the_same_occurrence_of_two_vendors_is_the_same() -> None:
    first = normalise_delivery(
        delivered(
            json.dumps(
                {
                    "object_kind": "pipeline",
                    "project": {"path": "acme/site"},
                    "object_attributes": {"ref": "main", "sha": "d6fde92", "status": "failed"},
                    "user": {"username": "ada"},
                }
            )
        ),
        source_of("gitlab", **GIT_LAB),
    )
    second = normalise_delivery(
        delivered(
            json.dumps(
                {
                    "repository": {"full_name": "acme/site"},
                    "workflow_run": {
                        "head_branch": "main",
                        "head_sha": "d6fde92",
                        "conclusion": "failure",
                    },
                    "sender": {"login": "ada"},
                }
            ),
            headers={"x-github-event": "workflow_run"},
        ),
        source_of("github", **GIT_HUB),
    )
    assert first.event.occurrence == second.event.occurrence
    assert first.event.occurrence == Occurrence(
        repository="acme/site", ref="main", sha="d6fde92", state="failed", actor="ada"
    )
    assert first.event.canonical_type == second.event.canonical_type == "pipeline"
    assert first.ordering == second.ordering == "acme/site"


EVENTS = {
    "push": {"canonical": "push"},
    "issue.*": {"canonical": "issue"},
    "issue.closed": {"canonical": "issue_closed"},
    "release": {"canonical": "release"},
}


@pytest.mark.parametrize(
    ("event_type", "canonical", "declared"),
    [
        ("push", "push", True),
        ("push.force", "push", True),
        ("issue.opened", "issue", True),
        ("issue.opened.again", "issue", True),
        ("issue.closed", "issue_closed", True),
        ("issue", None, False),
        ("pushes", None, False),
        ("fork", None, False),
    ],
)
def test_types_are_declared_by_name_or_by_what_stands_above_them(
    event_type: str, canonical: str | None, declared: bool
) -> None:
    source = source_of(events=EVENTS)
    event = normalise_delivery(delivered(headers={"x-event": event_type}), source).event
    assert (event.canonical_type, event.declared) == (canonical, declared)
    assert event.event_type == event_type


@pytest.mark.parametrize(
    ("webhook", "delivery", "expected"),
    [
        ({}, {"headers": {}}, {"event_type": "unknown", "declared": False}),
        ({"event_type": "query:topic"}, {"query": "topic=push&x=1"}, {"event_type": "push"}),
        ({"subject": "body:a.0.b"}, {"body": '{"a": [{"b": 7}]}'}, {"about": "7"}),
        ({"subject": "body:a"}, {"body": '{"a": {}}'}, {"about": None}),
        ({"subject": "body:a"}, {"body": "[1]"}, {"about": None}),
        ({"subject": "'#' + body:n"}, {"body": '{"n": true}'}, {"about": "#true"}),
        ({}, {"body": "", "content_type": ""}, {"data": None}),
        ({}, {"body": None, "body_base64": "e30="}, {"data": {}}),
    ],
)
def test_selectors(
    webhook: dict[str, Any], delivery: dict[str, Any], expected: dict[str, JsonValue]
) -> None:
    body = delivery.pop("body", "{}")
    event = normalise_delivery(delivered(body, **delivery), source_of(**webhook)).event
    assert {name: getattr(event, name) for name in expected} == expected


def test_copies_of_a_delivery_are_copies_of_one_event() -> None:
    source = source_of()
    first, copy = (normalise_delivery(delivered(delivery_id="d"), source).event for _ in range(2))
    others = [
        delivered(delivery_id="e"),
        delivered(delivery_id="d", integration_id="i-2"),
        delivered(delivery_id="d", tenant="other"),
        delivered(),
        delivered(),
    ]
    assert first.id == copy.id
    ids = {normalise_delivery(other, source).event.id for other in others}
    assert len(ids | {first.id}) == 6


def test_a_field_that_the_shared_shape_does_not_have_is_left_out() -> None:
    source = source_of(
        events={"push": {"occurrence": {"ref": "body:ref", "moon_phase": "body:moon"}}}
    )
    event = normalise_delivery(delivered('{"ref": "main", "moon": "full"}'), source).event
    assert event.occurrence == Occurrence(ref="main")


def test_a_type_longer_than_the_contract_allows_is_invalid() -> None:
    with pytest.raises(Failure) as refused:
        normalise_delivery(delivered(headers={"x-event": "x" * 513}), source_of())
    assert (refused.value.kind, refused.value.field) == (ErrorKind.INVALID, "event_type")


def sent(**more: Any) -> EventIngested:
    """An event from a tenant's own system."""
    fields: dict[str, Any] = {
        "tenant": DEFAULT_TENANT,
        "cloudevent_id": "1",
        "event_type": "push",
        "source": "/bridge",
        "integration_id": IntegrationId("i-1"),
        **more,
    }
    return EventIngested.model_validate(fields)


@pytest.mark.parametrize(
    ("event_type", "seen_as", "declared"),
    [
        ("push", "push", True),
        ("forge.push", "push", True),
        ("forge.forge.push", "forge.push", False),
        ("forge.", "forge.", False),
        ("other.push", "other.push", False),
    ],
)
def test_a_sent_event_is_read_by_its_integrations_source(
    event_type: str, seen_as: str, declared: bool
) -> None:
    source = source_of(events=EVENTS, ordering="body:repo", subject="header:about")
    normalised = normalise_ingested(
        sent(
            event_type=event_type,
            data={"repo": "acme"},
            ordering="ignored",
            metadata={"extensions": {"about": "thing"}},
        ),
        source,
    )
    event = normalised.event
    assert (event.event_type, event.declared, event.source) == (seen_as, declared, "forge")
    assert (event.about, normalised.ordering) == ("thing", "acme")
    assert event.metadata["cloudevent_source"] == "/bridge"


def test_a_sent_event_without_a_source_is_as_it_is() -> None:
    ingested = sent(integration_id=None, event_type="com.acme.x", ordering="k", about="s", data=[1])
    normalised = normalise_ingested(ingested, None)
    event = normalised.event
    assert (event.id, event.event_type, event.source) == (ingested.id, "com.acme.x", "/bridge")
    assert (event.declared, event.about, event.data) == (False, "s", [1])
    assert normalised.ordering == "k"


_NAMES = st.from_regex(r"[a-z]{1,4}", fullmatch=True)
_BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.dictionaries(_NAMES, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(_NAMES | st.just("0"), min_size=1, max_size=4), _BODIES)
def test_a_path_finds_a_scalar_or_nothing(path: list[str], body: JsonValue) -> None:
    found = compile_selector("body:" + ".".join(path)).of(Request(headers={}, body=body))
    value: JsonValue = body
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name == "0" and value:
            value = value[0]
        else:
            value = None
    match value:
        case bool():
            assert found == str(value).lower()
        case int() | str():
            assert found == (str(value) or None)
        case _:
            assert found is None


@given(st.lists(st.tuples(_NAMES, st.booleans()), min_size=1, max_size=4))
def test_an_absent_optional_tail_is_dropped(terms: list[tuple[str, bool]]) -> None:
    text, expected = f"body:{terms[0][0]}", [terms[0][0]] if terms[0][1] else []
    going = terms[0][1]
    for name, present in terms[1:]:
        text += f" +? body:{name}"
        going = going and present
        if going:
            expected.append(name)
    body: JsonValue = {name: name for name, present in terms if present}
    absent = {name for name, present in terms if not present}
    if absent & set(body):
        return
    found = compile_selector(text).of(Request(headers={}, body=body))
    assert found == ("".join(expected) or None)
