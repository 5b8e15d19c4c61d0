"""Stretches of speech become segments: each in one language, as many stretches as the window holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.segments import put_together, spoken_languages, within
from pipeline.speech.voice import WINDOW_S, Segment


def stretches(*seconds: tuple[float, float]) -> list[Segment]:
    return [Segment(int(start * SAMPLE_RATE), int(end * SAMPLE_RATE)) for start, end in seconds]


def test_neighbours_in_one_language_go_together_up_to_the_window():
    speech = stretches((0, 12), (13, 20), (21, 29.5), (30, 42), (70, 71))
    segments, english = put_together(speech, [0.1, 0.0, 0.0, 0.0, 0.0])
    assert segments == stretches((0, 29.5), (30, 42), (70, 71))
    assert english == pytest.approx([0.1 * 12 / 27.5, 0.0, 0.0]), "the mean over their time"


@pytest.mark.parametrize(
    ("segment", "found"),
    [
        ((4, 9), (1, 3)),
        ((3, 4), (0, 0)),
        ((0, 20), (0, 4)),
        ((7, 7.5), (1, 2)),
        ((2.5, 4.5), (0, 2)),
        ((15, 20), (0, 0)),
    ],
)
def test_the_speech_of_a_segment_is_what_overlaps_it(segment, found):
    speech = stretches((0, 3), (4, 7.5), (8, 11), (12, 15))
    assert within(*stretches(segment), speech) == speech[slice(*found)]


def test_a_change_of_the_language_ends_a_segment():
    speech = stretches((0, 3), (4, 7), (8, 11), (12, 15))
    assert put_together(speech, [0.99, 0.95, 0.01, 0.02])[0] == stretches((0, 7), (8, 15))


@pytest.mark.parametrize(
    ("english", "spoken"),
    [
        ([0.9, 0.3, 0.9], [True, True, True]),
        ([0.9, 0.01, 0.9], [True, False, True]),
        ([0.1, 0.8, 0.2], [False, False, False]),
        ([0.9, 0.9, 0.2, 0.1], [True, True, False, False]),
        ([0.5, 0.5], [False, False]),
        ([0.99], [True]),
        ([], []),
    ],
)
def test_a_single_doubtful_stretch_goes_with_its_neighbours_and_a_sure_one_does_not(english, spoken):
    assert spoken_languages(english) == spoken


@given(st.lists(st.tuples(st.floats(0.1, 30), st.floats(0, 5), st.floats(0, 1)), max_size=20))
def test_every_stretch_is_in_one_segment_and_no_segment_is_longer_than_the_window(parts):
    speech, at = [], 0
    for length_s, pause_s, _ in parts:
        start = at + int(pause_s * SAMPLE_RATE)
        at = start + int(length_s * SAMPLE_RATE)
        speech.append(Segment(start, at))
    segments, english = put_together(speech, [probability for _, _, probability in parts])
    assert all(sum(a.start <= each.start and each.end <= a.end for a in segments) == 1 for each in speech)
    assert all(segment.end - segment.start <= WINDOW_S * SAMPLE_RATE for segment in segments)
    assert all(0 <= probability <= 1 for probability in english)
