import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_common.lanes.watermark import Watermark


@st.composite
def logs(draw: st.DrawFn) -> tuple[int, list[int]]:
    """A first offset, and the ascending offsets read after it, with gaps as transactions leave them."""
    start = draw(st.integers(0, 1_000))
    gaps = draw(st.lists(st.integers(1, 4), max_size=60))
    offsets: list[int] = []
    at = start - 1
    for gap in gaps:
        at += gap
        offsets.append(at)
    return start, offsets


@given(log=logs(), data=st.data())
def test_the_position_is_the_oldest_that_is_not_done(
    log: tuple[int, list[int]], data: st.DataObject
) -> None:
    start, offsets = log
    watermark = Watermark(start)
    outstanding: list[int] = []
    unread = list(offsets)
    highest = start
    while unread or outstanding:
        if unread and (not outstanding or data.draw(st.booleans())):
            offset = unread.pop(0)
            watermark.enter(offset)
            outstanding.append(offset)
        else:
            offset = data.draw(st.sampled_from(outstanding))
            outstanding.remove(offset)
            watermark.done(offset)
        read = offsets[: len(offsets) - len(unread)]
        after = read[-1] + 1 if read else start
        assert watermark.position == min(outstanding, default=after)
        assert watermark.position >= highest, "the watermark went back"
        assert len(watermark) == len(outstanding)
        highest = watermark.position
    assert watermark.position == watermark.next


def test_an_offset_that_is_not_newer_is_refused() -> None:
    watermark = Watermark(10)
    watermark.enter(10)
    for offset in (9, 10):
        with pytest.raises(ValueError, match="was read after 10"):
            watermark.enter(offset)


def test_markers_are_passed_over_and_never_back() -> None:
    watermark = Watermark(5)
    watermark.enter(5)
    watermark.pass_over(9)
    assert watermark.position == 5
    watermark.done(5)
    assert watermark.position == 9
    watermark.pass_over(3)
    assert watermark.position == 9


def test_memory_is_taken_by_what_is_outstanding_however_far_it_falls_behind() -> None:
    watermark = Watermark(0)
    watermark.enter(0)
    for offset in range(1, 100_000):
        watermark.enter(offset)
        watermark.done(offset)
    assert len(watermark) == 1
    assert watermark.position == 0
    watermark.done(0)
    assert watermark.position == 100_000
