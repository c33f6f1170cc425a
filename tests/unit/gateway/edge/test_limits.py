"""Rate limits and who a request is from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_gateway.edge.limits import Gcra, Networks, sender


def test_a_burst_at_once_and_then_the_rate() -> None:
    limit = Gcra(rate=10, burst=5)
    assert [limit.take("a", 100.0) for _ in range(5)] == [0.0] * 5
    assert limit.take("a", 100.0) == pytest.approx(0.1)
    assert limit.take("b", 100.0) == 0.0
    assert limit.take("a", 100.1) == 0.0
    assert limit.take("a", 100.1) == pytest.approx(0.1)
    assert limit.take("a", 200.0) == 0.0


@given(
    rate=st.floats(0.5, 1000),
    burst=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 0.5), min_size=1, max_size=200),
)
def test_no_stretch_of_time_sees_more_than_burst_and_rate_allow(
    rate: float, burst: int, gaps: list[float]
) -> None:
    limit, now, taken = Gcra(rate, burst), 0.0, list[float]()
    for gap in gaps:
        now += gap
        wait = limit.take("a", now)
        assert wait >= 0
        if wait == 0:
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            allowed = burst + (taken[last] - taken[first]) * rate
            assert last - first + 1 <= allowed + 1e-6 * allowed + 1e-6


@given(rate=st.floats(0.5, 1000), burst=st.integers(1, 20))
def test_who_waits_as_long_as_told_is_let_in(rate: float, burst: int) -> None:
    limit, now = Gcra(rate, burst), 50.0
    for _ in range(burst):
        assert limit.take("a", now) == 0
    wait = limit.take("a", now)
    assert wait > 0
    assert limit.take("a", now + wait + 1e-6) == 0


def test_what_is_whole_again_is_forgotten() -> None:
    limit = Gcra(rate=1, burst=2)
    for key in ("a", "b"):
        limit.take(key, 0.0)
        limit.take(key, 0.0)
    assert limit.exhausted(0.0) == 2
    assert limit.exhausted(1.5) == 0
    limit.forget(1.5)
    assert limit.exhausted(0.0) == 2, "half of it is still missing"
    limit.forget(10.0)
    assert limit.wait("a", 10.0) == 0
    assert limit.exhausted(0.0) == 0


TRUSTED = Networks(("10.0.0.0/8", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        ("203.0.113.1", "198.51.100.1", "203.0.113.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, nonsense", "10.0.0.1"),
        ("10.0.0.1", "nonsense, 10.0.0.9", "10.0.0.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("fd00::1", "[2001:db8::7]", "2001:db8::7"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
    ],
)
def test_a_forwarded_address_counts_only_as_far_as_proxies_are_trusted(
    peer: str, forwarded: str, source: str
) -> None:
    assert sender(peer, forwarded, TRUSTED) == source


def test_networks_know_mapped_addresses_and_refuse_what_is_none() -> None:
    networks = Networks(("192.0.2.0/24", "2001:db8::/32"))
    assert "192.0.2.9" in networks
    assert "::ffff:192.0.2.9" in networks
    assert "2001:db8::1" in networks
    assert "192.0.3.1" not in networks
    assert "nobody" not in networks
    assert not Networks(())
