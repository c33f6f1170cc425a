"""What of a verified request goes on the bus."""

import json
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from jackfield_gateway.edge.exchange import Exchange
from jackfield_gateway.edge.payload import may_be_deep, redacted, too_deep


def nested(depth: int) -> bytes:
    return b'{"a":[' * (depth // 2) + b"1" + b"]}" * (depth // 2)


def is_too_deep(body: bytes, limit: int) -> bool:
    return may_be_deep(body, limit) and too_deep(body, limit)


def depth_of(value: JsonValue) -> int:
    if not isinstance(value, dict | list):
        return 0
    children = value.values() if isinstance(value, dict) else value
    return 1 + max((depth_of(child) for child in children), default=0)


@given(
    st.recursive(
        st.none() | st.text(alphabet='[]{}"\\a', max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text('[{\\"', max_size=2), inner)
        ),
        max_leaves=30,
    ),
    st.integers(1, 8),
    st.sampled_from([None, 2]),
)
def test_the_depth_is_that_of_the_document(
    value: JsonValue, limit: int, indent: int | None
) -> None:
    body = json.dumps(value, indent=indent).encode()
    assert is_too_deep(body, limit) == (depth_of(value) > limit)


def test_what_never_closes_counts_as_nested() -> None:
    assert is_too_deep(b"[" * 500, 128)
    assert is_too_deep(b'{"a":' * 200, 128)
    assert not is_too_deep(b"[" * 100, 128)
    assert not is_too_deep(nested(128), 128)
    assert is_too_deep(nested(130), 128)
    assert not is_too_deep(b"[" + b"{},[]," * 5000 + b"1]", 128)


def request(body: bytes, content_type: bytes = b"application/json", query: bytes = b"") -> Exchange:
    class Nowhere:
        def answer(self, exchange: Exchange, raw: bytes) -> None:
            raise AssertionError("nothing is answered here")

    exchange = Exchange(Nowhere(), 0.0)
    exchange.headers[b"content-type"] = content_type
    exchange.target = b"/webhooks/x" + (b"?" + query if query else b"")
    exchange.body = body
    return exchange


@pytest.mark.parametrize("spelled", ["secret", "s\\u0065cret"], ids=["as it is", "escaped"])
def test_a_token_in_a_body_is_removed_however_it_is_spelled(spelled: str) -> None:
    body = f'{{"token":"{spelled}","n":12345678901234567890123,"x":1.50,"t":"é"}}'.encode()
    _, cleaned = redacted(request(body), ("body:token",))
    assert json.loads(cleaned) == {
        "token": "[removed]",
        "n": 12345678901234567890123,
        "x": 1.5,
        "t": "é",
    }


def test_a_token_that_stands_twice_is_removed_twice() -> None:
    _, cleaned = redacted(request(b'{"token":"secret","token":"secret"}'), ("body:token",))
    assert b"secret" not in cleaned


def test_a_token_in_every_item_is_removed_from_every_item() -> None:
    body = b'{"value":[{"clientState":"secret","a":1},{"clientState":"secret"},{"b":2}]}'
    _, cleaned = redacted(request(body), ("body:value.*.clientState",))
    assert json.loads(cleaned) == {
        "value": [{"clientState": "[removed]", "a": 1}, {"clientState": "[removed]"}, {"b": 2}]
    }


def test_a_token_in_a_form_is_removed() -> None:
    form = b"application/x-www-form-urlencoded"
    body = urlencode({"token": "secret", "text": "a b&c=é"}).encode()
    _, cleaned = redacted(request(body, form), ("body:token",))
    assert parse_qs(cleaned.decode()) == {"text": ["a b&c=é"]}
    body = urlencode({"payload": json.dumps({"token": "secret", "a": [1]})}).encode()
    _, cleaned = redacted(request(body, form), ("body:token",))
    assert json.loads(parse_qs(cleaned.decode())["payload"][0]) == {
        "token": "[removed]",
        "a": [1],
    }


def test_a_token_in_the_query_is_removed() -> None:
    query, body = redacted(request(b"{}", query=b"a=1&code=secret&b=&code=x"), ("query:code",))
    assert (query, body) == ("a=1&b=", b"{}")
