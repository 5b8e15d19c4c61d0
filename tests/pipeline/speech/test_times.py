import pytest

from pipeline.speech.words import Transcript, Word

WORDS = [
    Word("now", 0, 3, 0.0, 0.4),
    Word("know", 4, 8, 0.5, 0.9),
    Word("now,", 9, 13, 1.0, 1.5),
    Word("壓", 13, 14, 1.5, 1.7),
    Word("力", 14, 15, 1.7, 2.0),
]


@pytest.mark.parametrize(
    ("start", "end", "times"),
    [
        (0, 3, (0.0, 0.4)),
        (9, 12, (1.0, 1.5)),  # the second "now", not the first and not the one in "know"
        (5, 8, (0.5, 0.9)),  # a span inside a word has the word's time
        (4, 14, (0.5, 1.7)),
        (14, 15, (1.7, 2.0)),
        (3, 5, (0.5, 0.9)),
    ],
)
def test_times_come_from_the_words_that_hold_the_ends(start: int, end: int, times: tuple[float, float]):
    assert Transcript("", WORDS).times(start, end) == times


@pytest.mark.parametrize(("start", "end"), [(3, 4), (15, 20), (5, 5)])
def test_a_span_without_a_word_is_refused(start: int, end: int):
    with pytest.raises(ValueError, match="no word"):
        Transcript("", WORDS).times(start, end)
