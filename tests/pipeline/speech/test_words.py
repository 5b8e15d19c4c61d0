import itertools
import math
import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.speech.words import Piece, Transcript, mended_times, transcript_from_pieces


def words_of(*pieces, duration_s=10.0):
    return transcript_from_pieces([Piece(*piece) for piece in pieces], duration_s, "test").words


def test_no_pieces_make_an_empty_transcript():
    transcript = transcript_from_pieces([], 1.0, "test")
    assert (transcript.text, transcript.words, transcript.recognizer) == ("", [], "test")


def test_pieces_that_hold_only_space_make_an_empty_transcript():
    assert transcript_from_pieces([Piece(" ", 0, 1), Piece("\n", 1, 2)], 3.0, "test").text == ""


def test_pieces_bring_their_own_spaces():
    transcript = transcript_from_pieces([Piece(" my", 0, 1), Piece("self", 1, 2), Piece(" too", 2, 3)], 3.0, "test")
    assert transcript.text == "myself too"
    assert [(word.text, word.start_s, word.end_s) for word in transcript.words] == [("myself", 0, 2), ("too", 2, 3)]


def test_every_ideograph_is_a_word_and_latin_letters_beside_it_another():
    assert [word.text for word in words_of(("王先生 takes藥𠮷。", 0, 1))] == [
        "王",
        "先",
        "生",
        "takes",
        "藥",
        "𠮷",
        "。",
    ]


def test_time_runs_evenly_over_the_characters_of_a_piece():
    words = words_of((" 王 先生", 3, 6))
    assert [(word.start_s, word.end_s) for word in words] == [(3, 4), (4, 5), (5, 6)]


@pytest.mark.parametrize(
    "separator", ["\n", "\r\n", "\t", "\x00", "\x85", "\u2028", "\u2029", "\u00a0", "\u3000", "  "]
)
def test_control_characters_and_separators_become_one_space(separator):
    transcript = transcript_from_pieces([Piece(f"a{separator}", 0, 1), Piece(f"{separator}b", 1, 2)], 2.0, "test")
    assert transcript.text == "a b"
    assert transcript.text.splitlines() == ["a b"]


seconds = st.floats(-2, 12) | st.sampled_from([0.0, 10.0, math.nan])
pieces = st.lists(st.tuples(st.text("a王 b", max_size=4), seconds, seconds), max_size=12)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(pieces=pieces, duration_s=st.sampled_from([0.1, 3.0, 10.0]))
def test_every_word_takes_time_within_the_recording_and_none_starts_before_the_one_before(pieces, duration_s):
    words = words_of(*pieces, duration_s=duration_s)
    assert all(0 <= word.start_s < word.end_s <= duration_s for word in words)
    assert all(a.start_s <= b.start_s for a, b in itertools.pairwise(words))


@pytest.mark.parametrize(
    "wrong", [(9.0, 8.2), (9.0, 9.5), (-3.0, -5.0), (math.nan, 1.0)], ids=["backwards", "late", "before 0", "no number"]
)
@pytest.mark.parametrize("place", [0, 2, 5])
def test_a_wrong_time_moves_no_other_word(wrong, place):
    right = [(0.5 * number + 0.5, 0.5 * number + 0.9) for number in range(6)]
    given = [wrong if number == place else time for number, time in enumerate(right)]
    words = words_of(*((f" w{number}", *time) for number, time in enumerate(given)))
    for number, (word, time) in enumerate(zip(words, right, strict=True)):
        if number != place:
            assert (word.start_s, word.end_s) == pytest.approx(time, abs=0.001)


WRONG = (9.0, 8.0)


@pytest.mark.parametrize(
    ("times", "mended"),
    [
        ([(0.5, 1.0), WRONG, (1.5, 2.0)], [(0.5, 1.0), (1.0, 1.5), (1.5, 2.0)]),
        ([(0.5, 1.0), WRONG, (5.5, 6.0)], [(0.5, 1.0), (1.0, 2.0), (5.5, 6.0)]),
        ([WRONG, (5.5, 6.0)], [(4.5, 5.5), (5.5, 6.0)]),
        ([WRONG, (0.5, 6.0)], [(0.0, 0.5), (0.5, 6.0)]),
        ([(0.0, 1.0), (1.0, 2.0), WRONG, WRONG, (7.0, 8.0)], [(0, 1), (1, 2), (2.0, 3.0), (3.0, 4.0), (7.0, 8.0)]),
        ([(8.0, 9.5), WRONG], [(8.0, 9.5), (9.5, 10.0)]),
        ([(0.5, 0.9), (3.0, 3.0), (5.0, 6.0)], [(0.5, 0.9), (3.0, 3.0), (5.0, 6.0)]),
    ],
)
def test_a_wrong_time_becomes_one_between_its_neighbours_at_most_a_second_from_one_of_them(times, mended):
    assert mended_times(times, 10.0) == [pytest.approx(time) for time in mended]


def test_times_are_rounded_to_milliseconds():
    (word,) = words_of((" a", 0.12345, 1.23456))
    assert (word.start_s, word.end_s) == (0.123, 1.235)


def test_a_word_lasts_twenty_milliseconds_after_rounding_too():
    words = words_of((" May 5", 0.0, 0.014), (" Lee", 0.019, 0.026), duration_s=0.031)
    assert [(word.start_s, word.end_s) for word in words] == [(0.0, 0.02), (0.011, 0.031), (0.011, 0.031)]


def test_a_piece_with_a_wrong_end_does_not_push_the_words_behind_it():
    words = words_of(("王小明", 0.2, 9.5), (" is", 0.8, 1.0), (" here", 1.0, 1.4))
    assert [word.start_s for word in words] == [0.2, 0.8, 0.8, 0.8, 1.0]


def test_a_span_ends_with_the_latest_end_of_its_words():
    transcript = transcript_from_pieces([Piece("Mary", 0.2, 2.5), Piece(" Lee", 0.5, 1.0)], 3.0, "test")
    assert transcript.times(0, 8) == (0.2, 2.5) and transcript.times(5, 8) == (0.5, 1.0)
    assert Transcript.from_row(transcript.to_row()) == transcript


def test_a_span_is_said_in_its_own_words_alone():
    transcript = transcript_from_pieces([Piece("王小明 ", 0, 4)], 4.0, "test")
    assert transcript.times(1, 2) == pytest.approx((4 / 3, 8 / 3), abs=0.001)
    with pytest.raises(ValueError, match="no word has a character between 3 and 9"):
        transcript.times(3, 9)


def test_a_word_is_as_sure_as_its_least_sure_piece():
    words = words_of((" my", 0, 1, 0.9), ("self", 1, 2, 0.5), (" too", 2, 3))
    assert [word.confidence for word in words] == [0.5, None]


def test_every_character_that_is_not_a_space_is_in_exactly_one_word():
    random = np.random.default_rng(0)
    alphabet = list("ab,.'- 王醫師您好？，\n\u2028𠮷é①")
    for _ in range(50):
        pieces = [
            Piece("".join(random.choice(alphabet, random.integers(0, 6))), *sorted(random.uniform(0, 5, 2)))
            for _ in range(random.integers(0, 8))
        ]
        transcript = transcript_from_pieces(pieces, 5.0, "test")
        covered = [i for word in transcript.words for i in range(word.char_start, word.char_end)]
        assert covered == [i for i, character in enumerate(transcript.text) if character != " "]
        assert all(transcript.text[word.char_start : word.char_end] == word.text for word in transcript.words)
        assert transcript.text == transcript.text.strip()
        assert not re.search("  ", transcript.text)
        assert not any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in transcript.text)
