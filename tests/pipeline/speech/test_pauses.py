"""A word has its time on one side of a pause, and speech that nothing was written of is noticed."""

import pytest

from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.pauses import out_of_pauses, unwritten
from pipeline.speech.voice import Segment
from pipeline.speech.words import Transcript, Word

SPEECH = [(0.5, 3.0), (5.0, 8.0), (8.1, 9.0)]


def transcript(*times: tuple[float, float]) -> Transcript:
    words = [Word("a", 2 * i, 2 * i + 1, start, end) for i, (start, end) in enumerate(times)]
    return Transcript(" ".join("a" * len(times)), words, "whisper")


@pytest.mark.parametrize(
    ("time", "becomes"),
    [
        ((2.9, 5.4), (5.0, 5.4)),  # given the pause before it
        ((2.5, 5.05), (2.5, 3.0)),  # given the pause behind it
        ((2.5, 4.0), (2.5, 4.0)),  # touches one stretch alone
        ((3.5, 4.0), (3.5, 4.0)),  # no voice was found here; nobody knows better
        ((7.8, 8.4), (7.8, 8.4)),  # too short for a pause
        ((2.0, 8.6), (5.0, 8.6)),
    ],
)
def test_a_word_over_a_pause_belongs_to_the_speech_behind_it_if_it_reaches_well_into_it(time, becomes):
    (word,) = out_of_pauses(transcript(time), SPEECH).words
    assert (word.start_s, word.end_s) == becomes


def test_words_stay_in_order_and_last_some_time():
    words = out_of_pauses(transcript((2.9, 5.4), (4.0, 4.5), (5.4, 5.6)), SPEECH).words
    assert [word.start_s for word in words] == [5.0, 5.0, 5.4] and all(word.start_s < word.end_s for word in words)


def test_two_seconds_of_speech_behind_the_last_word_are_missing():
    segment = Segment(10 * SAMPLE_RATE, 30 * SAMPLE_RATE)
    speech = [Segment(start * SAMPLE_RATE, end * SAMPLE_RATE) for start, end in ((10, 14), (16, 19), (28, 31))]
    assert unwritten(segment, transcript((0.0, 7.0)), speech) == Segment(17 * SAMPLE_RATE, 30 * SAMPLE_RATE)
    assert unwritten(segment, transcript((0.0, 5.0)), speech) == Segment(16 * SAMPLE_RATE, 30 * SAMPLE_RATE)
    assert unwritten(segment, transcript((0.0, 18.5)), speech) is None
    assert unwritten(segment, transcript(), speech) is None, "what is empty was not believed"
