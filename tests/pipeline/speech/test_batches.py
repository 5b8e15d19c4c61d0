"""Segments of like length share a batch, and none is lost."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.speech.batches import in_batches


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
