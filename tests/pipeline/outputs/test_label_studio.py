"""Label Studio: what goes out comes back as it was, and the annotators' corrections arrive."""

import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.outputs import label_studio
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
    path.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
    made, without, lost = label_studio.read(str(path), known_types())
    return {name: table.to_pylist() for name, table in made.items()} | {"without": without, "lost": lost}


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
    transcript = transcript_from_pieces(timed, len(pieces), label_studio.RECOGNIZER).to_row()
    transcript["recording_id"] = "王-1"
    text = transcript["text"]
    entities = {
        (start, min(start + n, len(text)), type_)
        for start, n, type_ in places
        if text[start : start + n].strip() == text[start : start + n] != ""
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


def test_what_was_marked_and_is_not_in_the_correction_is_counted(task, tmp_path):
    transcript, patient, _ = task["predictions"][0]["result"]
    rewritten = transcript | {"value": {"text": [TALK["text"].replace("Lee", "")]}}
    found = read(tmp_path, annotated(task, []), annotated(changed(task, recording_id="8"), [rewritten, patient]))
    assert found["entities"] == [] and found["lost"] == [2]


def test_the_latest_annotation_counts_and_tasks_without_one_are_left_out(task, tmp_path):
    exported = annotated(task, [], updated_at="2026-03-02T00:00:00Z")
    exported["annotations"] += [
        {"result": task["predictions"][0]["result"], "updated_at": "2026-03-01T00:00:00Z"},
        {"result": task["predictions"][0]["result"], "updated_at": "2026-03-03T00:00:00Z", "was_cancelled": True},
    ]
    nobody = annotated(task) | {"annotations": []}
    found = read(tmp_path, exported, nobody)
    assert found["entities"] == [] and len(found["transcripts"]) == 1 and found["without"] == 1


def test_a_file_of_another_form_is_an_error_that_names_the_task_and_no_text(task, tmp_path):
    region = task["predictions"][0]["result"][1]
    elsewhere = region | {"value": region["value"] | {"start": 8, "end": 10}}
    without_id = annotated(task)
    del without_id["data"]["recording_id"]
    for tasks, sentence in (
        ([{"text": "Lee", "entities": []}], "exported as JSON"),
        ([annotated(task), annotated(task)], "task 2: a second task for recording 7"),
        ([annotated(task, [elsewhere])], "task 1: it lacks"),
        ([without_id], "task 1: it lacks"),
        ([annotated(changed(task, recording_id="../7"))], "task 1: its recording_id cannot be"),
        ([annotated(changed(task, recording_id="7\n8"))], "task 1: its recording_id cannot be"),
        ([annotated(changed(task, duration_s="Lee"))], "task 1: it lacks"),
        (
            [annotated(task, [region | {"value": region["value"] | {"labels": ["PATEINT"]}}])],
            "task 1: .*PATEINT; the nearest is PATIENT",
        ),
    ):
        with pytest.raises(UserError, match=sentence) as caught:
            read(tmp_path, *tasks)
        assert "Lee" not in str(caught.value)
