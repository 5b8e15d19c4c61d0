"""A run's folder: parts become tables, submission files and a summary, and an interrupted run goes on."""

import json
from dataclasses import replace

import pytest

from pipeline import submission, tables
from pipeline.errors import UserError
from pipeline.outputs.transcriptions import write_transcriptions_json
from pipeline.run_folder import RESULT, close_run, open_run, read_run
from pipeline.settings import Settings

SETTINGS = Settings()
IDS = ["3", "9", "10"]


def word(text, char_start, start_s):
    times = {"start_s": start_s, "end_s": start_s + 0.2, "confidence": None}
    return {"text": text, "char_start": char_start, "char_end": char_start + len(text)} | times


def result(recording_id, text="早安 Lee", failure=None, **fields):
    entity = {"type": "PATIENT", "group": "names", "text": "Lee", "char_start": 3, "char_end": 6, "confidence": 0.5}
    entity |= {"start_s": 0.4, "end_s": 0.6, "source": "adapter", "kept": True}
    timings = [{"stage": "whisper", "worker": "w1", "load_s": 2.0, "seconds": 0.25}]
    timings += [{"stage": "decode", "worker": recording_id, "load_s": 0.0, "seconds": 0.125}]
    row = {"recording_id": recording_id, "path": f"/data/{recording_id}.flac", "timings": timings, "words": []}
    row |= {"entities": [], "failure": failure}
    if not failure:
        row |= {"duration_s": 1.5, "sample_rate": 8_000, "channels": 1, "language": "zh", "text": text}
        row |= {"recognizer": "whisper", "words": [word("早", 0, 0.0), word("安", 1, 0.2), word("Lee", 3, 0.4)]}
        row |= {"entities": [entity, entity | {"type": "DOCTOR", "kept": False}]}
    return row | fields


def write_parts(out, *parts):
    for number, rows in enumerate(parts):
        tables.write(tables.from_rows(rows, RESULT), f"{out}/parts", f"part-{number}")


FAILED = result("3", failure={"stage": "decode", "error": "AudioError: no samples"})


@pytest.fixture
def out(tmp_path):
    out = str(tmp_path / "run")
    assert open_run(out, "/data", SETTINGS, overwrite=False) == (set(), None)
    write_parts(out, [result("10"), FAILED], [result("9"), result("10")])
    return out


def test_parts_become_tables_with_each_recording_once(out):
    summary = close_run(out, IDS, {"whisper": "ab12"}, seconds=7.0)
    read = {name: tables.read(f"{out}/{name}", schema).to_pylist() for name, schema in tables.SCHEMAS.items()}
    assert [row["recording_id"] for row in read["recordings"]] == ["3", "9", "10"]
    assert [row["recording_id"] for row in read["transcripts"]] == ["9", "10"]
    assert read["failures"] == [{"recording_id": "3", "stage": "decode", "error": "AudioError: no samples"}]
    assert [(row["recording_id"], row["type"], row["kept"]) for row in read["entities"]] == [
        ("9", "PATIENT", True),
        ("9", "DOCTOR", False),
        ("10", "PATIENT", True),
        ("10", "DOCTOR", False),
    ]
    assert {
        key: summary[key] for key in ("recordings", "transcripts", "failures", "entities", "audio_seconds", "with_note")
    } == {"recordings": 3, "transcripts": 2, "failures": 1, "entities": 2, "audio_seconds": 3.0, "with_note": 0}
    assert summary["seconds"] == {"total": 7.0, "whisper": 0.75, "decode": 0.375}
    assert summary["model_loads"] == {"whisper": {"loads": 1, "seconds": 2.0}}


def test_the_submission_files_hold_the_transcripts_and_the_kept_entities(out):
    close_run(out, IDS, {}, seconds=1.0)
    assert submission.read_task1(f"{out}/task1_answer.txt") == {"9": "早安 Lee", "10": "早安 Lee"}
    with open(f"{out}/task2_answer.txt", encoding="utf-8") as file:
        assert file.read() == "9\tPATIENT\t0.400\t0.600\tLee\n10\tPATIENT\t0.400\t0.600\tLee\n"


def test_run_json_tells_settings_versions_and_model_hashes_and_the_summary_no_text(out, tmp_path):
    close_run(out, IDS, {"whisper": "ab12"}, seconds=1.0)
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["settings"]["whisper"]["beam_size"] == 5 and run["model_sha256"] == {"whisper": "ab12"}
    assert set(run["versions"]) >= {"ray", "torch", "nemo_toolkit"}
    assert "Lee" not in (tmp_path / "run" / "summary.json").read_text()
    assert not (tmp_path / "run" / "parts").exists()


def test_a_run_without_any_transcript_has_empty_tables_and_files(tmp_path):
    out = str(tmp_path / "run")
    open_run(out, "/data", SETTINGS, overwrite=False)
    write_parts(out, [FAILED])
    assert close_run(out, ["3"], {}, seconds=1.0)["failures"] == 1
    assert (
        (tmp_path / "run" / "task1_answer.txt").read_text() == (tmp_path / "run" / "task2_answer.txt").read_text() == ""
    )


def test_a_finished_run_is_kept_unless_it_may_be_overwritten(out, tmp_path):
    close_run(out, IDS, {}, seconds=1.0)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"--out .* is finished already.*--overwrite"):
        open_run(out, "/data", SETTINGS, overwrite=False)
    assert open_run(out, "/data", SETTINGS, overwrite=True) == (set(), None)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["notes.txt", "run.json"]


def test_the_failures_of_a_finished_run_are_taken_up_and_the_rest_stays_as_it_is(out, tmp_path):
    before = close_run(out, IDS, {}, seconds=7.0)
    texts = (tmp_path / "run" / "task2_answer.txt").read_text()
    done, resumed = open_run(out, "/data", SETTINGS, overwrite=False, retry=IDS)
    assert done == {"9", "10"} and resumed
    assert not (tmp_path / "run" / "summary.json").exists(), "an interruption now is one of an unfinished run"
    write_parts(out, [result("3", confidence=0.5)])
    after = close_run(out, IDS, {}, seconds=1.0)
    assert (after["transcripts"], after["failures"]) == (3, 0)
    assert after["seconds"] == {"total": 8.0, "whisper": before["seconds"]["whisper"] + 0.25, "decode": 0.5}
    assert after["model_loads"] == {"whisper": {"loads": 2, "seconds": 4.0}}
    kept = [line for line in (tmp_path / "run" / "task2_answer.txt").read_text().splitlines() if line[:1] != "3"]
    assert "\n".join(kept) + "\n" == texts


def test_the_failures_of_an_interrupted_run_are_taken_up(out):
    done, _ = open_run(out, "/data", SETTINGS, overwrite=False, retry=IDS)
    assert done == {"9", "10"}
    write_parts(out, [result("3")])
    assert close_run(out, IDS, {}, seconds=1.0)["failures"] == 0


def test_a_run_without_failures_or_with_recordings_that_are_gone_is_not_taken_up(out, tmp_path):
    close_run(out, IDS, {}, seconds=1.0)
    with pytest.raises(UserError, match="--audio lacks 1 recordings of the run"):
        open_run(out, "/data", SETTINGS, overwrite=False, retry=["3", "9"])
    open_run(out, "/data", SETTINGS, overwrite=False, retry=IDS)
    write_parts(out, [result("3")])
    close_run(out, IDS, {}, seconds=1.0)
    with pytest.raises(UserError, match="no recording failed"):
        open_run(out, "/data", SETTINGS, overwrite=False, retry=IDS)
    assert (tmp_path / "run" / "summary.json").exists()


def test_taking_up_failures_can_be_interrupted(out, monkeypatch):
    close_run(out, IDS, {}, seconds=1.0)
    with monkeypatch.context() as patched, pytest.raises(OSError):

        def refuse(*_, **__):
            raise OSError

        patched.setattr("fsspec.implementations.local.LocalFileSystem.rm", refuse)
        open_run(out, "/data", SETTINGS, overwrite=False, retry=IDS)
    assert open_run(out, "/data", SETTINGS, overwrite=False, retry=IDS)[0] == {"9", "10"}
    write_parts(out, [result("3")])
    assert close_run(out, IDS, {}, seconds=1.0)["transcripts"] == 3


def test_failures_are_taken_up_with_the_settings_of_the_run_alone(out):
    close_run(out, IDS, {}, seconds=1.0)
    with pytest.raises(UserError, match="other settings or data"):
        open_run(out, "/elsewhere", SETTINGS, overwrite=False, retry=IDS)
    assert len(read_run(out)["failures"]) == 1


def test_results_that_are_missing_stop_the_end_of_a_run_and_stay(out, tmp_path):
    with pytest.raises(UserError, match="results of 1 recordings are missing"):
        close_run(out, [*IDS, "11"], {}, seconds=1.0)
    assert (tmp_path / "run" / "parts").is_dir() and not (tmp_path / "run" / "task1_answer.txt").exists()


def test_only_a_run_is_overwritten_never_folders_of_other_origin(tmp_path):
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "1.wav").write_bytes(b"the patient's")
    open_run(str(tmp_path), "/data", SETTINGS, overwrite=True)
    assert (tmp_path / "recordings" / "1.wav").exists()


def test_a_run_that_finished_nothing_does_not_bind_the_next(tmp_path):
    out = str(tmp_path)
    open_run(out, "/data", SETTINGS, overwrite=False)
    assert open_run(out, "/elsewhere", SETTINGS, overwrite=False) == (set(), None)
    assert json.loads((tmp_path / "run.json").read_text())["audio"] == "/elsewhere"


def test_an_interrupted_run_goes_on_with_the_same_settings_only(out):
    done, resumed = open_run(out, "/data", SETTINGS, overwrite=False)
    assert done == {"3", "9", "10"} and resumed == "Going on with interrupted work."
    other = replace(SETTINGS, whisper=replace(SETTINGS.whisper, beam_size=1))
    with pytest.raises(UserError, match=r"other settings or data \(settings.whisper.beam_size was 5 and is 1\)"):
        open_run(out, "/data", other, overwrite=False)
    with pytest.raises(UserError, match=r'other settings or data \(audio was "/data" and is "/elsewhere"\)'):
        open_run(out, "/elsewhere", SETTINGS, overwrite=False)


@pytest.mark.parametrize("overwrite", [False, True])
def test_parts_of_an_unknown_run_are_refused_and_stay(out, tmp_path, overwrite):
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(UserError, match=r"holds parts of a run but not its run\.json: give another folder"):
        open_run(out, "/data", SETTINGS, overwrite)
    assert list((tmp_path / "run" / "parts").iterdir())


def test_a_run_that_was_killed_at_its_very_end_is_finished(out, tmp_path):
    close_run(out, IDS, {}, seconds=1.0)
    write_parts(out, [FAILED])
    assert len(read_run(out)["transcripts"]) == 2


def test_the_references_json_form_has_language_text_and_timed_words(out, tmp_path):
    close_run(out, IDS, {}, seconds=1.0)
    write_transcriptions_json(out)
    transcriptions = json.loads((tmp_path / "run" / "transcriptions_corrected.json").read_text())
    assert list(transcriptions) == ["9.flac", "10.flac"]
    assert transcriptions["9.flac"]["language"] == "zh" and transcriptions["9.flac"]["text"] == "早安 Lee"
    assert transcriptions["9.flac"]["words"][2] == {"word": "Lee", "start": 0.4, "end": pytest.approx(0.6)}
