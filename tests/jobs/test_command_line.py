"""What every job does the same: who may read what it writes, and how it ends."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import ray

from jobs.command_line import run_job
from pipeline.errors import UserError

ROOT = Path(__file__).parents[2]
JOBS = sorted(file.stem for file in (ROOT / "jobs").glob("*.py") if "run_job(main" in file.read_text(encoding="utf-8"))
SAID = "Mr Zorblaxine has 8675309421"


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    """Leave the process of the tests as it was."""
    handler, umask = signal.getsignal(signal.SIGTERM), os.umask(0o022)
    yield
    signal.signal(signal.SIGTERM, handler)
    os.umask(umask)


def ends(job, monkeypatch, *arguments: str) -> int:
    """Run a job on a command line; give the exit status."""
    monkeypatch.setattr(sys, "argv", ["job", *arguments])
    with pytest.raises(SystemExit) as end:
        run_job(job)
    return end.value.code


@pytest.mark.parametrize("name", JOBS)
def test_each_job_says_in_its_help_who_may_read_what_it_writes(name, monkeypatch, capsys):
    assert ends(importlib.import_module(f"jobs.{name}").main, monkeypatch, "--help") == 0
    assert "--share {nobody,group}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "modes"),
    [([], (0o600, 0o700)), (["--share", "nobody"], (0o600, 0o700)), (["--share", "group"], (0o640, 0o750))],
)
def test_what_a_job_writes_is_its_owners_or_its_groups(before, modes, monkeypatch, tmp_path):
    def job(arguments: list[str]) -> None:
        assert arguments == ["--out", "x"], "the job does not meet the option"
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").touch()

    monkeypatch.setattr(sys, "argv", ["job", *before, "--out", "x"])
    run_job(job)
    assert tuple((tmp_path / name).stat().st_mode & 0o777 for name in ("file", "folder")) == modes


def test_another_word_for_who_may_read_is_refused(monkeypatch, capsys):
    assert ends(lambda arguments: None, monkeypatch, "--share", "all") == 2
    assert "--share" in capsys.readouterr().err


def raising(error: BaseException):
    def job(arguments: list[str]) -> None:
        raise error

    return job


@pytest.mark.parametrize(
    ("job", "status", "sentence"),
    [
        (raising(UserError("--out x is a file: give a folder.")), 1, "--out x is a file: give a folder."),
        (raising(OSError(28, "No space left on device", "x")), 1, "x cannot be read or written: No space left on"),
        (raising(KeyboardInterrupt()), 130, "Interrupted."),
        (lambda arguments: signal.raise_signal(signal.SIGTERM), 143, "Interrupted."),
    ],
    ids=["mistake", "storage", "Ctrl-C", "SIGTERM"],
)
def test_a_job_that_cannot_go_on_ends_with_one_sentence(job, status, sentence, monkeypatch, capsys):
    assert ends(job, monkeypatch) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(sentence)


def faulty(arguments: list[str]) -> None:
    """Fail in a worker of Ray, and again where that is handled; both errors quote a patient."""

    def in_a_worker() -> None:
        raise ValueError(f"cannot learn\n{SAID}\n{SAID}: {SAID}")

    try:
        ray.get(ray.remote(in_a_worker).remote())
    except ValueError as error:
        raise KeyError(SAID) from error


def test_the_traceback_of_a_fault_tells_where_it_was_and_quotes_nothing(ray_cluster, monkeypatch, capsys):
    assert ends(faulty, monkeypatch) == 1
    printed = capsys.readouterr()
    said = printed.out + printed.err
    assert "Zorblaxine" not in said and "8675309421" not in said
    assert "in faulty\n" in said and "in in_a_worker\n" in said, "also in the worker"
    assert "RayTaskError(ValueError)\n" in said and "KeyError\n" in said and "This is a fault of the program" in said


def test_no_job_imports_what_takes_seconds_before_its_first_word():
    slow = {"ray", "torch", "transformers", "nemo", "pandas", "optuna", "datasets"}
    look = f"import sys; import {', '.join(f'jobs.{name}' for name in JOBS)}; print(*({slow} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not found.stdout.split()


def talking(arguments: list[str]) -> None:
    print("two transcripts")
    print("loading ", end="", file=sys.stderr)
    print("Whisper", file=sys.stderr)
    if arguments:
        raise UserError(f"{arguments[0]} is no folder.")


def test_a_quiet_job_says_only_why_it_fails(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["job", "--quiet"])
    run_job(talking)
    assert capsys.readouterr() == ("", "")
    assert ends(talking, monkeypatch, "--quiet", "x") == 1
    assert capsys.readouterr() == ("", "x is no folder.\n")


def test_a_quiet_job_says_which_option_is_wrong(monkeypatch, capsys):
    assert ends(importlib.import_module("jobs.score").main, monkeypatch, "--quiet", "--colour") == 2
    assert "--colour" in capsys.readouterr().err


def test_each_line_becomes_json_with_time_level_and_message(monkeypatch, capsys):
    assert ends(talking, monkeypatch, "--log-json", "x") == 1
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in (*printed.out.splitlines(), *printed.err.splitlines())]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("info", "two transcripts"),
        ("info", "loading Whisper"),
        ("error", "x is no folder."),
    ]
    assert all(datetime.fromisoformat(line["time"]).tzinfo for line in lines)


def test_the_version_is_said_instead_of_work(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["job", "--version", "x"])
    run_job(talking)
    assert re.fullmatch(r"shi-speech \d+\.\d+\.\d+\n", capsys.readouterr().out)
