"""Filling in paths and bodies."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.engine.template import ABSENT, fill_body, fill_members, fill_path

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(text.filter(lambda value: value not in (".", "..")))
def test_a_value_stays_within_its_segment_and_reads_back(value: str) -> None:
    path = fill_path("/a/{x}/b", {"x": value})
    assert re.fullmatch(r"/a/[!-.0-~]+/b", path)
    assert not set(path) & set("?#")
    assert unquote(path[3:-2]) == value


@given(text)
def test_slashes_are_kept_only_where_that_is_said(value: str) -> None:
    try:
        path = fill_path("/a/{+x}", {"x": value})
    except Failure:
        assert any(part in ("", ".", "..") for part in value.split("/"))
    else:
        assert unquote(path.removeprefix("/a/")) == value
        assert path.count("/") == 2 + value.count("/")


@pytest.mark.parametrize("value", ["..", ".", "", None, "a/../b", "/a", "a//b", "a/"])
def test_what_would_climb_out_of_the_path_is_refused(value: str | None) -> None:
    with pytest.raises(Failure) as refused:
        fill_path("/repos/{+repo}/issues", {"repo": value})
    assert (refused.value.kind, refused.value.field) == (ErrorKind.INVALID, "repo")


BODIES: list[tuple[JsonValue, dict[str, JsonValue], object]] = [
    ("{a}", {"a": [1, {"b": None}]}, [1, {"b": None}]),
    ("{a}", {}, ABSENT),
    ("x {a} y", {"a": 3}, "x 3 y"),
    ("x {a} y", {}, ABSENT),
    ("{a}: {b}", {"b": True}, ": true"),
    ("plain", {}, "plain"),
    ({"k": {"n": "{a}"}, "fixed": 1}, {}, ABSENT),
    ({"k": {"n": "{a}"}, "fixed": 1}, {"a": 2}, {"k": {"n": 2}, "fixed": 1}),
    ({"k": {"fixed": 1}, "n": [1]}, {}, {"k": {"fixed": 1}, "n": [1]}),
    (
        [{"type": "x", "value": "{a}"}, {"type": "y", "value": "{b}"}],
        {"b": 1},
        [{"type": "y", "value": 1}],
    ),
    ({"k": {"n": "{a}"}}, {}, ABSENT),
    ({"k": [{"n": "{a}"}, {"n": "{b}"}]}, {"b": 2}, {"k": [{"n": 2}]}),
    ({}, {}, {}),
    ([], {}, []),
    ({"k": "{a}"}, {"a": False}, {"k": False}),
    ({"k": "{a}"}, {"a": "{b}", "b": "secret"}, {"k": "{b}"}),
]


def test_constants_at_the_top_stay() -> None:
    template: dict[str, JsonValue] = {"name": "web", "config": {"kind": "json", "url": "{url}"}}
    assert fill_members(template, {}) == {"name": "web"}


@pytest.mark.parametrize(("template", "values", "expected"), BODIES)
def test_a_body_is_filled_in(
    template: JsonValue, values: dict[str, JsonValue], expected: object
) -> None:
    assert fill_body(template, values) == expected
