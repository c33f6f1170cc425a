"""Forms and client identification, as strict as the RFCs are."""

import base64
from urllib.parse import urlencode

import pytest
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from hypothesis import given
from hypothesis import strategies as st

from jackfield_oauth.service.protocol.message import (
    Identification,
    Message,
    identify,
    parameters_of,
)

FORM = "application/x-www-form-urlencoded"


def _basic(text: str | bytes) -> str:
    content = text if isinstance(text, bytes) else text.encode()
    return "Basic " + base64.b64encode(content).decode()


def _identify(authorization: str | None = None, **form: str) -> Identification:
    return identify(Message("https://as.example/oauth2/token", form, "POST", authorization))


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=20),
        st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=50),
        max_size=20,
    )
)
def test_a_form_is_read_as_it_was_written(fields: dict[str, str]) -> None:
    assert parameters_of(FORM, urlencode(fields).encode()) == fields


@given(st.binary(max_size=300), st.sampled_from([FORM, FORM + "; charset=UTF-8", "text/plain", ""]))
def test_no_body_crashes_it(body: bytes, content_type: str) -> None:
    try:
        parameters_of(content_type, body)
    except OAuth2Error as error:
        assert error.error == "invalid_request"  # noqa: PT017 - any other error would be raised


def test_a_parameter_without_a_value_is_omitted_and_none_comes_twice() -> None:
    assert parameters_of(FORM, b"a=&b=1") == {"b": "1"}
    for body in (b"a=1&a=2", b"a=1&a=1", b"a=%00", b"a=%ff", "a=ü".encode()):
        with pytest.raises(InvalidRequestError):
            parameters_of(FORM, body)


def test_basic_is_form_encoded_inside() -> None:
    assert _identify(_basic("a%2Bb:c%3Ad+e")) == Identification(
        "client_secret_basic", "a+b", "c:d e"
    )


def test_one_way_at_a_time() -> None:
    assert _identify(client_id="a").method == "none"
    assert _identify(client_id="a", client_secret="b").method == "client_secret_post"
    assert _identify(_basic("a:b"), client_id="a").method == "client_secret_basic"
    for form in (
        {"client_id": "c"},
        {"client_secret": "b"},
        {"client_id": "a", "client_secret": "b"},
    ):
        with pytest.raises(InvalidRequestError):
            _identify(_basic("a:b"), **form)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic ",
        "Basic ####",
        "Basic YQ",
        _basic("a"),
        _basic("a:"),
        _basic(":b"),
        _basic(b"\xff:b"),
        _basic("a\0:b"),
        _basic("ä:b"),
        "Bearer abc",
        _basic("x" * 201 + ":b"),
    ],
)
def test_what_is_no_basic_is_a_failed_authentication(authorization: str) -> None:
    with pytest.raises(InvalidClientError) as raised:
        _identify(authorization)
    assert raised.value.status_code == 401


def test_a_secret_is_not_in_a_representation() -> None:
    assert "s3cret" not in repr(_identify(_basic("a:s3cret")))
    assert "s3cret" not in repr(Message("https://as.example", {}, "POST", _basic("a:s3cret")))
