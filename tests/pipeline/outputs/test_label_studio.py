"""Label Studio: what goes out comes back as it was, and the annotators' corrections arrive."""

import json
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.outputs import label_studio, label_studio_import
from pipeline.speech.words import Piece, transcript_from_pieces
from pipeline.tagging.known_types import known_types

SAID = transcript_from_pieces([Piece("Mr. Lee in 台北 on May 5", 0, 11)], 11, "whisper")
TALK = {"recording_id": "7"} | SAID.to_row()


def entity(transcript, type_, start, end, confidence=0.5):
    text = transcript["text"][start:end]
    return {"type": type_, "char_start": start, "char_end": end, "text": text, "confidence": confidence}


def annotated(task, result=None, **fields):
    """Return a task as Label Studio exports it, its prediction accepted or changed."""
    result = task["predictions"][0]["result"] if result is None else result
    return json.loads(
        json.dumps(task | {"id": 1, "annotations": [{"result": result, "was_cancelled": False} | fields]})
    )


def read(tmp_path, *tasks):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    found = label_studio_import.read(str(path), known_types())
    made = {name: table.to_pylist() for name, table in found.tables.items()}
    return made | {"without": found.without, "faults": found.faults}


@pytest.fixture
def task():
    entities = [entity(TALK, "PATIENT", 4, 7), entity(TALK, "DATE", 17, 22, None)]
    return label_studio.task(TALK, entities, {"audio": "/data/7.wav", "path": "/data/7.wav", "duration_s": 11.0})


def test_a_task_has_audio_transcript_and_entities_as_label_studio_wants_them(task):
    assert task["data"]["audio"] == "/data/7.wav" and task["data"]["text"] == TALK["text"]
    transcript, patient, date = task["predictions"][0]["result"]
    assert transcript["type"] == "textarea" and transcript["value"] == {"text": [TALK["text"]]}
    assert patient["value"] == {"start": 4, "end": 7, "text": "Lee", "labels": ["PATIENT"]} and patient["score"] == 0.5
    assert date["value"]["text"] == "May 5" and "score" not in date
    interface = ET.fromstring(label_studio.labelling_interface(["PATIENT", "DATE"]))
    names = {each.get("name"): each for each in interface.iter() if each.get("name")}
    for region in (transcript, patient):
        assert names[region["from_name"]].get("toName") == region["to_name"] and region["to_name"] in names
    assert [label.get("value") for label in interface.iter("Label")] == ["PATIENT", "DATE"]
    assert {names["audio"].get("value"), names["text"].get("value")} == {"$audio", "$text"}


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([" Lee", "王", "小明", " 𠮷田", " 😀 ok", " May 5,", "。"]), min_size=1, max_size=8),
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 9), st.sampled_from(["PATIENT", "LOCATION-OTHER"])), max_size=5
    ),
    st.booleans(),
)
def test_what_goes_out_comes_back_however_the_browser_counts_characters(tmp_path_factory, pieces, places, utf16):
    timed = [Piece(text, i, i + 1) for i, text in enumerate(pieces)]
    transcript = transcript_from_pieces(timed, len(pieces), label_studio_import.RECOGNIZER).to_row()
    transcript["recording_id"] = "王-1"
    text = transcript["text"]
    entities = {
        (start, min(start + n, len(text)), type_)
        for start, n, type_ in places
        if text[start : start + n].strip(" ,。") == text[start : start + n] != ""
    }
    task = label_studio.task(transcript, [entity(transcript, t, s, e) for s, e, t in entities], {"audio": None})
    exported = annotated(task)
    if utf16:
        for region in exported["annotations"][0]["result"][1:]:
            for edge in ("start", "end"):
                value = region["value"]
                value[edge] = len(text[: value[edge]].encode("utf-16-le")) // 2
    found = read(tmp_path_factory.mktemp("exchange"), exported)
    assert found["transcripts"] == [transcript]
    said = transcript_from_pieces(timed, len(pieces), "")
    assert [
        (r["char_start"], r["char_end"], r["type"], r["text"], (r["start_s"], r["end_s"])) for r in found["entities"]
    ] == [(s, e, t, text[s:e], said.times(s, e)) for s, e, t in sorted(entities)]


def test_corrections_of_transcript_and_entities_arrive_with_times(task, tmp_path):
    transcript, patient, _ = task["predictions"][0]["result"]
    transcript = transcript | {"value": {"text": ["Mr. Leigh in\n台北 on the May 5"]}}
    city = patient | {"value": {"start": 11, "end": 13, "text": "台北", "labels": ["CITY"]}}
    found = read(tmp_path, annotated(task, [transcript, patient, city, {"type": "choices", "value": {}}]))
    [row] = found["transcripts"]
    assert row["text"] == "Mr. Leigh in 台北 on the May 5" and row["words"][1]["text"] == "Leigh"
    assert [(e["type"], e["text"], e["source"], e["kept"]) for e in found["entities"]] == [
        ("PATIENT", "Leigh", "gold", True),
        ("CITY", "台北", "gold", True),
    ]
    old = TALK["words"][1]
    assert (found["entities"][0]["start_s"], found["entities"][0]["end_s"]) == (old["start_s"], old["end_s"])
    assert found["recordings"][0]["path"] == "/data/7.wav" and found["recordings"][0]["duration_s"] == 11.0


def changed(task, **data):
    return task | {"data": task["data"] | data}


def test_what_was_marked_and_is_not_in_the_correction_is_named(task, tmp_path):
    transcript, patient, _ = task["predictions"][0]["result"]
    rewritten = transcript | {"value": {"text": [TALK["text"].replace("Lee", "")]}}
    found = read(tmp_path, annotated(task, []), annotated(changed(task, recording_id="8"), [rewritten, patient]))
    assert found["entities"] == []
    assert found["faults"] == ["task 2, region 2: its words are not in the corrected text any more"]


def test_the_latest_annotation_counts_and_tasks_without_one_are_left_out(task, tmp_path):
    exported = annotated(task, [], updated_at="2026-03-02T00:00:00Z")
    exported["annotations"] += [
        {"result": task["predictions"][0]["result"], "updated_at": "2026-03-01T00:00:00Z"},
        {"result": task["predictions"][0]["result"], "updated_at": "2026-03-03T00:00:00Z", "was_cancelled": True},
    ]
    nobody = annotated(task) | {"annotations": []}
    found = read(tmp_path, exported, nobody)
    assert found["entities"] == [] and len(found["transcripts"]) == 1 and found["without"] == 1


def test_a_task_that_cannot_be_used_is_named_without_its_text_and_the_others_come_in(task, tmp_path):
    without_id = annotated(task)
    del without_id["data"]["recording_id"]
    for bad, sentence in (
        (annotated(changed(task, recording_id="good")), "a second task for recording good"),
        (without_id, "it lacks the recording_id"),
        (annotated(changed(task, recording_id="../7")), "its recording_id cannot be"),
        (annotated(changed(task, recording_id="7\n8")), "its recording_id cannot be"),
        (annotated(changed(task, duration_s="Lee")), "it lacks"),
        (annotated(changed(task, duration_s=-1)), "its duration_s is no length"),
        (annotated(changed(task, words=[{"text": "Lee"}])), "it lacks"),
        (annotated(changed(task, text="Mr. \ud800")), "half a character"),
        (annotated(task, "Lee"), "it lacks"),
    ):
        found = read(tmp_path, annotated(changed(task, recording_id="good")), bad)
        assert [row["recording_id"] for row in found["transcripts"]] == ["good"] and len(found["entities"]) == 2
        (fault,) = found["faults"]
        assert fault.startswith(f"task 2: {sentence}") or sentence in fault
        assert "Lee" not in fault


def test_a_region_that_cannot_be_used_is_named_and_the_rest_of_its_task_comes_in(task, tmp_path):
    transcript, patient, date = task["predictions"][0]["result"]
    value = patient["value"]
    sound = {"start": 1.2, "end": 2.5, "channel": 0, "labels": ["DATE"]}
    for bad, sentence in (
        (value | {"labels": []}, "it has no label"),
        ({key: value[key] for key in value if key != "labels"}, "it has no label"),
        (value | {"labels": ["PATEINT"]}, "there is no type PATEINT; the nearest is PATIENT"),
        (value | {"labels": ["Mr. Lee said so"]}, "its label is none of a type"),
        (value | {"start": 8, "end": 10}, "it has no place in the task's text"),
        (value | {"start": 400, "end": 410, "text": ""}, "it has no place"),
        (value | {"start": "soon"}, "it has no place"),
        (sound, "it marks the sound: mark the words"),
    ):
        found = read(tmp_path, annotated(task, [transcript, patient | {"value": bad}, date]))
        assert [row["type"] for row in found["entities"]] == ["DATE"], sentence
        (fault,) = found["faults"]
        assert fault.startswith("task 1, region 2: ") and sentence in fault and "Lee" not in fault
    of_player = patient | {"to_name": "audio", "original_length": 11.0}
    assert "marks the sound" in read(tmp_path, annotated(task, [of_player, date]))["faults"][0]


def test_labels_are_taken_in_any_case_and_no_comma_stays_in_a_name(tmp_path):
    said = {"recording_id": "7"} | transcript_from_pieces([Piece("Mr. Lee, said so", 0, 4)], 4, "whisper").to_row()
    task = label_studio.task(said, [entity(said, "PATIENT", 4, 8)], {"audio": None})
    task["predictions"][0]["result"][1]["value"]["labels"] = ["patient"]
    (row,) = read(tmp_path, annotated(task))["entities"]
    assert (row["type"], row["text"]) == ("PATIENT", "Lee")


def test_a_line_break_in_a_tasks_text_is_none_in_its_transcript(task, tmp_path):
    shown = "Mr. Lee\nin 台北 on May 5"
    exported = annotated(changed(task, text=shown, words=[]), task["predictions"][0]["result"][1:])
    found = read(tmp_path, exported)
    assert found["transcripts"][0]["text"] == "Mr. Lee in 台北 on May 5" and not found["faults"]
    assert [row["text"] for row in found["entities"]] == ["Lee", "May 5"]


def test_words_that_a_corrector_adds_have_a_length(tmp_path):
    pieces = [Piece("Lee", 0, 1), Piece(" came", 1, 2)]
    said = {"recording_id": "7"} | transcript_from_pieces(pieces, 2, "whisper").to_row()
    task = label_studio.task(said, [], {"audio": None})
    for text in ("Lee often came", "Mr Lee came", "Lee came back"):
        task["predictions"][0]["result"][0]["value"]["text"] = [text]
        words = read(tmp_path, annotated(task))["transcripts"][0]["words"]
        assert [word["text"] for word in words] == text.split()
        assert all(word["end_s"] > word["start_s"] for word in words), text
        assert all(one["end_s"] <= other["start_s"] for one, other in pairwise(words))


@pytest.mark.parametrize(
    ("tasks", "sentence"),
    [
        ([{"text": "Lee", "entities": []}], "exported as JSON"),
        ({}, "exported as JSON"),
        ([], "holds no task"),
        ([{"annotations": [], "data": {}}] * 2, "none of its 2 tasks has an annotation that can be used"),
        ([{"annotations": [{"result": []}], "data": {}}], "can be used; task 1: it lacks the recording_id"),
    ],
)
def test_a_file_with_nothing_in_it_is_an_error(tmp_path, tasks, sentence):
    (tmp_path / "export.json").write_text(json.dumps(tasks), encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        label_studio_import.read(str(tmp_path / "export.json"), known_types())
