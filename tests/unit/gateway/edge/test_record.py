"""Records made without a model are those that the model makes."""

import json

from hypothesis import given
from hypothesis import strategies as st

from jackfield_common.envelope import encode
from jackfield_common.events.delivery import DeliveryVerified
from jackfield_common.ids import IntegrationId, TenantId
from jackfield_common.topics import Naming, Service
from jackfield_gateway.edge.batches import MAX_HEADERS
from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.record import Ids, RecordMaker, Times
from tests.unit.gateway.edge.test_payload import request

MAKER = RecordMaker(
    IntegrationId("i" * 26), TenantId("default"), "github", frozenset({"x-kept", "user-agent"})
)
latin = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=20)


def made(exchange: Exchange, delivery_id: str | None, *, as_text: bool = True) -> DeliveryVerified:
    event_id, at = Ids().event_id(), Times().text(1_763_700_000.123)
    value = MAKER.value(
        exchange, event_id, at, delivery_id, exchange.query, exchange.body, as_text=as_text
    )
    event = DeliveryVerified.from_bytes(value)
    headers = MAKER.headers(event_id, at, "00-a-b-01", "")
    wanted = encode(event, Service.GATEWAY, Naming(), {"traceparent": "00-a-b-01"})
    assert sorted(headers) == sorted(wanted.headers)
    assert wanted.key == MAKER.key
    assert wanted.value is not None
    assert json.loads(value) == json.loads(value) | {
        key: one for key, one in json.loads(wanted.value).items() if key != "at"
    }
    return event


@given(body=st.binary(max_size=60), kept=latin, delivery=st.none() | latin.filter(bool))
def test_any_request_becomes_a_delivery_that_the_contract_knows(
    body: bytes, kept: str, delivery: str | None
) -> None:
    exchange = request(body, kept.encode("latin-1"), b"a=%22&b=1")
    exchange.method = b"POST"
    exchange.headers |= {b"x-kept": kept.encode("latin-1"), b"x-other": b"1"}
    for as_text in (True, False):
        event = made(exchange, delivery, as_text=as_text)
        assert event.raw_body() == body
        assert event.headers == {"x-kept": kept}
        assert event.delivery_id == delivery
        assert event.query == "a=%22&b=1"


def test_text_is_carried_as_text() -> None:
    assert made(request('{"a":"é"}'.encode()), None).body == '{"a":"é"}'
    assert made(request(b"\xff"), None).body is None


def test_ids_are_new_and_of_one_form() -> None:
    ids = Ids()
    events = {ids.event_id() for _ in range(5000)}
    assert len(events) == 5000
    assert all(len(one) == 26 and one.isalnum() and one.islower() for one in events)
    assert len({letter for one in events for letter in one}) == 32
    traces = {(ids.trace_id(), ids.span_id()) for _ in range(5000)}
    assert len(traces) == 5000
    assert all(len(trace) == 32 and len(span) == 16 for trace, span in traces)


def test_headers_stay_within_what_is_counted_for_them() -> None:
    longest = RecordMaker(
        IntegrationId("i" * 64), TenantId("t" * 63), "c" * 64, frozenset()
    ).headers(b"e" * 26, b"2" * 32, "00-" + "a" * 52, "s" * 512)
    assert sum(len(name) + len(value) + 10 for name, value in longest) < MAX_HEADERS
