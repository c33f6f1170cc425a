"""Bodies as vendors send them."""

import base64
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from jackfield_common.errors import ErrorKind, Failure
from jackfield_webhooks.service.payload import MAX_FORM_FIELDS, Payload, parse

JSON = ("application/json",)
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "content_type", "declared", "expected"),
    [
        (b'{"a": 1}', "application/json", JSON, Payload({"a": 1})),
        (b'{"a": 1}', "application/json; charset=utf-8", JSON, Payload({"a": 1})),
        (b'{"a": 1}', "Application/JSON", JSON, Payload({"a": 1})),
        (b'{"a": 1}', "application/vnd.forge.v2+json", JSON, Payload({"a": 1})),
        (b'{"a": 1}', "", JSON, Payload({"a": 1})),
        (b"\xef\xbb\xbf[1, null]", "application/json", JSON, Payload([1, None])),
        (b"", "application/json", JSON, Payload(None)),
        (b" \n", "application/json", JSON, Payload(None)),
        (b'{"n": 1180591620717411303424}', "text/json", JSON, Payload({"n": 2**70})),
        (b"a=1&b=2&b=3&c=", FORM, JSON, Payload({"a": "1", "b": ["2", "3"], "c": ""})),
        (b"payload=%7B%22a%22%3A1%7D", FORM, JSON, Payload({"a": 1})),
        (b"payload=1&token=x", FORM, JSON, Payload({"payload": "1", "token": "x"})),
        (b"payload=1&payload=2", FORM, JSON, Payload({"payload": ["1", "2"]})),
        (b"a=1", "", (FORM,), Payload({"a": "1"})),
        (b"<a/>", "text/xml", JSON, Payload("<a/>", "text")),
        (b"caf\xe9", "text/plain; charset=latin-1", JSON, Payload("caf\u00e9", "text")),
        (b"\xff\xfe", "text/plain", JSON, Payload("//4=", "base64")),
        (b"a", "text/plain; charset=nonsense", JSON, Payload("YQ==", "base64")),
        (b"", "text/plain", JSON, Payload(None)),
        (b"hello", "", (), Payload("hello", "text")),
    ],
)
def test_a_body_is_parsed_by_its_content_type(
    body: bytes, content_type: str, declared: tuple[str, ...], expected: Payload
) -> None:
    assert parse(body, content_type, declared) == expected


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (b"{", "application/json", "the body is not JSON: EOF while parsing an object at line 1"),
        (b"{'a': 1}", "application/json", "line 1 column 2"),
        (b'{"a": NaN}', "application/json", "not JSON"),
        (b'{"a": Infinity}', "application/json", "not JSON"),
        (b'{"a": "\\ud800"}', "application/json", "not JSON"),
        (b'{"a": "\xff"}', "application/json", "not JSON"),
        (b"[" * 100_000, "application/json", "recursion limit"),
        (b"payload=%7B", FORM, "the form's field payload is not JSON"),
        (b"a=\xff", FORM, "not UTF-8"),
        (b"a=%ff", FORM, "not UTF-8"),
        (b"&".join(b"a=1" for _ in range(MAX_FORM_FIELDS + 1)), FORM, "the form cannot be read"),
    ],
)
def test_what_does_not_parse_is_invalid_with_its_position(
    body: bytes, content_type: str, says: str
) -> None:
    with pytest.raises(Failure) as refused:
        parse(body, content_type, JSON)
    assert refused.value.kind is ErrorKind.INVALID
    assert says in refused.value.message


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(_JSON)
def test_json_arrives_as_it_was_sent_also_in_a_form(value: JsonValue) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert parse(text.encode(), "application/json", JSON) == Payload(value)
    assert parse(urlencode({"payload": text}).encode(), FORM, JSON) == Payload(value)


@given(st.binary(max_size=60), st.sampled_from(["", "text/plain", "image/png", "x/y; charset=a"]))
def test_anything_else_arrives_whole(body: bytes, content_type: str) -> None:
    payload = parse(body, content_type, ("application/octet-stream",))
    match payload:
        case Payload(str(text), "text"):
            assert text.encode() == body
        case Payload(str(text), "base64"):
            assert base64.b64decode(text) == body
        case _:
            assert body == b""
            assert payload == Payload(None)
