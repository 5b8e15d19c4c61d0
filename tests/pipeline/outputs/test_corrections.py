"""A corrected text keeps the times of its words, and entities stay on their words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.outputs.corrections import carry, on_one_line, retime
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces
from pipeline.tagging.entities import Span


def transcribed(text: str) -> Transcript:
    """Return a transcript whose words or characters take a second each, with a second between them."""
    units = transcript_from_pieces([Piece(text, 0, 0)], 0, "").words
    pieces = [
        Piece((" " if text[word.char_start - 1 : word.char_start] == " " else "") + word.text, 2.0 * i, 2.0 * i + 1)
        for i, word in enumerate(units)
    ]
    return transcript_from_pieces(pieces, 2.0 * len(units), "whisper")


@pytest.mark.parametrize(
    ("before", "after", "times"),
    [
        ("my name is Tonya", "My name is Tanya.", [(0, 1), (2, 3), (4, 5), (6, 7)]),
        ("in New Haven now", "in Newhaven now", [(0, 1), (2, 5), (6, 7)]),
        ("in Newhaven now", "in New Haven now", [(0, 1), (2, 2.375), (2.375, 3), (4, 5)]),
        ("come back", "come right back", [(0, 1), (1, 2), (2, 3)]),
        ("come right back", "come back", [(0, 1), (4, 5)]),
        ("王小明 好", "王曉明 很好", [(0, 1), (2, 3), (4, 5), (5, 6), (6, 7)]),
    ],
)
def test_words_that_stay_or_are_spelled_otherwise_keep_their_times(before, after, times):
    assert [(word.start_s, word.end_s) for word in retime(transcribed(before), after).words] == times


@pytest.mark.parametrize(
    ("before", "entity", "after", "expected"),
    [
        ("my name is Tonya.", "Tonya", "My name is Tanya!", "Tanya"),
        ("from New Haven today", "New Haven", "from Newhaven today", "Newhaven"),
        ("from Newhaven today", "Newhaven", "from New Haven today", "New Haven"),
        ("that is Lee's book", "Lee", "well, that is Leigh's book", "Leigh"),
        ("王小明說好", "小明", "王曉明說好的", "曉明"),
        ("see Lee", "Lee", "see", None),
        ("on May 5", "May 5", "on the May 5", "May 5"),
    ],
)
def test_an_entity_stays_on_its_words_or_goes_with_them(before, entity, after, expected):
    start = before.index(entity)
    span = carry(Span("PATIENT", start, start + len(entity)), before, after)
    assert (span and after[span.char_start : span.char_end]) == expected


TEXT = st.lists(st.sampled_from(["Lee", "Lee's", "on", "May", "5", "王", "小明", "好。", "a"]), max_size=9).map(
    " ".join
)


@settings(deadline=None)
@given(TEXT, TEXT)
def test_times_never_run_backwards_and_the_text_is_the_corrected_one(before, after):
    old = transcribed(before)
    new = retime(old, after)
    assert new.text == on_one_line(after)
    if old.words:
        assert "".join(word.text for word in new.words) == new.text.replace(" ", "")
    assert all(word.start_s <= word.end_s for word in new.words)
    assert [word.start_s for word in new.words] == sorted(word.start_s for word in new.words)
    assert retime(old, old.text) == old


@settings(deadline=None)
@given(TEXT, TEXT, st.integers(0, 20), st.integers(1, 6))
def test_a_carried_span_lies_in_the_corrected_text(before, after, start, length):
    if before[start : start + length].strip():
        span = carry(Span("DATE", start, min(start + length, len(before))), before, after)
        assert span is None or after[span.char_start : span.char_end].strip()
