"""A run's folder: parts become tables, submission files and a summary, and an interrupted run goes on."""

import json
from dataclasses import replace

import pytest

from pipeline import given_transcripts, submission, tables
from pipeline.errors import UserError
from pipeline.outputs.transcriptions import write_transcriptions_json
from pipeline.run_folder import read_run
from pipeline.run_parts import RESULT
from tests.small_run import FAILED, IDS, SETTINGS, SHA256, begun, closed, contents, planned, result, rows, write_parts

pytestmark = pytest.mark.faults


@pytest.fixture
def out(tmp_path):
    out = str(tmp_path / "run")
    made = begun(out)
    assert made.left == set(IDS) and not made.going_on
    write_parts(out, [result("10"), FAILED], [result("9"), result("10")])
    return out


def test_parts_become_tables_with_each_recording_once(out):
    summary = closed(out, seconds=7.0)
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
    closed(out)
    assert submission.read_task1(f"{out}/task1_answer.txt") == {"9": "早安 Lee", "10": "早安 Lee"}
    with open(f"{out}/task2_answer.txt", encoding="utf-8") as file:
        assert file.read() == "9\tPATIENT\t0.400\t0.600\tLee\n10\tPATIENT\t0.400\t0.600\tLee\n"


def test_run_json_tells_settings_versions_and_hashes_and_the_summary_no_text(out, tmp_path):
    closed(out)
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["settings"]["whisper"]["beam_size"] == 5 and run["sha256"] == SHA256
    assert set(run["versions"]) >= {"ray", "torch", "nemo_toolkit"}
    assert "Lee" not in (tmp_path / "run" / "summary.json").read_text()
    assert not (tmp_path / "run" / "parts").exists()


def test_a_run_without_any_transcript_has_empty_tables_and_files(tmp_path):
    out = str(tmp_path / "run")
    begun(out, rows("3"))
    write_parts(out, [FAILED])
    assert closed(out, rows("3"))["failures"] == 1
    assert (
        (tmp_path / "run" / "task1_answer.txt").read_text() == (tmp_path / "run" / "task2_answer.txt").read_text() == ""
    )


def test_a_finished_run_stays_as_it_is_and_the_same_command_says_so(out, tmp_path):
    closed(out)
    files = contents(out)
    write_parts(out, [FAILED])  # as after a kill at the very end
    assert len(read_run(out)["transcripts"]) == 2
    again = begun(out)
    assert again.is_done and not again.left and "is finished, and nothing has changed since then" in again.going_on
    assert contents(out) == files


@pytest.mark.parametrize(
    ("now", "since"),
    [
        (rows("3", "9", "10", "11"), r"\(1 new\)"),
        (rows("9", "10"), r"\(1 gone\)"),
        (rows("3", "9", "11", _9="2 bytes"), r"\(1 new, 1 changed, 1 gone\)"),
    ],
)
def test_a_finished_run_is_not_changed_for_other_recordings_unless_it_may_be_overwritten(out, tmp_path, now, since):
    closed(out)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=f"--out .* is finished already.*{since}.*--overwrite"):
        planned(out, now)
    anew = begun(out, now, overwrite=True)
    assert set(anew.left) == set(now) and not anew.going_on
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["notes.txt", "run.json"]


def test_the_failures_of_a_finished_run_are_taken_up_and_the_rest_stays_as_it_is(out, tmp_path):
    before = closed(out, seconds=7.0)
    texts = (tmp_path / "run" / "task2_answer.txt").read_text()
    retry = begun(out, retry_failed=True)
    assert retry.left == {"3"} and "2 of 3 recordings stay" in retry.going_on
    assert not (tmp_path / "run" / "summary.json").exists(), "an interruption now is one of an unfinished run"
    write_parts(out, [result("3", confidence=0.5)])
    after = closed(out)
    assert (after["transcripts"], after["failures"]) == (3, 0)
    assert after["seconds"] == {"total": 8.0, "whisper": before["seconds"]["whisper"] + 0.25, "decode": 0.5}
    assert after["model_loads"] == {"whisper": {"loads": 2, "seconds": 4.0}}
    kept = [line for line in (tmp_path / "run" / "task2_answer.txt").read_text().splitlines() if line[:1] != "3"]
    assert "\n".join(kept) + "\n" == texts


def test_the_failures_of_an_interrupted_run_are_taken_up(out):
    assert begun(out, retry_failed=True).left == {"3"}
    write_parts(out, [result("3")])
    assert closed(out)["failures"] == 0


def test_a_failure_that_fails_again_stays_one(out):
    begun(out, retry_failed=True)
    assert closed(out)["failures"] == 1


def test_a_run_without_failures_or_with_recordings_that_are_gone_stays_as_it_is(out, tmp_path):
    closed(out)
    with pytest.raises(UserError, match="--audio lacks 1 recordings of the finished run"):
        planned(out, rows("3", "9"), retry_failed=True)
    begun(out, retry_failed=True)
    write_parts(out, [result("3")])
    closed(out)
    nothing = planned(out, retry_failed=True)
    assert nothing.is_done and "is finished, and no recording failed." in nothing.going_on
    assert (tmp_path / "run" / "summary.json").exists()


def test_what_changed_or_is_new_is_taken_up_with_the_failures(out):
    closed(out)
    now = rows("3", "9", "10", "11", _9="2 bytes")
    assert begun(out, now, retry_failed=True).left == {"3", "9", "11"}
    write_parts(out, [result("3"), result("11"), result("9", text="晚安 Lee", fingerprint="2 bytes")])
    assert closed(out, now)["failures"] == 0
    texts = {row["recording_id"]: row["text"] for row in read_run(out)["transcripts"].to_pylist()}
    assert texts == dict.fromkeys(["3", "10", "11"], "早安 Lee") | {"9": "晚安 Lee"}


def test_a_run_that_grows_takes_what_is_new_or_has_changed_and_keeps_what_is_gone(out):
    closed(out)
    now = rows("9", "10", "11", _9="2 bytes")
    grown = begun(out, now, grows=True)
    assert grown.left == {"9", "11"} and "2 of 4 recordings stay as they are" in grown.going_on
    assert grown.recordings == rows("3") | now
    write_parts(out, [result("11"), result("9", text="晚安 Lee", fingerprint="2 bytes")])
    summary = closed(out, grown.recordings)
    assert (summary["transcripts"], summary["failures"]) == (3, 1)
    assert planned(out, now, grows=True).is_done


def test_an_interrupted_run_that_grows_keeps_what_is_gone(out):
    grown = planned(out, rows("11"), grows=True)
    assert grown.left == {"11"} and set(grown.recordings) == {*IDS, "11"}
    assert "3 of 4 recordings are finished." in grown.going_on


def test_failures_are_taken_up_with_the_settings_of_the_run_alone(out):
    closed(out)
    with pytest.raises(UserError, match="holds finished work with other settings or data"):
        planned(out, source="/elsewhere", retry_failed=True)
    assert len(read_run(out)["failures"]) == 1


def test_results_that_are_missing_stop_the_end_of_a_run_and_stay(out, tmp_path):
    with pytest.raises(UserError, match="results of 1 recordings are missing"):
        closed(out, rows(*IDS, "11"))
    assert (tmp_path / "run" / "parts").is_dir() and not (tmp_path / "run" / "task1_answer.txt").exists()


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["recordings", "transcripts", "parts", "task1_answer.txt", "summary.json"])
def test_what_is_not_of_a_run_is_refused_and_stays(tmp_path, name, overwrite):
    (tmp_path / name).mkdir()
    (tmp_path / name / "1.wav").write_bytes(b"the patient's")
    with pytest.raises(UserError, match=rf"holds {name} but no run\.json with it.*give another folder"):
        planned(tmp_path, overwrite=overwrite)
    (tmp_path / "run.json").write_text('{"audio": "of another program"}')
    with pytest.raises(UserError, match=r"its run\.json is damaged, or not of this program: give another folder"):
        planned(tmp_path, overwrite=overwrite)
    assert (tmp_path / name / "1.wav").exists()


def test_a_run_that_finished_nothing_does_not_bind_the_next(tmp_path):
    begun(tmp_path)
    elsewhere = begun(tmp_path, source="/elsewhere")
    assert set(elsewhere.left) == set(IDS) and not elsewhere.going_on
    assert json.loads((tmp_path / "run.json").read_text())["audio"] == "/elsewhere"


def test_an_interrupted_run_goes_on_with_the_same_settings_only(out):
    going_on = planned(out)
    assert not going_on.left
    assert going_on.going_on == "Going on with interrupted work. 3 of 3 recordings are finished."
    other = replace(SETTINGS, whisper=replace(SETTINGS.whisper, beam_size=1))
    with pytest.raises(UserError, match=r"other settings or data \(settings.whisper.beam_size was 5 and is 1\)"):
        planned(out, settings=other)
    with pytest.raises(UserError, match=r'other settings or data \(audio was "/data" and is "/elsewhere"\)'):
        planned(out, source="/elsewhere")
    with pytest.raises(UserError, match=r"other settings or data \(sha256.rules has other contents\)"):
        planned(out, sha256=SHA256 | {"rules": "ef56"})


def test_more_actors_or_another_share_of_a_card_change_no_result(out):
    pool = replace(SETTINGS.tagger.pool, actors=4, threads=1)
    assert not planned(out, settings=replace(SETTINGS, tagger=replace(SETTINGS.tagger, pool=pool))).left


def test_what_is_missing_or_has_changed_is_done_and_what_is_gone_forgotten(out):
    now = rows("9", "10", "11", _9="2 bytes")
    going_on = planned(out, now)
    assert going_on.left == {"9", "11"}
    assert going_on.going_on.endswith(
        "1 of 3 recordings are finished; 1 are done again, as their files have changed; 1 are gone and forgotten."
    )
    write_parts(out, [result("9", text="晚安 Lee", fingerprint="2 bytes"), result("11")])
    closed(out, now)
    texts = {row["recording_id"]: row["text"] for row in read_run(out)["transcripts"].to_pylist()}
    assert texts == {"9": "晚安 Lee", "10": "早安 Lee", "11": "早安 Lee"}
    assert not read_run(out)["failures"]


def test_a_file_that_returns_as_it_was_has_its_result_still(out):
    assert planned(out, rows("9")).left == set()
    assert planned(out).left == set()


@pytest.mark.parametrize("content", [b"", b"PAR1", "half"])
def test_a_part_that_is_damaged_costs_its_own_recordings_alone(out, tmp_path, content):
    part = tmp_path / "run" / "parts" / "part-0.parquet"
    part.write_bytes(part.read_bytes()[:1000] if content == "half" else content)
    going_on = planned(out)
    assert going_on.left == {"3"} and "1 files in parts/ are damaged" in going_on.going_on
    write_parts(out, [], [], [result("3")])
    tables.write(tables.from_rows([result(i) for i in ("9", "10")], RESULT), f"{out}/parts", "part-3")
    assert closed(out)["transcripts"] == 3


def test_no_job_reads_a_run_that_has_not_ended(out, tmp_path):
    closed(out)
    (tmp_path / "run" / "summary.json").unlink()  # as where it was taken up again
    for read in (
        lambda: read_run(out),
        lambda: submission.read_submission("--run", out),
        lambda: given_transcripts.read(out, "--run"),
    ):
        with pytest.raises(UserError, match=r"--run .* holds no finished run"):
            read()


def test_the_references_json_form_has_language_text_and_timed_words(out, tmp_path):
    closed(out)
    write_transcriptions_json(out)
    transcriptions = json.loads((tmp_path / "run" / "transcriptions_corrected.json").read_text())
    assert list(transcriptions) == ["9.flac", "10.flac"]
    assert transcriptions["9.flac"]["language"] == "zh" and transcriptions["9.flac"]["text"] == "早安 Lee"
    assert transcriptions["9.flac"]["words"][2] == {"word": "Lee", "start": 0.4, "end": pytest.approx(0.6)}
