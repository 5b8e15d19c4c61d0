"""Redacted transcripts: entities are gone, everything else stays, and words keep their times."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.outputs.text import merge, placeholder, redact
from pipeline.speech.words import Piece, transcript_from_pieces
from pipeline.tagging.entities import Span


def transcript(text: str):
    """Return a transcript whose words take a second each."""
    words = text.split(" ")
    return transcript_from_pieces([Piece(f" {w}", i, i + 1) for i, w in enumerate(words)], len(words), "whisper")


def test_placeholders_stand_where_entities_stood():
    redacted, spans = redact(
        transcript("Mr. Lee came on May 5."), [Span("DATE", 16, 21), Span("PATIENT", 4, 7)], placeholder
    )
    assert redacted.text == "Mr. [PATIENT] came on [DATE]."
    assert [(s.type, redacted.text[s.char_start : s.char_end]) for s in spans] == [
        ("PATIENT", "[PATIENT]"),
        ("DATE", "[DATE]"),
    ]
    assert [(w.text, w.start_s, w.end_s) for w in redacted.words][3:] == [("on", 3.0, 4.0), ("[DATE].", 4.0, 6.0)]


def test_chinese_without_spaces_keeps_its_other_characters():
    redacted, _ = redact(transcript("王小明說你好"), [Span("PATIENT", 0, 3)], placeholder)
    assert [word.text for word in redacted.words] == ["[PATIENT]", "說", "你", "好"]


def test_overlapping_entities_become_one_of_the_type_of_the_longest():
    assert merge([Span("CITY", 4, 9), Span("HOSPITAL", 0, 14), Span("AGE", 20, 22)]) == [
        Span("HOSPITAL", 0, 14),
        Span("AGE", 20, 22),
    ]
    assert merge([Span("DATE", 0, 3), Span("TIME", 2, 9), Span("SET", 8, 10)]) == [Span("TIME", 0, 10)]
    assert merge([Span("TIME", 2, 9), Span("DATE", 0, 7)]) == [Span("DATE", 0, 9)], "of equals the first"
    assert merge([Span("AGE", 0, 2), Span("DATE", 0, 9), Span("SET", 0, 9)]) == [Span("DATE", 0, 9)]


def test_entities_side_by_side_stay_two():
    assert merge([Span("DATE", 3, 5), Span("TIME", 0, 3)]) == [Span("TIME", 0, 3), Span("DATE", 3, 5)]
    redacted, _ = redact(transcript("王小明昨天來"), [Span("PATIENT", 0, 3), Span("DATE", 3, 5)], placeholder)
    assert [word.text for word in redacted.words] == ["[PATIENT]", "[DATE]", "來"]


def test_the_new_text_may_depend_on_the_old_and_the_recognizer_stays():
    redacted, _ = redact(transcript("Lee met Ann"), [Span("A", 0, 3), Span("B", 8, 11)], lambda type_, text: text[::-1])
    assert (redacted.text, redacted.recognizer) == ("eeL met nnA", "whisper")


TEXT = st.lists(st.text("Lee's,早安王 -", min_size=1, max_size=6).filter(str.strip), min_size=1, max_size=6).map(
    " ".join
)


@settings(deadline=None)
@given(
    TEXT, st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=4), st.sampled_from(["X", "[PATIENT]"])
)
def test_what_is_not_replaced_stays_and_every_character_belongs_to_one_word(text, places, replacement):
    before = transcript_from_pieces([Piece(text, 0, 10)], 10, "")
    spans = [
        Span("PATIENT", at, at + n)
        for at, n in places
        if before.text[at : at + n].strip() and at + n <= len(before.text)
    ]
    after, new = redact(before, spans, lambda type_, _: replacement)

    covered = {i for span in spans for i in range(span.char_start, span.char_end)}
    assert len(new) == len(merge(spans))
    rest = list(after.text)
    for span in reversed(new):
        assert after.text[span.char_start : span.char_end] == replacement
        del rest[span.char_start : span.char_end]
    assert "".join(rest) == "".join(c for i, c in enumerate(before.text) if i not in covered)

    owned = [i for word in after.words for i in range(word.char_start, word.char_end)]
    assert len(owned) == len(set(owned)) and all(after.text[w.char_start : w.char_end] == w.text for w in after.words)
    assert {i for i, c in enumerate(after.text) if not c.isspace()} <= set(owned)
    assert [w.start_s for w in after.words] == sorted(w.start_s for w in after.words)
