"""Several submissions merged into one, on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import merge
from pipeline import submission, tables
from pipeline.errors import UserError

ROOT = Path(__file__).parents[2]


def folder(path: Path, task2: str, task1: str | None = None) -> str:
    path.mkdir()
    (path / "task2_answer.txt").write_text(task2, encoding="utf-8")
    if task1 is not None:
        (path / "task1_answer.txt").write_text(task1, encoding="utf-8")
    return str(path)


def run_folder(path: Path, text: str, *rows: dict) -> str:
    words = {"language": "en", "words": [], "recognizer": "whisper"}
    transcripts = tables.from_rows([{"recording_id": "1", "text": text} | words], tables.TRANSCRIPTS)
    common = {"recording_id": "1", "group": "times", "source": "adapter", "kept": True, "char_start": 0, "char_end": 3}
    entities = tables.from_rows([common | row for row in rows], tables.ENTITIES)
    tables.write(transcripts, f"{path}/transcripts")
    tables.write(entities, f"{path}/entities")
    submission.write_task1(transcripts, f"{path}/task1_answer.txt")
    submission.write_task2(entities, f"{path}/task2_answer.txt")
    return str(path)


def date(text: str, start_s: float, confidence: float | None = None) -> dict:
    return {"type": "DATE", "text": text, "start_s": start_s, "end_s": start_s + 1, "confidence": confidence}


def task2(out: Path) -> str:
    return (out / "task2_answer.txt").read_text(encoding="utf-8")


def test_types_are_replaced_on_text_files_and_the_file_is_exact(tmp_path, capsys):
    base = folder(tmp_path / "base", "10\tDATE\t1.5\t2\tMay\n2\tSET\t0\t1\tweekly\n", "2\t每週 weekly\n10\tMay\n")
    source = folder(tmp_path / "source", "2\tSET\t0\t1.25\t每週\n2\tSET\t0\t1.25\t每週\n2\tDATE\t5\t6\tnever\n")
    out = tmp_path / "out"
    merge.main(["replace", "--base", base, "--source", source, "--types", "SET", "ZIP", "--out", str(out)])
    assert task2(out) == "2\tSET\t0.000\t1.250\t每週\n10\tDATE\t1.500\t2.000\tMay\n"
    assert (out / "task1_answer.txt").read_bytes() == Path(base, "task1_answer.txt").read_bytes()
    assert sorted(path.name for path in out.iterdir()) == ["merge.json", "task1_answer.txt", "task2_answer.txt"]
    assert json.loads((out / "merge.json").read_text())["types"] == ["SET", "ZIP"]
    printed = capsys.readouterr().out
    assert "ZIP: base and source had 0 and 0 entities." in printed and "每週" not in printed


def test_what_was_dropped_is_not_counted_and_what_overlaps_is(tmp_path, capsys):
    base = run_folder(tmp_path / "base", "May", date("May", 1), date("May", 3) | {"kept": False})
    source = folder(tmp_path / "source", "1\tSET\t1.500\t4.000\tweekly\n")
    merge.main(["replace", "--base", base, "--source", source, "--types", "SET", "--out", str(tmp_path / "a")])
    assert "2 of them overlap one of another type in time; both are kept." in capsys.readouterr().out
    merge.main(["replace", "--base", source, "--source", base, "--types", "DATE", "--out", str(tmp_path / "b")])
    assert "DATE: base and source had 0 and 1 entities." in capsys.readouterr().out


def test_tables_go_in_and_come_out_with_spans_only_of_the_transcript_that_stays(tmp_path):
    first = run_folder(tmp_path / "first", "May it be", date("May", 1, 0.5))
    second = run_folder(tmp_path / "second", "May it be", date("May", 1.1, 0.9))
    third = run_folder(tmp_path / "third", "Mai it be", date("Mai", 1.05, 0.7))
    out = tmp_path / "out"
    command = ["vote", "--run", first, "--run", second, "--run", third, "--out", str(out)]
    merge.main(command)
    (kept,) = tables.read(str(out / "entities"), tables.ENTITIES).to_pylist()
    assert (kept["text"], kept["confidence"], kept["char_end"]) == ("May", pytest.approx(0.7), 3)
    assert task2(out) == "1\tDATE\t1.100\t2.100\tMay\n"
    assert tables.read(str(out / "transcripts"), tables.TRANSCRIPTS)["text"].to_pylist() == ["May it be"]
    merge.main([*command, "--weights", "1", "1", "3", "--overwrite"])
    (kept,) = tables.read(str(out / "entities"), tables.ENTITIES).to_pylist()
    assert (kept["text"], kept["char_start"], kept["char_end"]) == ("Mai", None, None)


def test_a_table_and_a_text_file_vote_together_and_give_a_text_file(tmp_path):
    first = run_folder(tmp_path / "first", "May", date("May", 1, 0.5))
    second = folder(tmp_path / "second", "1\tDATE\t1.0\t2.0\tMAY\n")
    merge.main(["vote", "--run", first, "--run", second, "--out", str(tmp_path / "out")])
    assert task2(tmp_path / "out") == "1\tDATE\t1.000\t2.000\tMAY\n"
    assert not (tmp_path / "out" / "entities").exists()


def test_empty_files_merge_to_an_empty_file(tmp_path):
    base, source = folder(tmp_path / "base", ""), folder(tmp_path / "source", "")
    merge.main(["replace", "--base", base, "--source", source, "--types", "SET", "--out", str(tmp_path / "a")])
    merge.main(["vote", "--run", base, "--run", source, "--out", str(tmp_path / "b")])
    assert task2(tmp_path / "a") == task2(tmp_path / "b") == ""


def test_the_validation_set_votes_for_itself(shared, tmp_path):
    valid = str(shared / "corpus/valid")
    copy = folder(tmp_path / "copy", Path(valid, "task2_answer.txt").read_text(encoding="utf-8"))
    merge.main(["vote", "--run", valid, "--run", copy, "--out", str(tmp_path / "out")])
    submission.write_task2(submission.read_task2(f"{valid}/task2_answer.txt"), str(tmp_path / "task2_answer.txt"))
    assert task2(tmp_path / "out") == task2(tmp_path)


@pytest.fixture
def two(tmp_path) -> tuple[str, str]:
    return folder(tmp_path / "a", "1\tDATE\t1\t2\tMay\n"), folder(tmp_path / "b", "1\tDATE\t1\t2\tMay\n")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--votes", "3"], "--votes 3: give a number above 0 and at most 2"),
        (["--votes", "0"], "--votes 0: give a number above 0"),
        (["--votes", "nan"], "--votes nan: give a number above 0"),
        (["--weights", "1"], "--weights: give 2 numbers above 0, one for each run"),
        (["--weights", "1", "-1"], "--weights: give 2 numbers above 0"),
        (["--weights", "1", "nan"], "--weights: give 2 numbers above 0"),
        (["--iou", "0"], "--iou 0: give a number above 0"),
        (["--iou", "1.5"], "--iou 1.5: give a number above 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(two, tmp_path, options, sentence):
    with pytest.raises(UserError, match=sentence):
        merge.main(["vote", "--run", two[0], "--run", two[1], "--out", str(tmp_path / "out"), *options])
    assert not (tmp_path / "out").exists()


def test_folders_that_cannot_work_are_refused(two, tmp_path):
    first, second = two
    only_text = tmp_path / "text"
    only_text.mkdir()
    (only_text / "task1_answer.txt").write_text("1\thello\n")
    (tmp_path / "empty").mkdir()
    vote = ["vote", "--out", str(tmp_path / "out"), "--run", first, "--run"]
    for path, sentence in (
        (str(tmp_path / "nowhere"), "there is no such folder"),
        (str(tmp_path / "empty"), "holds neither"),
        (str(only_text), "transcripts but no entities"),
        (first, "given twice"),
    ):
        with pytest.raises(UserError, match=sentence):
            merge.main([*vote, path])
    with pytest.raises(UserError, match="--types date: there is no type date; the nearest is DATE"):
        merge.main(["replace", "--base", first, "--source", second, "--types", "date", "--out", str(tmp_path / "out")])


def test_nothing_is_overwritten_unasked(two, tmp_path):
    runs = ["vote", "--run", two[0], "--run", two[1], "--out"]
    with pytest.raises(UserError, match="is one of the folders to merge"):
        merge.main([*runs, two[0], "--overwrite"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        merge.main([*runs, str(tmp_path / "mine"), "--overwrite"])
    out = tmp_path / "out"
    merge.main([*runs, str(out)])
    with pytest.raises(UserError, match="is finished already: give another folder, or --overwrite to replace it"):
        merge.main([*runs, str(out)])
    (out / "task1_answer.txt").write_text("stale")
    merge.main([*runs, str(out), "--overwrite"])
    assert sorted(path.name for path in out.iterdir()) == ["merge.json", "task2_answer.txt"]


def test_a_mistake_is_one_sentence_and_exit_status_1(tmp_path):
    command = [sys.executable, "-m", "jobs.merge", "vote", "--run", "a", "--out", str(tmp_path / "out"), "--votes", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "--votes 2" in done.stderr
