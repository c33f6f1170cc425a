"""What vendors answer, in all the ways they do, and what is kept of it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_oauth.service.vendor.tokens import Granted, Refused, read

JSON = "application/json"
TIME = datetime(2026, 1, 1, tzinfo=UTC)


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (JSON, _json(access_token="a"), Granted("a")),
        (JSON, _json(access_token="a", expires_in="3600"), Granted("a", expires_in=3600)),
        (JSON, _json(access_token="a", expires_in=3599.5), Granted("a")),
        (JSON, _json(access_token="a", expires_in=-1), Granted("a")),
        (JSON, _json(access_token="a", expires_in=None, scope=""), Granted("a")),
        (JSON, _json(access_token="a", refresh_token="r", scope="x y"), Granted("a", "r", scope="x y")),
        ("text/plain", b"access_token=a&scope=x%2Cy&token_type=bearer",
         Granted("a", token_type="bearer", scope="x,y")),
        ("text/html; charset=utf-8", _json(access_token="a"), Granted("a")),
    ],
)  # fmt: skip
def test_answers(content_type: str, body: bytes, expected: Granted) -> None:
    assert read(200, content_type, body, None) == expected


@pytest.mark.parametrize(
    ("status", "content_type", "body", "error"),
    [
        (400, JSON, _json(error="invalid_grant"), "invalid_grant"),
        (200, JSON, _json(error="bad_verification_code"), "bad_verification_code"),
        (200, JSON, _json(ok=False, error="invalid_auth", access_token="x"), "invalid_auth"),
        (401, JSON, _json(access_token="a"), "http_401"),
        (200, JSON, _json(access_token=""), "http_200"),
        (200, JSON, _json(access_token=5), "http_200"),
        (200, JSON, b"[]", "http_200"),
        (200, JSON, b"\xff", "http_200"),
        (200, "text/html", b"<a href=x>", "http_200"),
        (302, "", b"", "http_302"),
    ],
)
def test_refusals(status: int, content_type: str, body: bytes, error: str) -> None:
    with pytest.raises(Refused) as raised:
        read(status, content_type, body, None)
    assert raised.value.error == error


@given(st.integers(100, 599), st.binary(max_size=500))
def test_no_answer_crashes_it(status: int, body: bytes) -> None:
    try:
        read(status, JSON, body, None)
    except Refused as refused:
        assert str(refused).isprintable()  # noqa: PT017 - any other error would be raised


def test_the_declared_lifetime_stands_in_for_a_missing_one() -> None:
    assert read(200, JSON, _json(access_token="a"), 60).expires_in == 60
    assert read(200, JSON, _json(access_token="a", expires_in=5), 60).expires_in == 5


def test_a_refresh_token_that_was_not_renewed_stays() -> None:
    fields = Granted("b", expires_in=60).merged(
        {"client_id": "c", "access_token": "a", "refresh_token": "r", "expires_at": "old"}, TIME
    )
    assert fields == {
        "client_id": "c",
        "access_token": "b",
        "refresh_token": "r",
        "token_type": "Bearer",
        "expires_at": "2026-01-01T00:01:00+00:00",
    }
    assert "expires_at" not in Granted("b").merged(fields, TIME)


@given(st.integers(1, 100_000_000))
def test_renewal_comes_before_the_end_and_not_too_early(lifetime: int) -> None:
    at = Granted("a", expires_in=lifetime).refresh_at(TIME)
    assert at is not None
    assert TIME + timedelta(seconds=lifetime) / 2 <= at < TIME + timedelta(seconds=lifetime)
    assert Granted("a").refresh_at(TIME) is None


def test_a_token_is_not_in_a_representation() -> None:
    assert "s3cret" not in repr(Granted("s3cret", "s3cret"))
