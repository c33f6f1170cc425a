"""CloudEvents on Kafka: what goes out comes back, and what is malformed says where."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_common.envelope import encode, header, read_cloudevent, tombstone, trace_context
from jackfield_common.errors import ContractError
from jackfield_common.events import ActionRequested, IntegrationEvent
from jackfield_common.events.question import Question
from jackfield_common.ids import ActionId, IntegrationId, TenantId
from jackfield_common.topics import INTEGRATION, Naming

BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"1"),
    ("ce_source", b"/ci"),
    ("ce_type", b"push"),
    ("content-type", b"application/json"),
]
STRUCTURED = [("content-type", b"application/cloudevents+json; charset=utf-8")]


def action(**fields: object) -> ActionRequested:
    return ActionRequested.model_validate(
        {
            "tenant": TenantId("acme"),
            "action_id": ActionId("a1"),
            "integration_id": IntegrationId("i1"),
            "connector": "slack",
            "action": "send_message",
            "ordering": "C1",
            **fields,
        }
    )


def test_an_event_leaves_in_binary_mode_with_its_trace() -> None:
    event = action()
    record = encode(event, "webhooks", Naming("p."), {"traceparent": "00-aa-bb-01"})
    assert record.topic == "p.connectors.action.requested.v1"
    assert record.key == b"i1"
    assert dict(record.headers) | {"ce_time": b""} == {
        "ce_specversion": b"1.0",
        "ce_id": event.id.encode(),
        "ce_source": b"/jackfield/webhooks",
        "ce_type": b"connectors.action.requested.v1",
        "ce_time": b"",
        "ce_subject": b"i1",
        "ce_tenant": b"acme",
        "ce_partitionkey": b"i1",
        "ce_lane": b"C1",
        "content-type": b"application/json",
        "traceparent": b"00-aa-bb-01",
    }
    assert ActionRequested.from_bytes(record.value or b"") == event


def test_an_interactive_action_has_a_lane_of_its_own() -> None:
    question = Question.model_validate(
        {"correlation_id": "c", "instance": "i", "deadline": "2030-01-01T00:00:00Z"}
    )
    assert action(question=question).lane() == "?a1"


def test_a_normalised_event_goes_to_its_tenants_topic_under_its_own_type() -> None:
    event = IntegrationEvent(
        tenant=TenantId("acme"),
        integration_id=IntegrationId("i1"),
        event_type="pull_request.opened",
        source="github",
    )
    record = encode(event, "webhooks", Naming())
    assert record.topic == "tenant.acme.events.out.v1"
    assert dict(record.headers)["ce_type"] == b"pull_request.opened"


def test_a_tombstone_says_which_version_it_deletes() -> None:
    record = tombstone(INTEGRATION, "i1", 4, Naming())
    assert (record.value, dict(record.headers)["ce_version"]) == (None, b"4")


def test_binary_and_structured_mode_mean_the_same() -> None:
    data = {"ref": "refs/heads/main", "ünï": [1, None]}
    binary = read_cloudevent([*BINARY, ("ce_partitionkey", b"k")], json.dumps(data).encode())
    document = {
        "specversion": "1.0",
        "id": "1",
        "source": "/ci",
        "type": "push",
        "partitionkey": "k",
        "data": data,
    }
    structured = read_cloudevent(STRUCTURED, json.dumps(document).encode())
    assert json.loads(binary.data) == json.loads(structured.data) == data
    assert binary.extensions == structured.extensions == {"partitionkey": "k"}
    assert (binary.id, binary.type, binary.source) == (
        structured.id,
        structured.type,
        structured.source,
    )


def test_structured_data_may_be_base64() -> None:
    document = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
    document["data_base64"] = base64.b64encode(b"\x00\xff").decode()
    assert read_cloudevent(STRUCTURED, json.dumps(document).encode()).data == b"\x00\xff"


@pytest.mark.parametrize(
    ("headers", "value", "reason"),
    [
        ([], b"{}", "specversion is missing"),
        (BINARY[1:], b"{}", "specversion is missing"),
        ([*BINARY, ("ce_specversion", b"0.3")], b"{}", "only 1.0 is known"),
        ([h for h in BINARY if h[0] != "ce_type"], b"{}", "type is missing"),
        ([*BINARY, ("ce_id", b"\xff\xfe")], b"{}", "ce_id is not UTF-8"),
        ([*BINARY, ("ce_time", b"yesterday")], b"{}", "not RFC 3339"),
        ([*BINARY, ("ce_time", b"2026-01-01T00:00:00")], b"{}", "time zone"),
        ([*BINARY, ("ce_x", b"y" * 9000)], b"{}", "longer than 8192"),
        ([*BINARY, *((f"ce_x{n}", b"y") for n in range(70))], b"{}", "more than 64"),
        (STRUCTURED, b"{", "not JSON"),
        (STRUCTURED, b"[" * 100_000, "not JSON"),
        (STRUCTURED, None, "not JSON"),
        (STRUCTURED, b"[]", "not a JSON object"),
        (STRUCTURED, b'{"specversion":"1.0","id":{},"source":"s","type":"t"}', "is a string"),
        (
            STRUCTURED,
            b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"*"}',
            "not base64",
        ),
        ([("content-type", b"application/cloudevents+avro")], b"", "structured mode is"),
        ([("content-type", b"application/cloudevents-batch+json")], b"[]", "one a record"),
    ],
)
def test_what_is_malformed_says_where(
    headers: list[tuple[str, bytes]], value: bytes | None, reason: str
) -> None:
    with pytest.raises(ContractError, match=reason):
        read_cloudevent(headers, value)


@given(
    st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=40)), max_size=8),
    st.none() | st.binary(max_size=200),
)
def test_nothing_but_a_contract_error_comes_of_garbage(
    headers: list[tuple[str, bytes]], value: bytes | None
) -> None:
    for more in ([], STRUCTURED, BINARY):
        try:
            read_cloudevent([*more, *headers], value)
        except ContractError:
            continue
        assert more


def test_headers_last_one_wins_and_traces_ignore_garbage() -> None:
    assert header([("a", b"1"), ("a", b"2")], "a") == "2"
    assert trace_context([("traceparent", b"\xff"), ("tracestate", b"x=1")]) == {
        "tracestate": "x=1"
    }


def test_a_contract_error_never_quotes_the_content() -> None:
    with pytest.raises(ContractError) as error:
        ActionRequested.from_bytes(b'{"tenant": "t", "action": {"password": "hunter2"}}')
    assert "hunter2" not in str(error.value)
    assert "action_id" in str(error.value)
