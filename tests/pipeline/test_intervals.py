"""Stretches of time."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intervals import covered, iou, milliseconds, shared

INTERVALS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)).map(lambda t: (t[0], t[0] + t[1])), max_size=5)


def moments(intervals) -> set[int]:
    return {moment for start, end in intervals for moment in range(start, end)}


@settings(deadline=None, derandomize=True)
@given(INTERVALS, INTERVALS)
def test_covered_and_shared_time_are_those_of_sets_of_moments(first, second):
    assert covered(first) == len(moments(first))
    assert shared(first, second) == len(moments(first) & moments(second))


@settings(deadline=None, derandomize=True)
@given(INTERVALS, INTERVALS)
def test_iou_is_intersection_over_union_and_1_for_the_same_empty_interval(first, second):
    ious = iou(first, second)
    assert ious.shape == (len(first), len(second))
    for row, one in zip(ious, first, strict=True):
        for value, other in zip(row, second, strict=True):
            union = moments([one]) | moments([other])
            expected = Fraction(len(moments([one]) & moments([other])), len(union)) if union else int(one == other)
            assert value == float(expected)


def test_seconds_round_to_the_milliseconds_that_task_2_shows():
    for seconds in (0.0005, 0.0015, 1.0005, 28.534, 0.285, 1.2345, 59.9995):
        assert milliseconds(seconds) == int(f"{seconds:.3f}".replace(".", ""))
