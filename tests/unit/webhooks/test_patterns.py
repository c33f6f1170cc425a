"""Patterns for event types."""

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_webhooks.service.patterns import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("push", "push", True),
        ("push", "Push", False),
        ("push", "pushes", False),
        ("*", "", True),
        ("*", "anything.at.all", True),
        ("pull_request.*", "pull_request.opened", True),
        ("pull_request.*", "pull_request", False),
        ("*.failed", "build.failed", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("a**c", "abc", True),
        ("[a]?", "a", False),
        ("[a]?", "[a]?", True),
        ("", "", True),
        ("", "push", False),
        ("*\n*", "a\nb", True),
    ],
)
def test_a_star_is_any_run_of_characters(pattern: str, text: str, matches: bool) -> None:
    assert compile_pattern(pattern).matches(text) is matches


_LETTERS = st.text("ab.", max_size=8)


@given(st.lists(_LETTERS, min_size=1, max_size=5).map("*".join), _LETTERS)
def test_it_agrees_with_the_shells(pattern: str, text: str) -> None:
    assert compile_pattern(pattern).matches(text) == fnmatch.fnmatchcase(text, pattern)


@given(st.lists(st.text(max_size=6), min_size=1, max_size=5), st.text(max_size=3))
def test_whatever_stands_for_the_stars_matches(parts: list[str], filling: str) -> None:
    pattern = "*".join(part.replace("*", "") for part in parts)
    assert compile_pattern(pattern).matches(pattern.replace("*", filling))


def test_a_hostile_pattern_takes_no_time() -> None:
    pattern = compile_pattern("a*" * 200 + "b")
    started = time.perf_counter()
    assert not pattern.matches("a" * 512)
    assert time.perf_counter() - started < 0.1
