"""Corrections: a run goes out to people and comes back as a folder to train on."""

import csv
import json
from pathlib import Path

import pytest

from jobs import exchange
from pipeline import submission, tables
from pipeline.corpus.folders import read_folder
from pipeline.errors import UserError
from tests.jobs.test_redact import TEXTS, write_run


@pytest.fixture
def run(tmp_path) -> Path:
    return write_run(tmp_path)


def export(run: Path, *arguments: str) -> list[dict]:
    out = run.parent / "tasks.json"
    exchange.main(["to-label-studio", "--run", str(run), "--out", str(out), *arguments])
    return json.loads(out.read_text(encoding="utf-8"))


def bring_back(run: Path, tasks: list[dict], *arguments: str) -> Path:
    (run.parent / "export.json").write_text(json.dumps(tasks), encoding="utf-8")
    out = run.parent / "corrected"
    exchange.main(["from-label-studio", "--file", str(run.parent / "export.json"), "--out", str(out), *arguments])
    return out


def accept(task: dict) -> dict:
    return task | {"annotations": [{"result": task["predictions"][0]["result"]}]}


def test_a_run_accepted_as_it_is_comes_back_as_a_folder_that_prepare_takes(run, capsys):
    tasks = export(run)
    assert [task["data"]["recording_id"] for task in tasks] == ["1", "2", "10"]
    out = bring_back(run, [accept(task) for task in tasks])
    folder = read_folder(str(out), "train", strict=True)
    assert folder.transcripts == {i: text for i, (text, _) in TEXTS.items()}
    expected = tables.read(str(run / "entities"), tables.ENTITIES).to_pylist()
    columns = ("recording_id", "type", "text", "start_s", "end_s")
    assert [[row[c] for c in columns] for row in folder.entities.to_pylist()] == [
        [row[c] for c in columns] for row in expected if row["kept"]
    ]
    made = {name: tables.read(str(out / name), schema) for name, schema in tables.SCHEMAS.items()}
    original = tables.read(str(run / "transcripts"), tables.TRANSCRIPTS)
    assert made["transcripts"]["words"].to_pylist() == original["words"].to_pylist()
    assert "Lee" not in capsys.readouterr().out


def test_people_take_away_add_and_correct(run, capsys):
    tasks = export(run)
    text, patient, _ = tasks[0]["predictions"][0]["result"]
    text["value"]["text"] = ["Anne Lee came on May 5 , Anne said ."]
    again = patient | {"value": {"start": 24, "end": 27, "text": "Ann", "labels": ["PATIENT"]}}
    corrected = tasks[0] | {"annotations": [{"result": [text, patient, again]}]}
    out = bring_back(run, [corrected, tasks[1] | {"annotations": []}])
    assert submission.read_task1(str(out / "task1_answer.txt")) == {"1": "Anne Lee came on May 5 , Anne said ."}
    assert (
        out / "task2_answer.txt"
    ).read_text() == "1\tPATIENT\t0.000\t0.900\tAnne Lee\n1\tPATIENT\t3.500\t3.900\tAnne\n"
    assert "1 tasks that nobody annotated were left out." in capsys.readouterr().out


def test_recordings_are_given_by_the_address_that_label_studio_knows(run):
    assert export(run)[0]["data"]["audio"] == str(run.parent / "recordings" / "1.wav")
    tasks = export(run, "--overwrite", "--audio-url", "/data/local-files/?d=clinic/")
    assert tasks[1]["data"]["audio"] == "/data/local-files/?d=clinic/2.flac"
    assert '<Label value="LOCATION-OTHER"/>' in (run.parent / "tasks.xml").read_text()


def test_a_recording_in_a_subfolder_has_it_in_its_address(run):
    (run / "run.json").write_text(json.dumps({"audio": str(run.parent)}))
    (run / "summary.json").write_text("{}")
    assert export(run, "--audio-url", "/data/?d=")[0]["data"]["audio"] == "/data/?d=recordings/1.wav"


def test_what_cannot_be_used_is_named_and_the_rest_comes_in(run, capsys):
    first, second, _ = (accept(task) for task in export(run))
    second["data"]["recording_id"] = "../x"
    first["annotations"][0]["result"][1]["value"]["labels"] = []
    out = bring_back(run, [first, second])
    printed = capsys.readouterr().out
    assert (
        "2 tasks or regions were left out:\n  task 1, region 2: it has no label\n  task 2: its recording_id" in printed
    )
    assert list(submission.read_task1(str(out / "task1_answer.txt"))) == ["1"]


def test_files_and_folders_that_are_there_already_stay(run):
    tasks = [accept(task) for task in export(run)]
    with pytest.raises(UserError, match=r"tasks\.json is there already"):
        export(run)
    bring_back(run, tasks)
    with pytest.raises(UserError, match="--overwrite"):
        bring_back(run, tasks)
    bring_back(run, tasks[:1], "--overwrite")
    assert set(submission.read_task1(str(run.parent / "corrected" / "task1_answer.txt"))) == {"1"}
    with pytest.raises(UserError, match="not empty"):
        exchange.main(["from-label-studio", "--file", str(run.parent / "export.json"), "--out", str(run)])


def test_a_runs_transcriptions_json_comes_back_as_transcripts(run):
    exchange.main(["to-transcriptions", "--run", str(run)])
    file = run / "transcriptions_corrected.json"
    exchange.main(["from-transcriptions", "--file", str(file), "--out", str(run.parent / "back")])
    old, new = (tables.read(str(f / "transcripts"), tables.TRANSCRIPTS).to_pylist() for f in (run, run.parent / "back"))
    assert [row | {"recognizer": ""} for row in new] == [row | {"recognizer": ""} for row in old]
    assert submission.read_task1(str(run.parent / "back" / "task1_answer.txt")) == {i: t for i, (t, _) in TEXTS.items()}
    with pytest.raises(UserError, match="is there already"):
        exchange.main(["to-transcriptions", "--run", str(run)])


def test_a_folder_without_a_run_or_a_file_that_is_missing_is_an_error(run, tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        exchange.main(["to-label-studio", "--run", str(tmp_path), "--out", str(tmp_path / "t.json")])
    with pytest.raises(UserError, match="cannot be read"):
        exchange.main(["from-label-studio", "--file", str(tmp_path / "no.json"), "--out", str(tmp_path / "o")])
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_entities_and_scores_become_tables(run, tmp_path, suffix, capsys):
    file = tmp_path / f"entities.{suffix}"
    exchange.main(["to-table", "--run", str(run), "--out", str(file)])
    entities = tables.read(str(run / "entities"), tables.ENTITIES)
    assert f"{len(entities)} entities: {file}" in capsys.readouterr().out
    if suffix == "csv":
        with file.open(encoding="utf-8-sig", newline="") as lines:
            assert [row["text"] for row in csv.DictReader(lines)] == entities["text"].to_pylist()
    exchange.main(["to-table", "--run", str(run), "--table", "transcripts", "--out", str(tmp_path / f"t.{suffix}")])
    scores = tmp_path / "scores.json"
    scores.write_text(json.dumps({"entities": {"micro": {"f1": 0.5}}}))
    exchange.main(["to-table", "--scores", str(scores), "--out", str(tmp_path / f"scores.{suffix}")])
    if suffix == "csv":
        assert "entities.micro.f1,0.5" in (tmp_path / "scores.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--out", "x.csv"], "Give --run or --scores"),
        (["--out", "x.csv", "--run", "a", "--scores", "b"], "Give --run or --scores"),
        (["--out", "x.ods", "--run", "a"], r"--out x\.ods: give a file with the suffix \.csv or \.xlsx"),
        (["--out", "x.csv", "--scores", "pyproject.toml"], r"pyproject\.toml is not JSON"),
        (["--out", "x.csv", "--run", "nowhere"], "nowhere"),
    ],
)
def test_a_table_of_nothing_is_refused(options, sentence):
    with pytest.raises(UserError, match=sentence):
        exchange.main(["to-table", *options])
    assert not Path("x.csv").exists()
