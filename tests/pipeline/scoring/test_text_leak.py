"""What still stands in redacted transcripts, worked out by hand."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import tables
from pipeline.scoring.entities import timed
from pipeline.scoring.text_leak import redacted, scores

SAID = "may I call Nora Smith in May, she is 42"
PATIENT, DATE, AGE = ("PATIENT", "Nora Smith"), ("DATE", "May"), ("AGE", "42")


def row(kind: str, text: str, span: tuple[int, int] | None = None, **changed: Any) -> dict[str, Any]:
    found = {"recording_id": "1", "type": kind, "group": "", "text": text, "start_s": 0.0, "end_s": 1.0}
    start, end = span or (None, None)
    return found | {"char_start": start, "char_end": end, "source": "adapter", "kept": True} | changed


def placed(kind: str, text: str, heard: str = SAID, **changed: Any) -> dict[str, Any]:
    start = heard.rindex(text)
    return row(kind, text, (start, start + len(text)), **changed)


def left(reference, found, said=SAID, heard=SAID) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return entities left and all entities, words left and all words."""
    wanted = timed(tables.from_rows([row(*each) for each in reference], tables.ENTITIES))
    texts = [{} if text is None else {"1": text} for text in (said, heard)]
    counts = scores(["1", "2"], wanted, *texts, tables.from_rows(found, tables.ENTITIES))
    entities, words = ((counts[name]["count"], counts[name]["total"]) for name in ("entities", "words"))
    return entities, words


ALL = [PATIENT, DATE, AGE]


@pytest.mark.parametrize(
    ("found", "entities", "words"),
    [
        ([], 3, 3),
        ([PATIENT], 2, 1),
        ([DATE, AGE], 1, 2),
        ([PATIENT, DATE, AGE], 0, 0),
        ([("DOCTOR", "Nora"), DATE, AGE], 0, 1),
        ([("DOCTOR", "call Nora Smith in"), DATE, AGE], 0, 0),
    ],
    ids=["nothing", "a name", "not the name", "all", "half a name", "more than a name"],
)
def test_what_is_not_redacted_is_left_whatever_its_type(found, entities, words):
    assert left(ALL, [placed(*each) for each in found]) == ((entities, 3), (words, 3))


def test_a_span_is_redacted_in_its_place_and_a_text_without_one_wherever_it_occurs():
    heard = "Nora saw Nora"
    assert redacted(heard, [row("PATIENT", "Nora", (9, 13))]) == " nora  saw |"
    assert redacted(heard, [row("PATIENT", "Nora")]) == "| saw |"
    both = [("PATIENT", "Nora")] * 2
    assert left(both, [row("PATIENT", "Nora", (9, 13))], heard, heard) == ((1, 2), (1, 2))
    assert left(both, [row("PATIENT", "NORA!")], heard, heard) == ((0, 2), (0, 2))


def test_texts_are_redacted_as_whole_words_also_where_they_overlap():
    assert redacted("Ann met Anna Ann", [row("PATIENT", "Ann")]) == "| met  anna |"
    assert redacted("May 3 2020", [row("DATE", "May 3"), row("DATE", "3 2020")]) == "|"
    assert redacted("Nora Smith and Nora", [row("PATIENT", "Nora"), row("PATIENT", "Nora Smith")]) == "| and |"
    assert redacted("May", [row("DATE", "…"), row("DATE", "")]) == " may "


def test_overlapping_spans_are_redacted_together():
    assert redacted("a b c d", [row("DATE", "b c", (2, 5)), row("DATE", "c d", (4, 7))]) == " a |"


def test_what_stands_on_both_sides_of_a_redaction_is_not_joined():
    heard = "Nora May Smith"
    assert left([PATIENT], [row("DATE", "May", (5, 8))], None, heard) == ((0, 1), (2, 2))


def test_entities_that_were_dropped_redact_nothing():
    assert left([PATIENT], [placed(*PATIENT, kept=False)]) == ((1, 1), (2, 2))


def test_texts_are_compared_as_the_scores_normalise_them():
    assert left([("HOSPITAL", "臺大 醫院")], [], None, "我在台大醫院。") == ((1, 1), (4, 4))
    assert left([PATIENT], [], None, "nora, SMITH") == ((1, 1), (2, 2))
    assert left([("PATIENT", "Nora")], [], None, "Nora’s") == ((1, 1), (1, 1))
    assert left([("PATIENT", "…"), ("DATE", "")], [], None, "…") == ((0, 0), (0, 0))


def test_numbers_are_no_words_but_may_be_entities():
    assert left([AGE, ("DATE", "May 3")], [], None, "42, 3 May 3") == ((2, 2), (1, 1))


def test_what_is_not_in_the_transcript_does_not_leak():
    assert left([PATIENT], [], heard="nor a smile") == ((0, 1), (0, 2))
    assert left([PATIENT], [], heard=None) == ((0, 1), (0, 2))


def test_a_common_word_is_left_only_beyond_how_often_it_is_said_beside_the_entities():
    assert left([DATE], [placed(*DATE)]) == ((0, 1), (0, 1)), "the other one is no month"
    assert left([DATE], []) == ((1, 1), (1, 1))
    assert left([DATE], [placed(*DATE)], said=None) == ((1, 1), (1, 1)), "without a reference transcript who can tell"


def test_a_transcript_that_is_missing_holds_no_word():
    nothing = tables.ENTITIES.empty_table()
    wanted = timed(tables.from_rows([row("PATIENT", "xxxx")], tables.ENTITIES))
    assert scores(["1"], wanted, {}, {}, nothing)["words"]["count"] == 0, "nothing is left in what was not heard"
    assert scores(["1"], wanted, {}, {"1": "xxxx"}, nothing)["words"]["count"] == 1, "nothing is said beside the entity"


def test_a_word_of_two_entities_counts_in_both():
    said = "Nora, Nora Smith"
    wanted = [("PATIENT", "Nora"), PATIENT]
    assert left(wanted, [row("PATIENT", "Nora", (0, 4))], said, said) == ((2, 2), (2, 3))
    assert left(wanted, [row("PATIENT", "Nora Smith", (6, 16))], said, said) == ((1, 2), (1, 3))


def test_without_entities_there_is_no_share_and_with_them_an_interval():
    nothing = tables.ENTITIES.empty_table()
    none = {"count": 0, "total": 0, "share": None, "interval": None}
    for recordings in ([], ["1"]):
        assert scores(recordings, {}, {}, {"1": SAID}, nothing) == {"entities": none, "words": none}
    wanted = timed(tables.from_rows([row(*PATIENT)], tables.ENTITIES))
    found = scores(["1"], wanted, {}, {"1": SAID}, nothing)
    assert found["words"] == {"count": 2, "total": 2, "share": 1.0, "interval": [1.0, 1.0]}


WORDS = ["may", "Nora", "Smith", "42", "臺"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
FOUND = st.lists(st.sampled_from([*WORDS, "Nora Smith", "may Nora"]), max_size=4)


@settings(max_examples=40)
@given(TEXTS, TEXTS, FOUND, FOUND, FOUND)
def test_redacting_more_never_leaves_more_and_never_more_than_there_is(said, heard, reference, found, more):
    wanted = [("PATIENT", text) for text in reference]
    few, many = ([row("PATIENT", text) for text in texts] for texts in (found, found + more))
    for before, after in zip(left(wanted, few, said, heard), left(wanted, many, said, heard), strict=True):
        assert 0 <= after[0] <= before[0] <= before[1] == after[1]
