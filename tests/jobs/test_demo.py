"""The demo's corpus by one command."""

import subprocess
import sys
from pathlib import Path

import pytest

from jobs import demo
from pipeline.errors import UserError

SIZES = ["--phase-size", "4", "--valid-size", "2", "--test-size", "2"]


def test_a_command_makes_the_corpus(tmp_path, capsys):
    demo.main(["--make-corpus", str(tmp_path / "clinic"), *SIZES])
    assert {path.name for path in tmp_path.iterdir()} == {"clinic"}
    assert len(list((tmp_path / "clinic").rglob("*.flac"))) == 12
    assert "12 recordings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{here}"], "is there already: give another folder, or remove it"),
        (["{here}/new", "--valid-size", "0"], "--valid-size 0: give a number from 1 to 100000"),
        (["s3://bucket/clinic"], "--make-corpus s3://bucket/clinic: training reads and writes mounted storage"),
        (["{here}/file/clinic"], "cannot be written"),
    ],
)
def test_a_users_mistake_is_one_sentence(arguments, sentence, tmp_path):
    (tmp_path / "file").write_text("")
    arguments = [argument.replace("{here}", str(tmp_path)) for argument in arguments]
    with pytest.raises(UserError, match=sentence):
        demo.main(["--make-corpus", *arguments])


def test_an_interrupted_making_leaves_nothing(tmp_path, monkeypatch):
    from pipeline.corpus import synthetic

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "_write_answers", interrupt)
    with pytest.raises(KeyboardInterrupt):
        demo.main(["--make-corpus", str(tmp_path / "clinic"), *SIZES])
    assert not any(tmp_path.iterdir())


def test_help_teaches():
    command = [sys.executable, "-m", "jobs.demo", "--help"]
    shown = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True).stdout
    assert "--make-corpus" in shown and "espeak-ng" in shown
