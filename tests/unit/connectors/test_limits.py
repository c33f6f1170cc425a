"""Limiter and breaker, by a clock that the test turns."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackfield_common.connector.limits import HeaderBudget, SlidingWindow
from jackfield_common.errors import ErrorKind, Failure
from jackfield_connectors.engine.breaker import FAILURES_TO_OPEN, OPEN_SECONDS, Breaker
from jackfield_connectors.engine.limiter import MAX_WAIT, Limiter
from jackfield_connectors.engine.transport import Answer


class Hands:
    """A clock; sleeping turns it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Turn the clock instead of waiting."""
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def hands() -> Hands:
    return Hands()


def budget_answer(remaining: int, resets_at: float, **headers: str) -> Answer:
    return Answer(
        200,
        {"x-left": str(remaining), "x-reset": str(resets_at)}
        | {name.replace("_", "-"): value for name, value in headers.items()},
        b"",
    )


async def test_a_window_is_never_exceeded(hands: Hands) -> None:
    window = Limiter((SlidingWindow(calls=3, seconds=1.5),), hands, hands.sleep)
    times: list[float] = []
    for _ in range(12):
        await window.admit()
        times.append(hands.now)
    assert all(later - earlier >= 1.5 for earlier, later in zip(times, times[3:], strict=False))
    assert times[-1] - times[0] == pytest.approx(4.5)


async def test_a_long_wait_is_left_to_the_lane(hands: Hands) -> None:
    window = Limiter((SlidingWindow(calls=1, seconds=60),), hands, hands.sleep)
    await window.admit()
    with pytest.raises(Failure) as refused:
        await window.admit()
    assert refused.value.kind is ErrorKind.RATE_LIMITED
    assert refused.value.retry_after == pytest.approx(60)
    # what was refused has reserved nothing
    hands.now += 60
    await window.admit()


async def test_a_spent_budget_refills_by_the_vendor_s_own_clock(hands: Hands) -> None:
    budget = Limiter((HeaderBudget(remaining="X-Left", resets_at="X-Reset"),), hands, hands.sleep)
    await budget.admit()
    # the vendor's clock says 12:00:00, and the budget refills 30 s later
    date = "Wed, 21 Oct 2015 12:00:00 GMT"
    noon = 1445428800.0
    budget.learn(budget_answer(0, noon + 30, date=date))
    with pytest.raises(Failure) as refused:
        await budget.admit()
    assert refused.value.retry_after == pytest.approx(30)
    hands.now += 30
    await budget.admit()


async def test_the_last_call_of_a_budget_is_given_once(hands: Hands) -> None:
    budget = Limiter(
        (HeaderBudget(remaining="X-Left", resets_at="X-Reset", relative=True),), hands, hands.sleep
    )
    budget.learn(budget_answer(1, 100))
    await budget.admit()
    with pytest.raises(Failure) as held:
        await budget.admit()
    assert held.value.kind is ErrorKind.RATE_LIMITED


async def test_what_is_under_way_counts_against_the_budget(hands: Hands) -> None:
    budget = Limiter(
        (HeaderBudget(remaining="X-Left", resets_at="X-Reset", relative=True),), hands, hands.sleep
    )
    budget.learn(budget_answer(0, 100))
    hands.now += 50
    with pytest.raises(Failure):
        await budget.admit()
    budget.learn(budget_answer(2, 100))
    await budget.admit()
    await budget.admit()
    with pytest.raises(Failure):
        await budget.admit()


async def test_a_call_that_waits_for_the_refill_does_not_let_the_next_one_pass(
    hands: Hands,
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)  # the clock stands still: both ask before the refill

    budget = Limiter(
        (HeaderBudget(remaining="X-Left", resets_at="X-Reset", relative=True),), hands, sleep
    )
    budget.learn(budget_answer(0, 1))
    await budget.admit()
    await budget.admit()
    assert waits == [1.0, 1.0]


async def test_a_refusal_for_the_rate_holds_everything_back(hands: Hands) -> None:
    free = Limiter((), hands, hands.sleep)
    free.refused(30)
    with pytest.raises(Failure) as refused:
        await free.admit()
    assert refused.value.retry_after == pytest.approx(30)
    free.refused(None)
    hands.now += 30
    await free.admit()


async def refusal(window: Limiter) -> float | None:
    """In how many seconds a refused call may come again; None when it was admitted."""
    try:
        await window.admit()
    except Failure as refused:
        return refused.retry_after
    return None


@settings(max_examples=60, deadline=None)
@given(
    calls=st.integers(1, 5),
    seconds=st.floats(0.1, 5),
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=30),
)
def test_no_sequence_of_calls_exceeds_a_window(
    calls: int, seconds: float, pauses: list[float]
) -> None:
    hands = Hands()

    async def run() -> None:
        window = Limiter((SlidingWindow(calls=calls, seconds=seconds),), hands, hands.sleep)
        times: list[float] = []
        for pause in pauses:
            hands.now += pause
            refused = await refusal(window)
            if refused is None:
                times.append(hands.now)
            else:
                assert refused > MAX_WAIT
        for earlier, later in zip(times, times[calls:], strict=False):
            assert later - earlier >= seconds - 1e-6

    asyncio.run(run())


def fail(breaker: Breaker, times: int, kind: ErrorKind = ErrorKind.UNAVAILABLE) -> None:
    for _ in range(times):
        breaker.admit()
        breaker.record(kind)


def test_a_vendor_that_keeps_failing_is_left_alone_and_probed() -> None:
    hands = Hands()
    breaker = Breaker(hands)
    fail(breaker, FAILURES_TO_OPEN)
    assert breaker.is_open
    with pytest.raises(Failure) as refused:
        breaker.admit()
    assert refused.value.kind is ErrorKind.UNAVAILABLE
    assert refused.value.retry_after == pytest.approx(OPEN_SECONDS)
    hands.now += OPEN_SECONDS
    breaker.admit()  # the probe
    with pytest.raises(Failure):
        breaker.admit()  # only one
    breaker.record(None)
    breaker.admit()
    breaker.admit()


def test_a_failed_probe_doubles_the_pause() -> None:
    hands = Hands()
    breaker = Breaker(hands)
    fail(breaker, FAILURES_TO_OPEN)
    hands.now += OPEN_SECONDS
    fail(breaker, 1)
    hands.now += OPEN_SECONDS
    with pytest.raises(Failure):
        breaker.admit()
    hands.now += OPEN_SECONDS
    breaker.admit()


def test_calls_under_way_when_it_opens_do_not_lengthen_the_pause() -> None:
    hands = Hands()
    breaker = Breaker(hands)
    for _ in range(FAILURES_TO_OPEN + 8):
        breaker.admit()
    for _ in range(FAILURES_TO_OPEN + 8):
        breaker.record(ErrorKind.UNAVAILABLE)
    hands.now += OPEN_SECONDS
    assert not breaker.is_open
    breaker.admit()


def test_a_probe_that_was_cancelled_lets_the_next_one_through() -> None:
    hands = Hands()
    breaker = Breaker(hands)
    fail(breaker, FAILURES_TO_OPEN)
    hands.now += OPEN_SECONDS
    breaker.admit()
    breaker.abandon()
    breaker.admit()


@pytest.mark.parametrize(
    "kind", [ErrorKind.INVALID, ErrorKind.AUTH, ErrorKind.NOT_FOUND, ErrorKind.RATE_LIMITED]
)
def test_failures_of_the_request_do_not_open_it(kind: ErrorKind) -> None:
    breaker = Breaker(Hands())
    fail(breaker, 3 * FAILURES_TO_OPEN, kind)
    breaker.admit()
