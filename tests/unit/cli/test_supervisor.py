from hypothesis import given
from hypothesis import strategies as st

from jackfield_cli.local.supervisor import Backoff


@given(st.integers(min_value=1, max_value=100_000))
def test_a_delay_never_shrinks_and_is_bounded(deaths: int) -> None:
    backoff = Backoff()
    assert backoff.delay(deaths) <= backoff.delay(deaths + 1) <= backoff.longest_seconds


def test_a_delay_doubles() -> None:
    backoff = Backoff(first_seconds=0.5, longest_seconds=30)
    delays = [backoff.delay(deaths) for deaths in range(1, 9)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30]
