"""A review: what it makes of a run, and corrections files that cannot be taken."""

import json
import re
from pathlib import Path

import pytest

from pipeline import tables
from pipeline.errors import UserError
from pipeline.outputs import review, review_import
from pipeline.outputs.redactable import found_entities
from pipeline.speech.words import Piece, transcript_from_pieces
from tests.canary import everything_of

TEXT = "Ann Lee 👩‍⚕️ met Bob on May 5"
SAID = transcript_from_pieces([Piece(f" {word}", n, n + 0.5) for n, word in enumerate(TEXT.split(" "))], 9, "whisper")


def row(type_: str, said: str, **values) -> dict:
    start = TEXT.index(said)
    place = {"char_start": start, "char_end": start + len(said)}
    about = {"recording_id": "1", "group": "names", "text": said, "confidence": 0.9, "source": "adapter", "kept": True}
    return {"type": type_, "start_s": 1.0, "end_s": 2.0} | about | place | values


ENTITIES = [
    row("PATIENT", "Ann Lee"),
    row("FAMILYNAME", "Lee", kept=False, cause="overlap"),
    row("DOCTOR", "Bob", kept=False, cause="threshold"),
    row("DATE", "May 5"),
    row("PHONE", "Bob", text="unplaced", char_start=None, char_end=None),
]


@pytest.fixture
def run() -> dict:
    of = {name: {"recording_id": name} for name in ("1", "2")}
    rows = {
        "recordings": [of[i] | {"path": f"/data/{i}.wav", "duration_s": 9.0, "sample_rate": 8000} for i in of],
        "transcripts": [of["1"] | SAID.to_row(), of["2"] | SAID.to_row()],
        "entities": [*ENTITIES, row("CITY", "May", recording_id="2")],
        "failures": [],
    }
    return {name: tables.from_rows(some, tables.SCHEMAS[name]) for name, some in rows.items()}


def with_entities(run: dict, *rows: dict) -> dict:
    return run | {"entities": tables.from_rows(rows, tables.ENTITIES)}


def on(entity: int, decision: str, type_: str | None = None, text: str = "") -> dict:
    made = {"entity": entity, "decision": decision}
    return made | ({"type": type_} if type_ else {}) | (place(text) if text else {})


def add(type_: str, text: str) -> dict:
    return {"decision": "add", "type": type_} | place(text)


def place(text: str) -> dict:
    return {"char_start": TEXT.index(text), "char_end": TEXT.index(text) + len(text)}


def file_of(run: dict, *decisions: object, checked: object = True) -> dict:
    return {
        "corrections_of": review.digest(run),
        "recordings": {"1": {"checked": checked, "entities": list(decisions)}},
    }


def read(run: dict, folder: Path, content: object) -> review.Corrections:
    path = folder / "corrections.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return review_import.read(str(path), run)


def corrected(run: dict, folder: Path, *decisions: dict) -> list[dict]:
    return review.corrected(run, read(run, folder, file_of(run, *decisions)))["entities"].to_pylist()


def kept(rows: list[dict]) -> list[tuple[str, str]]:
    return [(row["type"], row["text"]) for row in rows if row["kept"] and row["recording_id"] == "1"]


# What a review makes of a run


def test_what_is_accepted_is_kept_and_what_is_rejected_is_not(run, tmp_path):
    rows = corrected(run, tmp_path, on(2, "accept"), on(3, "reject"))
    assert rows[2] == ENTITIES[2] | {"kept": True, "cause": None, "match": None}
    assert rows[3] == ENTITIES[3] | {"kept": False, "cause": "review", "match": None}


def test_what_is_changed_or_added_has_the_text_and_the_time_of_its_words(run, tmp_path):
    rows = corrected(run, tmp_path, on(0, "change", "DOCTOR", "Lee"), add("PERSONALNAME", "Bob"))
    changed, added = rows[0], next(row for row in rows if row["type"] == "PERSONALNAME")
    assert (changed["type"], changed["text"], changed["start_s"], changed["end_s"]) == ("DOCTOR", "Lee", 1.0, 1.5)
    assert (added["text"], added["start_s"], added["end_s"]) == ("Bob", 4.0, 4.5), "an emoji is some characters"
    for entity in (changed, added):
        assert (entity["source"], entity["confidence"], entity["kept"]) == ("review", None, True)
        assert (entity["group"], entity["cause"]) == ("", None)
        assert TEXT[entity["char_start"] : entity["char_end"]] == entity["text"]


def test_an_entity_without_a_place_is_accepted_rejected_or_gets_another_type(run, tmp_path):
    for decision, state in ((on(4, "accept"), ("PHONE", True)), (on(4, "reject"), ("PHONE", False))):
        entity = corrected(run, tmp_path, decision)[4]
        assert (entity["type"], entity["kept"]) == state
    dropped = with_entities(run, *ENTITIES[:4], ENTITIES[4] | {"kept": False, "cause": "threshold"})
    by_hand = {"type": "FAX", "group": "", "confidence": None, "source": "review", "kept": True, "cause": None}
    assert corrected(dropped, tmp_path, on(4, "change", "FAX"))[4] == ENTITIES[4] | by_hand | {"match": None}


def test_what_nobody_decided_on_gives_way_to_what_was(run, tmp_path):
    rows = corrected(run, tmp_path, add("PERSONALNAME", "Ann"))
    assert ("PERSONALNAME", "Ann") in kept(rows)
    assert (rows[0]["kept"], rows[0]["cause"]) == (False, "overlap")


def test_what_had_lost_to_a_rejected_entity_goes_with_it(run, tmp_path):
    rows = corrected(run, tmp_path, on(0, "reject"))
    assert rows[1]["cause"] == "review"
    assert not [row for row in found_entities(tables.from_rows(rows, tables.ENTITIES)) if row["text"] == "Lee"]
    rows = corrected(run, tmp_path, on(0, "reject"), on(1, "accept"))
    assert ("FAMILYNAME", "Lee") in kept(rows)


@pytest.mark.parametrize("decision", [on(0, "reject"), on(0, "change", "CITY", "May")])
def test_what_had_lost_goes_only_where_it_lay_within_what_is_rejected_or_changed(run, tmp_path, decision):
    lost = {"kept": False, "cause": "overlap"}
    some = [
        row("PATIENT", "Lee 👩‍⚕️ met"),
        row("A", "Lee", **lost),
        row("B", "met", **lost),
        row("C", "Ann Lee", **lost),
    ]
    some += [row("D", "met Bob", **lost), row("E", "May 5", **lost)]
    rows = corrected(with_entities(run, *some), tmp_path, decision)
    assert [each["cause"] for each in rows[1:6]] == ["review", "review", "overlap", "overlap", "overlap"]


def test_what_overlaps_a_rejected_entity_is_not_dropped_for_it(run, tmp_path):
    two = with_entities(run, row("PATIENT", "Ann Lee"), row("FAMILYNAME", "Lee"))
    assert kept(corrected(two, tmp_path, on(0, "reject"))) == [("FAMILYNAME", "Lee")]
    assert not review.overlap((0, 3), (3, 5)) and not review.overlap((3, 5), (0, 3)) and review.overlap((0, 3), (2, 5))


def test_what_is_added_where_words_have_no_times_has_none(run, tmp_path):
    about = {"recording_id": "1"} | SAID.to_row() | {"words": []}
    untimed = run | {"transcripts": tables.from_rows([about], tables.TRANSCRIPTS)}
    added = corrected(untimed, tmp_path, add("PERSONALNAME", "Bob"))[-2]
    assert (added["text"], added["start_s"], added["end_s"]) == ("Bob", None, None)


def test_recordings_and_tables_without_a_decision_stay(run, tmp_path):
    corrections = read(run, tmp_path, file_of(run))
    made = review.corrected(run, corrections)
    assert made == run and corrections.count == 0


def test_only_what_was_checked_becomes_labels(run, tmp_path):
    content = file_of(run, on(3, "reject"), on(2, "accept"))
    content["recordings"]["2"] = {"checked": False, "entities": []}
    made = review.labelled(run, read(run, tmp_path, content))
    assert made["recordings"].to_pylist()[0]["path"] == "/data/1.wav" and len(made["recordings"]) == 1
    assert made["transcripts"]["text"].to_pylist() == [TEXT]
    rows = made["entities"].to_pylist()
    assert kept(rows) == [("PATIENT", "Ann Lee"), ("DOCTOR", "Bob"), ("PHONE", "unplaced")]
    assert {(row["group"], row["source"], row["confidence"]) for row in rows} == {("", "gold", None)}
    assert all(made[name].schema == tables.SCHEMAS[name] for name in ("recordings", "transcripts", "entities"))
    assert [row["match"] for row in rows] == ["exact", "exact", "not_found"]


def test_the_digest_is_of_texts_and_entities_in_their_order(run):
    before = review.digest(run)
    assert re.fullmatch("[0-9a-f]{64}", before) and review.digest(dict(run)) == before
    for name, change in (
        ("transcripts", lambda rows: [rows[0] | {"text": "x"}, rows[1]]),
        ("entities", lambda rows: rows[::-1]),
        ("entities", lambda rows: [rows[0] | {"kept": False}, *rows[1:]]),
        ("entities", lambda rows: [rows[0] | {"char_end": 3}, *rows[1:]]),
    ):
        others = tables.from_rows(change(run[name].to_pylist()), tables.SCHEMAS[name])
        assert review.digest(run | {name: others}) != before
    rows = [row | {"confidence": 0.1} for row in run["entities"].to_pylist()]
    assert review.digest(run | {"entities": tables.from_rows(rows, tables.ENTITIES)}) == before


# Files that cannot be taken

ONE = {"entity": 0, "decision": "accept"}
ADD = add("PATIENT", "Bob")


@pytest.mark.parametrize(
    ("decisions", "sentence"),
    [
        ([ONE, ONE], "recording 1, decision 2: it is a second one on entity 0."),
        ([on(5, "accept")], "recording 1, decision 1: there is no entity 5, as the recording has 5."),
        ([ONE | {"entity": -1}], "recording 1, decision 1: entity has to be a number from 0."),
        ([ONE | {"entity": True}], "recording 1, decision 1: entity has to be a number from 0."),
        ([ONE | {"entity": 0.0}], "recording 1, decision 1: entity has to be a number from 0."),
        ([ONE | {"entity": "0"}], "recording 1, decision 1: entity has to be a number from 0."),
        ([ONE | {"entity": 10**30}], "recording 1, decision 1: entity has to be a number from 0."),
        ([ADD | {"char_end": float("nan")}], "recording 1, decision 1: char_end has to be a number from 0."),
        ([ADD | {"char_end": 2**31}], "recording 1, decision 1: char_end has to be a number from 0."),
        ([ONE | {"decision": "Ann"}], "recording 1, decision 1: decision has to be accept, reject, change or add."),
        ([{"entity": 0}], "recording 1, decision 1: decision has to be accept, reject, change or add."),
        ([ONE | {"Ann": "Ann"}], "recording 1, decision 1 has a key that does not belong there."),
        (["Ann"], "recording 1, decision 1 is no object in braces."),
        ([None], "recording 1, decision 1 is no object in braces."),
        ([ONE | {"type": "PATIENT"}], "decision 1: accept takes entity here, and nothing else."),
        ([{"decision": "reject"}], "decision 1: reject takes entity here, and nothing else."),
        ([on(0, "change", "PATIENT")], "change takes char_end, char_start, entity, type here, and nothing else."),
        ([on(4, "change", "FAX", "Bob")], "decision 1: change takes entity, type here, and nothing else."),
        ([ADD | {"entity": 0}], "decision 1: add takes char_end, char_start, type here, and nothing else."),
        ([ADD | {"type": "PATEINT"}], "decision 1: there is no type PATEINT; the nearest is PATIENT."),
        ([ADD | {"type": "Ann Lee"}], "decision 1: its type is none in capitals, as PATIENT."),
        ([ADD | {"char_end": 99}], "are not those of words in the 29 characters of the transcript."),
        ([ADD | {"char_start": 9, "char_end": 9}], "are not those of words in the 29 characters of the transcript."),
        ([ADD | {"char_start": 9, "char_end": 8}], "are not those of words in the 29 characters of the transcript."),
        ([add("PATIENT", "Ann ")], "are not those of words in the 29 characters of the transcript."),
        ([add("PATIENT", "Ann"), on(0, "accept")], "recording 1: what decisions 1 and 2 keep overlaps"),
        ([add("DATE", "May 5"), ADD, on(2, "accept")], "recording 1: what decisions 2 and 3 keep overlaps"),
    ],
)
def test_a_decision_that_cannot_be_is_named_with_its_place(run, tmp_path, decisions, sentence):
    refused(run, tmp_path, file_of(run, *decisions), sentence)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"recordings": {"1": "Ann', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        ("Ann 王小明".encode("big5"), "is not in UTF-8 but seems to be in Big5"),
        (b"\xff\xff Ann", "is not in UTF-8"),
        (b"[]", "is no corrections file: give one that the page of jobs.report --show-text has saved."),
        (b"null", "is no corrections file"),
        (b'{"recordings": {}}', "is no corrections file"),
        (b'{"corrections_of": 3, "recordings": {}}', "is no corrections file"),
        (b'{"corrections_of": "", "recordings": [], "Ann": 1}', "is no corrections file"),
        (b'{"corrections_of": "\\ud800", "recordings": {}}', "has half a character"),
        (b'{"corrections_of": "", "recordings": {"\\udfff": {}}}', "has half a character"),
        (b'{"corrections_of": "", "recordings": {}}', "is of another run, or the run has changed since: make the"),
        (b'{"corrections_of": "", "recordings": {"Ann": 1}}', ": its recording number 1 is no object in braces."),
        (b'{"corrections_of": "", "recordings": {"1": {"checked": 1}}}', "recording 1: checked has to be true or"),
        (b'{"corrections_of": "", "recordings": {"1": {"checked": true}}}', "recording 1: entities has to be a list."),
    ],
)
def test_what_is_no_corrections_file_of_this_run_is_refused(run, tmp_path, content, sentence):
    refused(run, tmp_path, content, sentence)


def test_a_recording_that_the_run_lacks_is_named_by_its_number(run, tmp_path):
    content = file_of(run)
    content["recordings"]["Ann"] = {"checked": True, "entities": []}
    refused(run, tmp_path, content, "its recording number 2 has no transcript in the run.")


def test_a_file_that_is_not_there_is_named(run, tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.json cannot be read: No such file or directory\."):
        review_import.read(str(tmp_path / "nowhere.json"), run)


def refused(run: dict, folder: Path, content: object, sentence: str) -> None:
    with pytest.raises(UserError) as error:
        read(run, folder, content)
    said = str(error.value)
    assert sentence in said and said.startswith(f"{folder}/corrections.json") and "\n" not in said
    assert "Ann" not in everything_of(error.value) and "王" not in said
