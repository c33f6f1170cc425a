"""Ids are unguessable, or follow from their cause; never in between."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_common.ids import derived_id, new_id, tenant_id


def test_a_new_id_has_128_bits_in_26_characters() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[a-z2-7]{26}", one) for one in ids)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_the_same_cause_gives_the_same_id(cause: list[str]) -> None:
    assert derived_id(*cause) == derived_id(*cause)
    assert derived_id(*cause) != derived_id(*cause, "more")


def test_causes_do_not_run_into_each_other() -> None:
    assert derived_id("ab", "c") != derived_id("a", "bc")


@pytest.mark.parametrize("text", ["", "A", "a.b", "-a", "a-", "a_b", "x" * 64, "ü", "a b", "a\n"])
def test_what_cannot_stand_in_a_topic_is_no_tenant(text: str) -> None:
    with pytest.raises(ValueError, match="is no tenant id"):
        tenant_id(text)
