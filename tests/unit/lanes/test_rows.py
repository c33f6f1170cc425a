"""What goes into a row comes out of it."""

from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from jackfield_common.lanes.ledger import decode_headers, encode_headers, storable, tenant_in

HEADERS = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=40)), max_size=5)


def record(headers: list[tuple[str, bytes]]) -> ConsumerRecord:
    return ConsumerRecord("t", 0, 0, 0, 0, b"k", b"v", None, 1, 1, tuple(headers))


@given(headers=HEADERS)
def test_headers_survive_with_their_bytes(headers: list[tuple[str, bytes]]) -> None:
    assert decode_headers(encode_headers(headers)) == tuple(headers)


@given(text=st.text(st.characters(codec=None), max_size=50))
def test_any_text_can_be_stored(text: str) -> None:
    stored = storable(text)
    assert "\x00" not in stored
    stored.encode()  # no lone surrogates are left


@given(headers=HEADERS, claimed=st.binary(max_size=20))
def test_the_tenant_of_a_public_topic_is_in_its_name_whatever_a_header_says(
    headers: list[tuple[str, bytes]], claimed: bytes
) -> None:
    one = record([*headers, ("ce_tenant", claimed)])
    assert tenant_in(one, "tenant.acme.events.in.v1") == "acme"
    assert tenant_in(one, "webhooks.delivery.verified.v1")


def test_the_tenant_of_an_internal_topic_is_in_a_header() -> None:
    assert tenant_in(record([("ce_tenant", b"acme")]), "webhooks.delivery.verified.v1") == "acme"
    assert tenant_in(record([]), "webhooks.delivery.verified.v1") == "default"
