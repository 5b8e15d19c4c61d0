"""Scores on the command line."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import score
from pipeline import submission, tables
from pipeline.errors import UserError
from pipeline.scoring.entities import MEASURES

ROOT = Path(__file__).parents[2]
TASK1 = "1\tI saw Nora in May\n2\t我在 Taipei 看診\n3\tnothing\n"
TASK2 = "1\tPATIENT\t0.500\t1.000\tNora\n1\tDATE\t2.000\t2.500\tMay\n2\tCITY\t1.000\t1.500\tTaipei\n"


def folder(path: Path, task1: str | None, task2: str | None) -> str:
    path.mkdir()
    for name, content in (("task1_answer.txt", task1), ("task2_answer.txt", task2)):
        if content is not None:
            (path / name).write_text(content, encoding="utf-8")
    return str(path)


def scores_of(tmp_path: Path, reference: str, answered: str, *options: str) -> dict:
    score.main(["--reference", reference, "--submission", answered, "--json", str(tmp_path / "scores.json"), *options])
    return json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))


@pytest.fixture
def reference(tmp_path) -> str:
    return folder(tmp_path / "reference", TASK1, TASK2)


def test_both_tasks_are_scored_and_printed(tmp_path, reference, capsys):
    wrong = TASK2.replace("DATE", "TIME").replace("1.500\tTaipei", "1.250\tTaipei") + "9\tAGE\t0\t1\t9\n"
    answered = folder(tmp_path / "submission", "1\tI saw Nora in may\n2\t我在 Taipei 看診\n9\tyes\n", wrong)
    found = scores_of(tmp_path, reference, answered)
    assert [found["transcripts"][part]["clips"] for part in ("en", "zh", "all")] == [2, 1, 3]
    assert found["transcripts"]["en"]["missing"] == 1
    assert (found["transcripts"]["en"]["wer"], found["transcripts"]["en"]["wer_norm"]) == (2 / 6, 1 / 6)
    assert found["transcripts"]["zh"]["cer"] == 0
    assert found["entities"]["strict"]["micro"] == pytest.approx(dict.fromkeys(("precision", "recall", "f1"), 2 / 3))
    assert found["entities"]["iou50"]["micro"]["f1"] == pytest.approx(2 / 3)
    assert found["entities"]["leak_recall"] == pytest.approx(1.25 / 1.5)
    assert found["entities"]["not_scored"] == {"recordings": 1, "entities": 1}
    assert found["entities"]["recordings"] == 3
    assert found["entities"]["confusion"]["DATE"] == {"TIME": 1}
    assert {part: found["entities"]["by_language"][part]["reference"] for part in ("en", "zh")} == {"en": 2, "zh": 1}
    assert [row["recording_id"] for row in found["worst"]["entities"]] == ["2", "1"]
    printed = capsys.readouterr().out
    for word in ("wer_norm", "33.33", *MEASURES, "leak_recall", "83.33", "DATE", "TIME 1", "worst transcripts"):
        assert word in printed
    assert "1 transcripts of recordings that the reference lacks" in printed
    assert "1 entities of recordings that the reference lacks" in printed


def test_texts_show_only_when_asked_for_and_never_in_the_json(tmp_path, reference, capsys):
    answered = folder(tmp_path / "submission", "1\t[bold]Norah\n", "1\tPATIENT\t0.5\t1.0\tNorah\n")
    scores_of(tmp_path, reference, answered)
    printed = capsys.readouterr().out
    assert not [word for word in ("Nora", "May", "Taipei", "看診") if word in printed]
    scores_of(tmp_path, reference, answered, "--show-text")
    printed = capsys.readouterr().out
    assert "1 submission: [bold]Norah" in printed and "2 reference: 我在 Taipei 看診" in printed
    assert "0.500–1.000 PATIENT Norah" in printed
    written = (tmp_path / "scores.json").read_text(encoding="utf-8")
    assert not [word for word in ("Nora", "May", "Taipei", "看診") if word in written]


def test_tables_score_as_their_text_files_do(tmp_path, reference):
    words = {"words": [], "recognizer": "whisper"}
    transcripts = [
        {"recording_id": "1", "language": "en", "text": "I saw Nora in May"} | words,
        {"recording_id": "2", "language": "zh", "text": "我在台北看診"} | words,
    ]
    common = {"group": "", "source": "adapter", "confidence": 0.5}
    entities = [
        {"recording_id": "1", "type": "DATE", "text": "May", "start_s": 2.00049, "end_s": 2.4996, "kept": True},
        {"recording_id": "1", "type": "AGE", "text": "Nora", "start_s": 0.5, "end_s": 1.0, "kept": False},
    ]
    made = {
        "transcripts": tables.from_rows(transcripts, tables.TRANSCRIPTS),
        "entities": tables.from_rows([common | row for row in entities], tables.ENTITIES),
    }
    for name, table in made.items():
        tables.write(table, f"{tmp_path}/tables/{name}")
    (tmp_path / "text").mkdir()
    submission.write_task1(made["transcripts"], f"{tmp_path}/text/task1_answer.txt")
    submission.write_task2(made["entities"], f"{tmp_path}/text/task2_answer.txt")
    found = [scores_of(tmp_path, reference, str(tmp_path / name)) for name in ("tables", "text")]
    assert found[0] | {"submission": ""} == found[1] | {"submission": ""}
    assert found[0]["entities"]["predicted"] == 1


def test_what_redaction_would_leave_is_scored_printed_and_drawn(tmp_path, reference, capsys):
    found = "1\tDOCTOR\t0.450\t1.000\tNora\n2\tCITY\t1.000\t1.250\tTaipei\n"
    scores = scores_of(tmp_path, reference, folder(tmp_path / "submission", TASK1, found))["redaction"]
    assert scores["clean_recordings"] == {"count": 0, "total": 2, "share": 0.0, "interval": [0.0, 0.0]}
    recall, precision = (
        dict(zip(scores["coverage"]["shares"], scores["coverage"][name], strict=True))
        for name in ("recall", "precision")
    )
    assert [recall[share] for share in (0.5, 0.55, 1.0)] == [2 / 3, 1 / 3, 1 / 3]
    assert [precision[share] for share in (0.9, 0.95, 1.0)] == [1.0, 0.5, 0.5]
    assert scores["coverage"]["by_type"]["DATE"]["recall"] == [0.0] * 20
    assert [scores["text_leak"][what]["share"] for what in ("entities", "words")] == [1 / 3, 1 / 3]
    printed = capsys.readouterr().out
    for line in (
        "clean_recordings .*: 0 of 2, 0.00",
        r"text_leak \(entities .*: 1 of 3, 33.33",
        "recall +66.67 .*33.33",
    ):
        assert re.search(line, printed), line
    assert f"Curves: {tmp_path}/scores.coverage.png" in printed
    assert (tmp_path / "scores.coverage.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_is_redacted_where_its_tables_say_and_a_text_file_wherever_a_text_occurs(tmp_path):
    said = "May saw May"
    wanted = folder(tmp_path / "wanted", f"1\t{said}\n", "1\tDATE\t0\t1\tMay\n1\tPATIENT\t2\t3\tMay\n")
    run = folder(tmp_path / "run", f"1\t{said}\n", "1\tDATE\t0.000\t1.000\tMay\n")
    assert scores_of(tmp_path, wanted, run)["redaction"]["text_leak"]["entities"]["count"] == 0
    row = {"recording_id": "1", "type": "DATE", "group": "", "text": "May", "char_start": 0, "char_end": 3}
    row |= {"start_s": 0.0, "end_s": 1.0, "source": "adapter", "kept": True}
    tables.write(tables.from_rows([row], tables.ENTITIES), f"{run}/entities")
    assert scores_of(tmp_path, wanted, run)["redaction"]["text_leak"]["entities"]["count"] == 1


def test_one_task_alone_is_scored_alone(tmp_path, reference):
    task2 = folder(tmp_path / "task2", None, TASK2)
    found = scores_of(tmp_path, reference, task2)
    assert "transcripts" not in found and found["entities"]["recordings"] == 3
    assert set(found["redaction"]) == {"clean_recordings", "coverage"}
    found = scores_of(tmp_path, task2, reference)
    assert found["entities"]["recordings"] == 2
    assert set(found["entities"]["by_language"]) == {"en"}
    found = scores_of(tmp_path, reference, folder(tmp_path / "task1", TASK1, None))
    assert not {"entities", "redaction"} & found.keys() and found["transcripts"]["all"]["mer"] == 0


def test_types_of_ones_own_are_known_by_their_groups(tmp_path, reference):
    own = folder(tmp_path / "own", TASK1, "1\tMEDICINE\t0.500\t1.000\taspirin\n")
    with pytest.raises(UserError, match="there is no type MEDICINE"):
        score.main(["--reference", own, "--submission", own])
    groups = tmp_path / "groups.yaml"
    groups.write_text("drugs: {types: {MEDICINE: a drug}, examples: ['I take <MEDICINE>aspirin</MEDICINE>']}")
    assert scores_of(tmp_path, own, own, "--groups-file", str(groups))["entities"]["leak_recall"] == 1


@pytest.mark.parametrize(("task1", "task2"), [("", ""), ("", None), (None, "")])
def test_a_reference_of_nothing_gives_no_scores(tmp_path, reference, task1, task2):
    with pytest.raises(UserError, match="holds no transcript and no entity with times: nothing to score"):
        scores_of(tmp_path, folder(tmp_path / "nothing", task1, task2), reference)


def test_a_reference_of_other_recordings_gives_no_scores(tmp_path, reference):
    others = folder(tmp_path / "others", "a\tGood morning.\nb\tGood night.\n", None)
    with pytest.raises(UserError, match=r"\(2 recordings\) and .*reference \(3\) have no id in common"):
        scores_of(tmp_path, others, reference)


def test_a_kind_of_which_the_reference_has_nothing_is_not_scored_and_that_is_said(tmp_path, reference, capsys):
    assert "entities" not in scores_of(tmp_path, folder(tmp_path / "texts", TASK1, ""), reference)
    assert "The reference has transcripts and no entity, so only the transcripts are scored." in capsys.readouterr().out
    assert "transcripts" not in scores_of(tmp_path, folder(tmp_path / "spans", "", TASK2), reference)
    assert "The reference has entities and no transcript, so only the entities are scored." in capsys.readouterr().out
    scores_of(tmp_path, reference, folder(tmp_path / "answer", "", ""))
    assert "answer is empty: it holds no recording." in capsys.readouterr().out


def test_folders_that_cannot_be_compared_are_refused(tmp_path, reference):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad" / "entities").mkdir(parents=True)
    (tmp_path / "bad" / "entities" / "part-0.parquet").write_text("no table")
    texts, spans = folder(tmp_path / "texts", TASK1, None), folder(tmp_path / "spans", None, TASK2)
    torn = folder(tmp_path / "torn", None, TASK2 + "1\tDATE\tsoon\n")
    for one, other, sentence in (
        (
            reference,
            str(tmp_path / "empty"),
            "--submission .*empty holds neither task1_answer.txt nor task2_answer.txt",
        ),
        (str(tmp_path / "nowhere"), reference, "--reference .*nowhere: there is no such folder"),
        (texts, spans, "have nothing in common"),
        (reference, torn, "task2_answer.txt, line 4"),
        (reference, str(tmp_path / "bad"), "is not the table that jobs.predict writes"),
    ):
        with pytest.raises(UserError, match=sentence):
            scores_of(tmp_path, one, other)
    with pytest.raises(UserError, match="is a folder"):
        score.main(["--reference", reference, "--submission", reference, "--json", str(tmp_path)])
    (tmp_path / "scores.coverage.png").mkdir()
    with pytest.raises(UserError, match=r"scores\.coverage\.png is a folder"):
        scores_of(tmp_path, reference, reference)
    assert not (tmp_path / "scores.json").exists()


def test_the_validation_set_against_itself_and_against_an_emptied_copy(shared, tmp_path):
    valid = str(shared / "corpus/valid")
    same = scores_of(tmp_path, valid, valid)
    emptied = scores_of(tmp_path, valid, folder(tmp_path / "emptied", "", ""))
    for found, f1, rate in ((same, 1, 0), (emptied, 0, 1)):
        assert {found["entities"][m][a]["f1"] for m in MEASURES for a in ("micro", "macro")} == {f1}
        assert found["entities"]["leak_recall"] == found["redaction"]["clean_recordings"]["share"] == f1
        assert set(found["redaction"]["coverage"]["recall"]) == {f1}
        assert found["transcripts"]["en"]["wer"] == found["transcripts"]["all"]["mer_per_file"] == rate
    assert same["redaction"]["text_leak"]["entities"]["count"] == 0
    assert same["worst"] == {"transcripts": [], "entities": []}
    assert emptied["transcripts"]["en"]["missing"] == 442


def test_the_emptied_folder_may_also_hold_the_ids(shared, tmp_path):
    valid = shared / "corpus/valid"
    shutil.copytree(valid, tmp_path / "copy")
    ids = submission.read_task1(str(valid / "task1_answer.txt"))
    (tmp_path / "copy" / "task1_answer.txt").write_text("".join(f"{i}\t\n" for i in ids))
    found = scores_of(tmp_path, str(valid), str(tmp_path / "copy"))
    assert found["transcripts"]["en"] == found["transcripts"]["en"] | {"missing": 0, "wer": 1, "mer_per_file": 1}


def test_a_mistake_is_one_sentence_and_exit_status_1(tmp_path):
    command = [sys.executable, "-m", "jobs.score", "--reference", str(tmp_path), "--submission", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "--reference" in done.stderr
