"""What a run would do is said without doing it, and without Ray."""

import pytest
import ray

from jobs import predict
from pipeline import demo
from pipeline.errors import UserError
from pipeline.inputs import Inputs


@pytest.fixture
def say(tmp_path, capsys, monkeypatch):
    """Give a call of the job on the demo's clips that returns what it prints."""
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray is not needed"))

    def call(*options: str) -> str:
        predict.main(["--audio", str(demo.CLIPS / "audio"), "--out", str(tmp_path / "out"), "--dry-run", *options])
        return capsys.readouterr().out

    return call


def test_recordings_hours_models_gpus_and_disk_are_told_and_nothing_is_made(say, tmp_path):
    said = {line.split("  ")[0]: line.partition("  ")[2].strip() for line in say().splitlines()}
    count = len(list((demo.CLIPS / "audio").iterdir()))
    assert said["recordings"] == f"{count} of {count} to work on"
    assert said["sound"].endswith("as the files say")
    assert said["whisper"].startswith(f"{demo.model_paths()['whisper']} (")
    assert said["GPUs"] == "none asked for" and said["free disk"].endswith(f"below {tmp_path / 'out'}")
    assert "Nothing was done: leave out --dry-run to do it." in said
    assert not (tmp_path / "out").exists()


def test_of_many_recordings_the_first_by_their_ids_are_taken(say):
    assert "3 of 3 to work on" in say("--limit", "3")
    assert "3 of 3 to work on" not in say("--limit", "1000000")


def test_the_first_go_by_number_as_in_all_results():
    assert list(Inputs({key: {} for key in ("10", "9", "a", "100")}).first(2).rows) == ["9", "10"]


def test_cards_that_are_asked_for_are_told_with_those_that_are_there(say):
    assert "0.5 for each actor of tagger; this machine has " in say("--tagger.pool.num-gpus", "0.5")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--limit", "0"], "--limit 0: give a number from 1"),
        (["--limit", "-3"], "--limit -3: give a number from 1"),
        (["--whisper.language", "klingon"], "--whisper.language klingon"),
        (["--tagger.opening-bias", "nomes", "1"], "the nearest is names"),
        (["--tagger.thresholds", "PATEINT", "0.3"], "PATIENT"),
        (["--tagger.quantization", "nf4"], "nf4 needs a GPU"),
        (["--decoding.min-duration-s", "9", "--decoding.max-duration-s", "3"], "no recording would be accepted"),
        (["--parakeet", "README.md"], "is not a .nemo file"),
        (["--base-model", "tests"], "lacks config.json"),
        (["--tagger.rules", "README.md"], "README.md"),
    ],
)
def test_what_can_be_known_is_refused(say, options, sentence):
    with pytest.raises(UserError, match=sentence):
        say(*options)
