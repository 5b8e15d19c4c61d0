"""Which recordings of a run can be redacted, with what, and why others are withheld."""

import pytest

from pipeline import tables
from pipeline.outputs import redactable
from pipeline.outputs.text import whole_words
from pipeline.speech.words import Piece, transcript_from_pieces
from pipeline.tagging.entities import Span

TEXT = "Nora Lee saw Nora and Lee"
SAID = transcript_from_pieces([Piece(f" {word}", n, n + 0.5) for n, word in enumerate(TEXT.split())], 9, "whisper")


def row(recording_id: str, text: str, start: int | None, **values) -> dict:
    end = None if start is None else start + len(text)
    about = {"recording_id": recording_id, "type": "PATIENT", "group": "names", "text": text, "source": "adapter"}
    return about | {"char_start": start, "char_end": end, "kept": True} | values


def run(*entities: dict, recordings: tuple[dict, ...] = ()) -> dict:
    of = [{"recording_id": i, "path": f"/data/{i}.wav", "duration_s": 9.0} for i in ("2", "10")]
    rows = {
        "recordings": [*of, *recordings],
        "transcripts": [{"recording_id": i} | SAID.to_row() for i in ("2", "10", "a/b", "no path", "no length", "?")],
        "entities": entities,
        "failures": [],
    }
    return {name: tables.from_rows(some, tables.SCHEMAS[name]) for name, some in rows.items()}


def spans(made: dict) -> dict[str, list[str]]:
    chosen, _ = redactable.choose(made, redactable.found_entities(made["entities"]))
    return {each.recording_id: [TEXT[s.char_start : s.char_end] for s in each.spans] for each in chosen}


def test_what_is_kept_or_had_lost_an_overlap_is_redacted_with_its_other_mentions():
    lost = {"kept": False, "cause": "overlap"}
    made = run(row("10", "Nora Lee", 0), row("2", "Nora", 0, **lost), row("2", "saw", 9, kept=False, cause="rule"))
    assert spans(made) == {"2": ["Nora", "Nora"], "10": ["Nora Lee", "Nora", "Lee"]}


def test_what_a_person_rejected_is_no_mention_of_another():
    rejected = row("2", "Nora", 13, kept=False, cause="review")
    unplaced = row("2", "Nora", None, kept=False, cause="review")
    assert spans(run(row("2", "Nora Lee", 0), rejected, unplaced))["2"] == ["Nora Lee", "Lee"]
    assert spans(run(row("2", "Nora Lee", 0), rejected | {"recording_id": "10"}))["2"] == ["Nora Lee", "Nora", "Lee"]


@pytest.mark.parametrize("start", [22, 5], ids=["an entity", "a mention"])
def test_words_without_a_length_are_widened_up_to_the_end_of_the_recording(start):
    made = run(row("2", "Lee", start))
    words = [
        word | {"start_s": 5.0, "end_s": 5.0} if word["char_start"] == 22 else word for word in SAID.to_row()["words"]
    ]
    made["transcripts"] = tables.from_rows(
        [{"recording_id": "2"} | SAID.to_row() | {"words": words}], tables.TRANSCRIPTS
    )
    (chosen,), _ = redactable.choose(made, redactable.found_entities(made["entities"]))
    (widened,) = chosen.widened
    assert (widened.char_start, widened.start_s, widened.end_s) == (22, 4.5, 9.0)


def test_what_is_withheld_says_why():
    others = ({"recording_id": "no path", "duration_s": 1.0}, {"recording_id": "no length", "path": "/data/x.wav"})
    made = run(row("2", "Nora", 3), row("gone", "Nora", 0), recordings=others)
    _, withheld = redactable.choose(made, redactable.found_entities(made["entities"]))
    assert withheld == {
        "2": "an entity (PATIENT) has no place in the transcript",
        "a/b": "its id cannot be the name of a file",
        "gone": "the run has no transcript of it",
        **dict.fromkeys(("?", "no length", "no path"), "the run does not know its audio"),
    }


@pytest.mark.parametrize(
    ("text", "start", "end", "whole"),
    [
        ("Norah", 0, 3, "Norah"),
        ("Norah", 1, 2, "Norah"),
        ("is Norah in", 5, 7, "Norah"),
        ("Norah, 42b", 9, 10, "42b"),
        ("see Norah", 4, 8, "Norah"),
        ("王小明", 1, 2, "小"),
        ("Dr王", 1, 2, "Dr"),
        ("a-b_c", 0, 1, "a"),
        ("no rah", 2, 3, " "),
    ],
)
def test_a_span_is_extended_to_whole_words_of_latin_script_or_digits(text, start, end, whole):
    found = whole_words(text, Span("PATIENT", start, end))
    assert (found.type, text[found.char_start : found.char_end]) == ("PATIENT", whole)
