"""Cursors: what is handed out is read back; nothing else is."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_gateway.models.problem import Invalid
from jackfield_gateway.service.cursor import (
    decode_cursor,
    encode_cursor,
    read_time_cursor,
    time_cursor,
)


@given(st.lists(st.one_of(st.text(), st.integers())))
def test_a_place_survives(place: list[str | int]) -> None:
    assert decode_cursor(encode_cursor(place)) == place


@given(st.datetimes(timezones=st.just(UTC)), st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True))
def test_a_time_and_an_id_survive(at: datetime, key: str) -> None:
    assert read_time_cursor(time_cursor(at, key)) == (at, key)


@given(st.text())
def test_anything_else_is_refused(text: str) -> None:
    try:
        place = decode_cursor(text)
    except Invalid:
        return
    assert decode_cursor(encode_cursor(place)) == place


@pytest.mark.parametrize(
    "place",
    [
        [],
        ["2026-01-01T00:00:00+00:00"],
        ["2026-01-01T00:00:00", "a"],
        ["yesterday", "a"],
        [1, "a"],
        ["2026-01-01T00:00:00+00:00", "\x00"],
    ],
)
def test_another_lists_cursor_is_refused(place: list[str | int]) -> None:
    with pytest.raises(Invalid):
        read_time_cursor(encode_cursor(place))


def test_no_cursor_is_the_beginning() -> None:
    assert read_time_cursor(None) is None
