"""Stretches of time."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intervals import LONGEST_S, covered, iou, is_span, milliseconds, shared, union

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


def test_a_union_has_neither_empty_nor_touching_parts():
    assert union([(5, 7), (1, 3), (3, 4), (9, 9)]) == [(1, 4), (5, 7)]


def test_a_span_is_two_numbers_in_order_that_a_recording_can_have():
    assert is_span(0, 0) and is_span(1, LONGEST_S)
    assert not (is_span(-1, 1) or is_span(2, 1) or is_span(1, 2 * LONGEST_S) or is_span(float("nan"), 1))


def test_seconds_round_to_the_milliseconds_that_task_2_shows():
    for seconds in (0.0005, 0.0015, 1.0005, 28.534, 0.285, 1.2345, 59.9995):
        assert milliseconds(seconds) == int(f"{seconds:.3f}".replace(".", ""))
