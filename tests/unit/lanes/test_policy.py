import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jackfield_common.errors import ErrorKind
from jackfield_common.lanes import Backoff, Limits, Policy

KINDS = st.sampled_from(list(ErrorKind))
CHANCES = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"max_retries": -1}, "greater than or equal to 0"),
        ({"initial_delay": 0}, "greater than 0"),
        ({"initial_delay": math.nan}, "finite number"),
        ({"max_delay": math.inf}, "finite number"),
        ({"backoff_factor": 0.5}, "greater than or equal to 1"),
        ({"timeout": 0}, "greater than 0"),
        ({"initial_delay": 10, "max_delay": 5}, "max_delay .* is below initial_delay"),
        ({"initial_delay": 60, "max_delay": 60, "budget": 30}, "ends before the first retry"),
        ({"then": "panic"}, "'skip' or 'block'"),
        ({"backoff": {"invalid": "exponential"}}, "cannot be retried"),
        ({"backoff": {"outcome_unknown": "linear"}}, "cannot be retried"),
        ({"retries": 3}, "Extra inputs"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_when_it_is_set(
    fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        Policy(**fields)


def test_the_defaults_are_those_that_are_documented() -> None:
    policy = Policy()
    assert (policy.max_retries, policy.initial_delay, policy.max_delay) == (3, 1.0, 30.0)
    assert (policy.backoff_factor, policy.timeout, policy.then) == (2.0, 30.0, "skip")


@pytest.mark.parametrize(
    ("kind", "attempt", "chance", "delay"),
    [
        (ErrorKind.UNAVAILABLE, 1, 0.5, 0.5),
        (ErrorKind.UNAVAILABLE, 2, 0.5, 1.0),
        (ErrorKind.UNAVAILABLE, 3, 0.5, 2.0),
        (ErrorKind.UNAVAILABLE, 4, 0.5, None),
        (ErrorKind.RATE_LIMITED, 3, 0.25, 1.0),
        (ErrorKind.TIMEOUT, 1, 0.0, 0.0),
        (ErrorKind.CONNECTION, 1, 0.0, 1.0),
        (ErrorKind.CONNECTION, 3, 0.0, 3.0),
        (ErrorKind.CONNECTION, 3, 0.5, 2.85),
        (ErrorKind.AUTH, 1, 0.5, 0.5),
        (ErrorKind.INVALID, 1, 0.5, None),
        (ErrorKind.FORBIDDEN, 1, 0.5, None),
        (ErrorKind.NOT_FOUND, 1, 0.5, None),
        (ErrorKind.OUTCOME_UNKNOWN, 1, 0.5, None),
        (ErrorKind.BUG, 1, 0.5, None),
    ],
)
def test_the_kind_decides(
    kind: ErrorKind, attempt: int, chance: float, delay: float | None
) -> None:
    assert Policy().delay(kind, attempt, 0.0, chance) == pytest.approx(delay)


def test_what_the_vendor_asks_for_is_honoured_within_the_budget() -> None:
    policy = Policy(budget=600)
    asked = policy.delay(ErrorKind.RATE_LIMITED, 1, 0.0, 0.5, retry_after=300)
    assert asked == pytest.approx(300, abs=0.1)
    assert asked is not None
    assert asked >= 300
    assert policy.delay(ErrorKind.RATE_LIMITED, 1, 400.0, 0.5, retry_after=300) is None
    assert policy.delay(ErrorKind.INVALID, 1, 0.0, 0.5, retry_after=1) is None


def test_a_policy_may_forbid_and_allow_kinds() -> None:
    policy = Policy(backoff={ErrorKind.TIMEOUT: Backoff.NEVER, ErrorKind.NOT_FOUND: Backoff.LINEAR})
    assert policy.delay(ErrorKind.TIMEOUT, 1, 0.0, 0.5) is None
    assert policy.delay(ErrorKind.NOT_FOUND, 1, 0.0, 0.0) == 1.0
    assert policy.delay(ErrorKind.UNAVAILABLE, 1, 0.0, 0.5) == 0.5


@given(
    kind=KINDS,
    attempt=st.integers(1, 10_000),
    elapsed=st.floats(0, 1e9),
    chance=CHANCES,
    retry_after=st.none() | st.floats(allow_nan=True, allow_infinity=True),
    initial=st.floats(1e-3, 1e3),
    factor=st.floats(1, 100),
)
def test_a_wait_is_finite_and_never_longer_than_allowed(
    kind: ErrorKind,
    attempt: int,
    elapsed: float,
    chance: float,
    retry_after: float | None,
    initial: float,
    factor: float,
) -> None:
    policy = Policy(
        max_retries=20_000,
        initial_delay=initial,
        max_delay=initial * 50,
        backoff_factor=factor,
        budget=1e6,
    )
    delay = policy.delay(kind, attempt, elapsed, chance, retry_after)
    if delay is None:
        return
    assert 0 <= delay <= policy.budget
    assert elapsed + delay <= policy.budget
    if retry_after is None or not math.isfinite(retry_after):
        assert delay <= policy.max_delay * (1 + 1e-9)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"in_flight": 0}, "positive"),
        ({"bytes": -1}, "positive"),
        ({"session_timeout": 3.0, "heartbeat": 1.0, "margin": 2.0}, "two heartbeats"),
    ],
)
def test_limits_that_make_no_sense_are_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Limits(**fields)
