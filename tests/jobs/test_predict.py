"""The main job: a folder of recordings in, tables and answer files out."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import predict
from pipeline import demo, submission, tables
from pipeline.errors import UserError
from pipeline.ids import id_order

ROOT = Path(__file__).parents[2]
DEMO = ["--audio", "pipeline/demo/clips", "--out", "runs/none"]


def read(out: Path) -> dict[str, list[dict]]:
    return {name: tables.read(str(out / name), schema).to_pylist() for name, schema in tables.SCHEMAS.items()}


def check_run(out: Path, recordings: set[str]) -> dict[str, list[dict]]:
    """Check what holds for every run, whatever was in its recordings."""
    found, summary = read(out), json.loads((out / "summary.json").read_text())
    transcripts = {row["recording_id"] for row in found["transcripts"]}
    failures = {row["recording_id"] for row in found["failures"]}
    assert {row["recording_id"] for row in found["recordings"]} == transcripts | failures == recordings
    assert not transcripts & failures
    assert all(row["stage"] and row["error"] for row in found["failures"])
    task1 = submission.read_task1(str(out / "task1_answer.txt"))
    assert list(task1) == sorted(transcripts, key=id_order)
    assert task1 == {row["recording_id"]: row["text"] for row in found["transcripts"]}
    task2 = submission.read_task2(str(out / "task2_answer.txt")).to_pylist()
    kept = [row for row in found["entities"] if row["kept"]]
    texts = {row["recording_id"]: row["text"] for row in found["transcripts"]}
    durations = {row["recording_id"]: row["duration_s"] for row in found["recordings"]}
    for row in kept:
        assert texts[row["recording_id"]][row["char_start"] : row["char_end"]] == row["text"]
        assert 0 <= row["start_s"] <= row["end_s"] <= durations[row["recording_id"]] + 0.001
    assert {(r["recording_id"], r["type"], r["text"]) for r in task2} == {
        (r["recording_id"], r["type"], r["text"]) for r in kept
    }
    counts = {"recordings": "recordings", "transcripts": "transcripts", "failures": "failures"}
    assert {key: summary[key] for key in counts} == {key: len(found[name]) for key, name in counts.items()}
    assert summary["entities"] == len(kept)
    assert summary["audio_seconds"] == pytest.approx(sum(d or 0 for d in durations.values()), abs=0.01)
    return found


@pytest.mark.faults
@pytest.mark.parametrize("count", [16, pytest.param(40, marks=pytest.mark.slow)])
def test_recordings_become_tables_and_answer_files_and_an_interrupted_run_goes_on(
    ray_cluster, model_options, tmp_path, monkeypatch, capsys, count
):
    (tmp_path / "audio").mkdir()
    clips = sorted((demo.CLIPS / "audio").iterdir())
    for i in range(1, count + 1):
        shutil.copy(clips[i % 8], tmp_path / "audio" / f"{i}.flac")
    out = tmp_path / "out"
    arguments = ["--audio", str(tmp_path / "audio"), "--out", str(out), "--transcriptions-json", *model_options]

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(predict, "close_run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            predict.main(arguments)
    assert not (out / "task1_answer.txt").exists(), "nothing is half written"
    shutil.copy(clips[0], tmp_path / "audio" / "2.flac")  # another recording under its name
    (tmp_path / "audio" / "3.flac").rename(tmp_path / "audio" / "new.flac")
    predict.main(arguments)
    printed = capsys.readouterr()
    assert f"{count - 2} of {count} recordings are finished; 1 are done again, as their files" in printed.out
    assert "1 are gone and forgotten." in printed.out

    found = check_run(out, {str(i) for i in range(1, count + 1) if i != 3} | {"new"})
    texts = {row["recording_id"]: row["text"] for row in found["transcripts"]}
    assert texts["2"] == texts["8"], "both are the same recording now"
    assert not found["failures"] and any(row["kept"] for row in found["entities"])
    assert {(row["language"], row["recognizer"]) for row in found["transcripts"]} == {
        ("en", "parakeet"),
        ("zh", "whisper"),
    }
    assert len(json.loads((out / "transcriptions_corrected.json").read_text())) == count
    assert f"{count} transcripts" in printed.out and "0 failures" in printed.out
    assert not any(row["text"] in printed.out + printed.err for row in found["transcripts"])
    run, summary = (json.loads((out / name).read_text()) for name in ("run.json", "summary.json"))
    loads = {model: load["loads"] for model, load in summary["model_loads"].items()}
    assert loads == {"whisper": 2, "parakeet": 2, "tagger": 2}, "one in each call"
    assert {"whisper", "parakeet", "base_model", "adapters.names", "groups", "rules", "patterns"} <= set(run["sha256"])
    assert all(len(value) == 64 for value in run["sha256"].values())

    files = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    predict.main(arguments)
    assert "is finished, and nothing has changed since then." in capsys.readouterr().out
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == files
    (tmp_path / "audio" / "1.flac").touch()
    with pytest.raises(UserError, match=r"is finished already, and since then recordings are others \(1 changed\)"):
        predict.main(arguments)


def test_transcripts_are_tagged_again_without_their_sound(ray_cluster, model_options, tmp_path, capsys):
    audio, first = tmp_path / "audio", tmp_path / "first"
    audio.mkdir()
    for clip in sorted((demo.CLIPS / "audio").iterdir())[:4]:
        shutil.copy(clip, audio)
    predict.main(["--audio", str(audio), "--out", str(first), *model_options, "--parakeet", "none"])
    before = read(first)
    shutil.rmtree(audio)
    for name, given in (("again", first), ("text", first / "task1_answer.txt")):
        predict.main(["--transcripts", str(given), "--out", str(tmp_path / name), *model_options])
        after = read(tmp_path / name)
        assert [row["text"] for row in after["transcripts"]] == [row["text"] for row in before["transcripts"]]
        places = [[(row["recording_id"], row["type"], row["char_start"], row["kept"]) for row in of["entities"]]
                  for of in (before, after)]  # fmt: skip
        assert places[0] == places[1]
        if name == "again":
            recordings = [{**row, "fingerprint": None} for row in after["recordings"]]
            assert recordings == [{**row, "fingerprint": None} for row in before["recordings"]]
            assert {name: after[name] for name in after if name != "recordings"} == {
                name: before[name] for name in before if name != "recordings"
            }
            assert (tmp_path / "again" / "task2_answer.txt").read_text() == (first / "task2_answer.txt").read_text()
        else:
            assert all(row["start_s"] is None for row in after["entities"])
            assert not (tmp_path / "text" / "task2_answer.txt").read_text()
            assert "no times" in capsys.readouterr().out


@pytest.mark.faults
@pytest.mark.parametrize(("every", "count"), [(9, 39), pytest.param(1, 119, marks=pytest.mark.slow)])
def test_real_recordings_of_every_kind_each_end_in_transcripts_or_failures(
    ray_cluster, model_options, tmp_path, shared, every, count
):
    paths = []
    for table, step in (("clips.tsv", every), ("odd.tsv", 1)):
        with (shared / "speech" / table).open(encoding="utf-8") as file:
            paths += [shared / "speech" / row["path"] for row in csv.DictReader(file, delimiter="\t")][::step]
    assert len(paths) == count
    (tmp_path / "audio").mkdir()
    for path in paths:
        (tmp_path / "audio" / path.name).symlink_to(path)
    predict.main(["--audio", str(tmp_path / "audio"), "--out", str(tmp_path / "out"), *model_options])
    found = check_run(tmp_path / "out", {path.stem for path in paths})
    assert {row["recording_id"]: row["stage"] for row in found["failures"]} == dict.fromkeys(
        ["az_good_morning", "az_missing_wav_header", "ps_awful", "ps_bad", "ps_chan3_raw", "ps_null"], "decode"
    )
    assert {row["language"] for row in found["transcripts"]} == {"en", "zh"}
    assert {row["recognizer"] for row in found["transcripts"]} >= {"whisper", "parakeet"}


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.predict", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--audio", "nowhere", "--out", "out"], f"--audio {ROOT}/nowhere: there is no such folder."),
        (["--audio", "jobs", "--out", "out"], f"--audio {ROOT}/jobs: no audio in it"),
        (["--audio", "nowhere", "--out", "out", "--profile", "h100"], "--profile h100: there is no such profile"),
        ([*DEMO, "--profile", "reference", "--whisper", "nowhere"], "--whisper nowhere: there is no"),
        ([*DEMO, "--profile", "reference", "--whisper", "s3://models/w"], "--whisper s3://models/w: models are read"),
        ([*DEMO, "--whisper.beam-size", "0"], "--whisper.beam-size 0: give a number from 1."),
        ([*DEMO, "--tagger.rules", "README.md"], f"{ROOT}/README.md is not valid YAML"),
        (["--audio", "magic://audio", "--out", "out"], "--audio magic://audio: Protocol not known: magic"),
        ([*DEMO[:2], "--out", "README.md/out"], "--out README.md/out cannot be used: Not a directory."),
    ],
    ids=[
        "no folder",
        "no audio",
        "no profile",
        "no model",
        "model URI",
        "number",
        "rules",
        "protocol",
        "out is no folder",
    ],
)
def test_a_users_mistake_is_one_sentence_and_exit_status_1(arguments, sentence):
    done = command(*arguments)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(sentence)
    assert "Traceback" not in done.stderr and not list((ROOT / "runs" / "none").glob("*")), "nothing is half written"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--overwrite", "--retry-failed"], "--overwrite removes what --retry-failed goes on with: give one of them."),
        (["--max-failures", "2"], "--max-failures 2.0: give a number from 0 to 1."),
        (["--whisper", "none"], "--whisper none leaves --audio untranscribed: give a model, or --transcripts."),
        (["--transcripts", "task1_answer.txt"], "Give --audio or --transcripts, one of them."),
    ],
)
def test_options_about_failures_that_cannot_work_are_refused(options, sentence):
    with pytest.raises(UserError) as refused:
        predict.main([*DEMO, *options])
    assert str(refused.value) == sentence


@pytest.mark.parametrize("option", ["--audio", "--out", "--whisper", "--tagger.rules"])
def test_a_submitted_job_refuses_relative_paths(option):
    options = {"--audio": "/data/clips", "--out": "/data/out"} | {option: "jobs"}
    arguments = [word for pair in options.items() for word in pair]
    done = command(*arguments, RAY_JOB_CONFIG_JSON_ENV_VAR="{}")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{option} jobs: a submitted job runs in a copy of the working folder")


def test_help_shows_the_options_and_the_values_of_the_profile():
    done = command("--help", "--profile", "rtx4090", COLUMNS="200")
    assert done.returncode == 0
    assert "--audio" in done.stdout and "andybi7676/cool-whisper" in done.stdout
    assert "--whisper.beam-size" in done.stdout
