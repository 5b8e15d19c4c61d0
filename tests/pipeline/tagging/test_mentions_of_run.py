"""Who was found in one recording is found in the others: of the run, or of the same patient."""

import pyarrow as pa
import pytest

from pipeline.errors import UserError
from pipeline.run_parts import RESULT
from pipeline.settings import TaggerSettings
from pipeline.speech.words import Piece, transcript_from_pieces
from pipeline.tagging.entities import Entity
from pipeline.tagging.mentions import REPEAT
from pipeline.tagging.mentions_of_run import with_mentions_of_others
from pipeline.tagging.patients import read_patients

TEXTS = {"1": "Nora Lee came in May", "2": "miss Lee called, Nora said", "3": "we saw nora in May", "4": ""}


def results() -> pa.Table:
    rows = []
    for recording_id, text in TEXTS.items():
        pieces = [Piece(f" {word}", place / 2, place / 2 + 0.4) for place, word in enumerate(text.split())]
        found = []
        if recording_id == "1":
            found = [Entity("PATIENT", "names", "Nora Lee", 0, 8, 0.9, "adapter", start_s=0.0, end_s=0.9)]
            found.append(Entity("DATE", "times", "May", 17, 20, 0.8, "adapter", start_s=2.0, end_s=2.4))
        transcript = transcript_from_pieces(pieces, 10.0, "whisper").to_row()
        rows.append({"recording_id": recording_id, "entities": [each.to_row() for each in found]} | transcript)
    return pa.Table.from_pylist(rows, RESULT)


def repeats(settings: TaggerSettings) -> dict[str, list[tuple[str, float]]]:
    made = with_mentions_of_others(results(), settings)
    assert made.schema == RESULT and made.drop_columns("entities") == results().drop_columns("entities")
    found = {row["recording_id"]: row["entities"] for row in made.to_pylist()}
    assert [entity for entity in found["1"] if entity["source"] != REPEAT] == results()["entities"][0].as_py()
    return {i: [(e["text"], e["start_s"]) for e in own if e["source"] == REPEAT] for i, own in found.items()}


def test_names_are_found_in_all_recordings_of_the_run_with_their_times_and_dates_are_not():
    assert repeats(TaggerSettings(repeats="run")) == {
        "1": [],
        "2": [("Lee", 0.5), ("Nora", 1.5)],
        "3": [("nora", 1.0)],
        "4": [],
    }


@pytest.mark.parametrize("setting", ["recording", "none"])
def test_otherwise_other_recordings_do_not_count(setting):
    assert not any(repeats(TaggerSettings(repeats=setting)).values())


@pytest.mark.parametrize("separator", [",", "\t"])
def test_with_a_table_of_patients_only_recordings_of_the_same_one_count(tmp_path, separator):
    table = tmp_path / "patients"
    lines = ["visit,recording_id,patient_id", "a,1,p1", "b,3,p1", "c,2,p2"]
    table.write_text("\n".join(line.replace(",", separator) for line in lines), encoding="utf-8-sig")
    found = repeats(TaggerSettings(repeats="run", patients=table))
    assert found == {"1": [], "2": [], "3": [("nora", 1.0)], "4": []}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        ("", "the columns recording_id and patient_id"),
        ("id,patient\n1,2\n", "the columns recording_id and patient_id"),
        ("recording_id,patient_id\n1,p\n1,q\n", "line 3: give each recording one patient"),
        ("recording_id,patient_id\n1,\n", "line 2: give each recording one patient"),
        ("recording_id,patient_id\n1\n", "line 2: give each recording one patient"),
    ],
)
def test_a_table_that_does_not_say_so_is_refused_with_file_and_line(tmp_path, content, sentence):
    path = tmp_path / "patients.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=rf"--tagger\.patients .*patients\.csv.*{sentence}"):
        read_patients(path)
