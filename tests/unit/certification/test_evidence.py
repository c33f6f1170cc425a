import json

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from jackfield_certification.evidence import MAX_ITEM_BYTES, MAX_ITEMS, Evidence

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=2_000),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=20), inner),
    max_leaves=60,
)
CANARY = "canary-0123456789abcdef"


@settings(max_examples=30)
@given(JSON)
def test_evidence_is_bounded_whatever_was_seen(value: JsonValue) -> None:
    evidence = Evidence()
    for _ in range(MAX_ITEMS * 2):
        evidence.add("seen", value=value)
    items = evidence.items()
    assert len(items) == MAX_ITEMS + 1
    assert items[-1] == {"kind": "left_out", "count": MAX_ITEMS}
    assert all(len(json.dumps(item)) <= MAX_ITEM_BYTES * 2 for item in items)


@given(st.text(max_size=600), st.text(max_size=600))
def test_a_secret_never_stands_in_evidence(before: str, after: str) -> None:
    evidence = Evidence()
    evidence.hide((CANARY,))
    evidence.add("seen", text=before + CANARY + after, nested=[{"deep": CANARY}])
    assert CANARY not in json.dumps(evidence.items())
