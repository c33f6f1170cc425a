"""The lane of a delivery."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_webhooks.service.catalogue import Catalogue
from jackfield_webhooks.service.ordering import MAX_BYTES, lane_name, ordering_of
from jackfield_webhooks.service.sources import Source
from tests.unit.webhooks.sources import delivered, source_of


class _Catalogue(Catalogue):
    """Knows one source."""

    def __init__(self, source: Source | None) -> None:
        self._source = source

    def source_now(self, integration_id: str) -> Source | None:
        return self._source


@pytest.mark.parametrize(
    ("ordering", "delivery", "lane"),
    [
        (None, {}, ""),
        ("body:repo.name", {"body": '{"repo": {"name": "acme"}}'}, "acme"),
        ("body:repo.name", {"body": '{"repo": 7}'}, ""),
        ("body:repo.name", {"body": "not JSON"}, ""),
        ("body:repo", {"body": "repo=acme", "content_type": "application/x-www-form-urlencoded"},
         "acme"),
        ("header:X-Team", {"headers": {"x-team": "blue"}, "body": "not JSON"}, "blue"),
        ("query:team", {"query": "team=green"}, "green"),
    ],
)  # fmt: skip
def test_the_selector_names_it(ordering: str | None, delivery: dict[str, Any], lane: str) -> None:
    record = delivered(**delivery).to_bytes()
    assert ordering_of(record, _Catalogue(source_of(ordering=ordering))) == lane


@given(st.binary(max_size=40) | st.none() | st.just(b"[]") | st.just(b'{"integration_id": []}'))
def test_what_is_no_delivery_has_no_lane_of_its_own(value: bytes | None) -> None:
    assert ordering_of(value, _Catalogue(source_of(ordering="body:a"))) == ""


def test_an_unknown_integration_has_one_lane() -> None:
    assert ordering_of(delivered().to_bytes(), _Catalogue(None)) == ""


@given(st.text() | st.text(min_size=600))
def test_every_ordering_key_can_name_a_lane(ordering: str) -> None:
    name = lane_name(ordering)
    assert len(name.encode()) <= MAX_BYTES
    assert "\x00" not in name
    assert name == lane_name(ordering)


def test_long_keys_stay_apart() -> None:
    first, second = ("x" * 600 + end for end in "ab")
    assert lane_name(first) != lane_name(second)
    assert json.dumps(lane_name("acme/site")) == '"acme/site"'
