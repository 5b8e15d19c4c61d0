"""A job is repeated by the options that it wrote beside its results."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest
import yaml

from jobs import merge, redact, score
from jobs.command_line import run_job
from jobs.config_file import arguments_of, options_of
from tests.jobs.test_redact import write_run


@pytest.fixture
def run(monkeypatch):
    """Give a call of a job as on the command line."""
    handler, umask = signal.getsignal(signal.SIGTERM), os.umask(0o077)

    def call(main, *arguments: str, secret: tuple[str, ...] = ()) -> None:
        monkeypatch.setattr(sys, "argv", [f"/jobs/{main.__module__.partition('.')[2]}.py", *arguments])
        run_job(main, secret)

    yield call
    signal.signal(signal.SIGTERM, handler)
    os.umask(umask)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--out", "runs/a b", "--tagger.thresholds", "PATIENT", "-0.5", "--vtt"],
        ["vote", "--run", "a", "--run", "b", "--weights", "1", "2", "--out", "c"],
        ["--types", "--out", "病歷"],
        ["--whisper.batch-seconds", "-1"],
    ],
)
def test_options_come_back_from_a_file_as_they_were_given(arguments):
    assert arguments_of(yaml.safe_load(yaml.safe_dump(options_of(arguments), sort_keys=False))) == arguments


def test_an_equals_sign_and_an_underscore_are_the_same_option():
    assert options_of(["--out=a=b", "--padding_s", "1"]) == {"out": "a=b", "padding-s": "1"}


def test_a_redaction_is_repeated_from_its_file_and_its_seed_is_not_in_it(run, tmp_path):
    made = str(write_run(tmp_path))
    run(
        redact.main,
        "--run",
        made,
        "--out",
        str(tmp_path / "a"),
        "--types",
        "DATE",
        "PATIENT",
        "--seed",
        "4",
        secret=("seed",),
    )
    file = tmp_path / "a" / "config.yaml"
    content = file.read_text(encoding="utf-8")
    assert yaml.safe_load(content) == {"run": made, "out": str(tmp_path / "a"), "types": ["DATE", "PATIENT"]}
    assert (
        file.read_text(encoding="utf-8").startswith("# Written by shi-speech ")
        and "jobs.redact --config config.yaml" in file.read_text()
    )
    run(redact.main, "--config", str(file), "--out", str(tmp_path / "b"))
    logs = [json.loads((tmp_path / name / "redaction_log.json").read_text(encoding="utf-8")) for name in ("a", "b")]
    assert logs[0]["redactions"] == logs[1]["redactions"] and logs[0]["redactions"]


def test_results_that_are_a_file_have_it_beside_them_and_commands_are_kept(run, tmp_path):
    made = str(write_run(tmp_path))
    run(score.main, "--reference", made, "--submission", made, "--json", str(tmp_path / "scores.json"))
    assert yaml.safe_load((tmp_path / "scores.json.config.yaml").read_text())["reference"] == made
    run(merge.main, "replace", "--base", made, "--source", made, "--types", "DATE", "--out", str(tmp_path / "merged"))
    again = ["--config", str(tmp_path / "merged" / "config.yaml"), "--out", str(tmp_path / "again")]
    run(merge.main, *again)
    assert (tmp_path / "again" / "task2_answer.txt").read_bytes() == (
        tmp_path / "merged" / "task2_answer.txt"
    ).read_bytes()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("- a\n", "give options by name"),
        ("out: {a: 1}\n", "out is no option with a text"),
        ("1: 2\n", "1 is no option"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_file_that_holds_no_options_is_one_sentence(run, tmp_path, content, sentence, capsys):
    (tmp_path / "c.yaml").write_text(content)
    with pytest.raises(SystemExit):
        run(score.main, "--config", str(tmp_path / "c.yaml"))
    printed = capsys.readouterr().err
    assert sentence in printed and "c.yaml" in printed and printed.count("\n") == 1


def test_an_option_that_the_job_does_not_have_is_named(run, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("colour: red\n")
    with pytest.raises(SystemExit):
        run(score.main, "--config", str(tmp_path / "c.yaml"), "--reference", "a", "--submission", "b")
    assert "--colour" in capsys.readouterr().err


def test_a_file_that_no_job_wrote_stays_as_it_is(run, tmp_path):
    made = str(write_run(tmp_path))
    run(redact.main, "--run", made, "--out", str(tmp_path / "a"))
    own = tmp_path / "a" / "config.yaml"
    own.write_text("# by hand\n")
    run(redact.main, "--run", made, "--out", str(tmp_path / "a"), "--overwrite")
    assert own.read_text() == "# by hand\n"


def test_nothing_is_written_where_nothing_was_made(run, tmp_path):
    with pytest.raises(SystemExit):
        run(score.main, "--reference", "nowhere", "--submission", "nowhere", "--json", str(tmp_path / "s.json"))
    assert not list(Path(tmp_path).iterdir())
