"""When an entity is said: the whole of its words, or what is between its neighbours."""

import math

import pytest

from pipeline.outputs.entity_times import timed
from pipeline.speech.words import Transcript, Word
from pipeline.tagging.entities import Entity

TEXT = "I saw Nora Lee on May 5"


def transcript(*times: tuple[float, float]) -> Transcript:
    words, at = [], 0
    for word, (start_s, end_s) in zip(TEXT.split(), times, strict=False):
        words.append(Word(word, at, at + len(word), start_s, end_s))
        at += len(word) + 1
    return Transcript(TEXT, words, "whisper")


def entity(start_s: float | None, end_s: float | None, text: str = "Nora Lee") -> Entity:
    start = TEXT.index(text)
    return Entity("PATIENT", "names", text, start, start + len(text), 0.9, "adapter", start_s=start_s, end_s=end_s)


RIGHT = [(0.0, 0.4), (0.5, 0.9), (1.0, 1.4), (1.5, 1.9), (2.0, 2.4), (2.5, 2.9), (3.0, 3.4)]


@pytest.mark.parametrize(
    ("words", "own", "time", "is_widened"),
    [
        (RIGHT, (1.0, 1.9), (1.0, 1.9), False),
        (RIGHT, (None, None), (1.0, 1.9), False),
        (RIGHT, (1.4, 1.4), (1.0, 1.9), False),
        (RIGHT, (1.9, 1.0), (1.0, 1.9), False),
        (RIGHT, (math.nan, 2.0), (1.0, 1.9), False),
        (RIGHT, (1.2, 2.2), (1.0, 2.2), False),
        ([*RIGHT[:2], (0.2, 2.5), (0.5, 1.0), *RIGHT[4:]], (None, None), (0.2, 2.5), False),
        ([*RIGHT[:3], (1.5, 1.5), *RIGHT[4:]], (1.0, 1.5), (0.9, 2.0), True),
        ([*RIGHT[:2], (1.0, 1.0), (1.0, 1.0), *RIGHT[4:]], (None, None), (0.9, 2.0), True),
        ([*RIGHT[:2], (0.9, 0.9), (0.9, 0.9), (0.9, 0.9), *RIGHT[5:]], (None, None), (0.9, 0.92), True),
        (RIGHT[:2], (None, None), (0.9, 5.0), True),
        ([], (1.0, 1.5), (1.0, 1.5), False),
        (RIGHT, (1.0, math.inf), (1.0, 1.9), False),
    ],
)
def test_an_entity_lasts_as_long_as_its_words_or_as_the_time_between_their_neighbours(words, own, time, is_widened):
    made, widened = timed(entity(*own), transcript(*words), 5.0)
    assert (made.start_s, made.end_s) == pytest.approx(time) and widened == is_widened


@pytest.mark.parametrize(
    ("first", "text", "time", "is_widened"),
    [((0.0, 0.4), "I", (0.0, 0.4), False), ((0.3, 0.3), "I", (0.0, 0.5), True), ((0.0, 0.4), "5", (3.0, 3.4), False)],
)
def test_the_first_and_the_last_word_may_be_an_entity(first, text, time, is_widened):
    made, widened = timed(entity(None, None, text), transcript(first, *RIGHT[1:]), 5.0)
    assert (made.start_s, made.end_s) == pytest.approx(time) and widened == is_widened


@pytest.mark.parametrize(
    ("word_s", "time", "is_widened"), [(0.5, (1.0, 2.0), False), (0.0, (0.5, 2.0), True)], ids=["timed", "no length"]
)
def test_characters_beside_an_entity_are_its_neighbours_and_not_its_own(word_s, time, is_widened):
    text, starts = "找王明了嗎", (0.0, 1.0, 1.5, 2.0, 3.0)
    words = [Word(text[i], i, i + 1, starts[i], starts[i] + (word_s if i in (1, 2) else 0.5)) for i in range(5)]
    made, widened = timed(
        Entity("PATIENT", "names", "王明", 1, 3, 0.9, "adapter"), Transcript(text, words, "whisper"), 4.0
    )
    assert (made.start_s, made.end_s) == time and widened == is_widened


@pytest.mark.parametrize(
    ("made", "words", "reason"),
    [
        (entity(None, None), [], "no time"),
        (Entity("PATIENT", "names", "Nora", 5, 9, 0.9, "adapter", start_s=1.0, end_s=1.5), RIGHT, "no place"),
        (Entity("PATIENT", "names", "Nora", None, None, 0.9, "gold", start_s=1.0, end_s=1.5), RIGHT, "no place"),
        (Entity("PATIENT", "names", TEXT[6:], 6, None, 0.9, "gold", start_s=1.0, end_s=1.5), RIGHT, "no place"),
        (Entity("PATIENT", "names", "", 6, 6, 0.9, "gold", start_s=1.0, end_s=1.5), RIGHT, "no place"),
    ],
)
def test_what_has_neither_place_nor_time_is_an_error_without_its_text(made, words, reason):
    with pytest.raises(ValueError, match=rf"an entity \(PATIENT\) has {reason}") as error:
        timed(made, transcript(*words), 5.0)
    assert "Nora" not in str(error.value)
