"""Segments of like length share a batch, recordings share one as they come, and none is lost."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.speech.batches import SECONDS_AT_ONCE, in_batches, in_order


def test_a_batch_counts_each_segment_as_long_as_the_longest():
    assert list(in_batches([1.0, 9.0, 2.0, 8.0], 18.0)) == [[1, 3], [2, 0]]
    assert list(in_batches([1.0, 9.0, 2.0, 8.0], 60.0, 30.0)) == [[1, 3], [2, 0]]
    assert list(in_batches([5.0, 5.0], 0.0)) == [[0], [1]], "a batch holds at least one"
    assert list(in_batches([], 10.0)) == []


@given(st.lists(st.floats(0.1, 30.0), max_size=40), st.floats(0.0, 500.0), st.floats(0.0, 30.0))
def test_each_segment_is_in_one_batch_and_no_batch_is_too_long(durations_s, most, window_s):
    batches = list(in_batches(durations_s, most, window_s))
    assert sorted(place for batch in batches for place in batch) == list(range(len(durations_s)))
    for batch in batches:
        longest = max(window_s, *(durations_s[place] for place in batch))
        assert len(batch) == 1 or len(batch) * longest <= most


@given(st.lists(st.floats(0.0, 4_000.0), max_size=40), st.integers(1, 8))
def test_recordings_travel_in_order_and_a_long_one_alone(durations_s, most):
    batches = list(in_order(durations_s, most))
    assert [place for batch in batches for place in batch] == list(range(len(durations_s)))
    for batch in batches:
        assert len(batch) <= most
        assert len(batch) == 1 or sum(durations_s[place] for place in batch) <= SECONDS_AT_ONCE
