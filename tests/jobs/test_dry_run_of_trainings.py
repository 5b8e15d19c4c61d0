"""What a training or a search would do is said without doing it, and without Ray."""

import json
from pathlib import Path

import pytest
import ray

from jobs import finetune_asr, finetune_taggers, search
from pipeline import demo
from pipeline.errors import UserError
from pipeline.out_folder import OutFolder
from tests.jobs.test_finetune_taggers import datasets  # noqa: F401
from tuning.study import Trial

JOBS = {"asr": finetune_asr, "taggers": finetune_taggers, "search": search}
NOTHING = "Nothing was done: leave out --dry-run to do it."


@pytest.fixture(autouse=True)
def without_ray(monkeypatch):
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray is not needed"))


@pytest.fixture(scope="module")
def manifests(tmp_path_factory) -> Path:
    """Two clips to train on, one of them too long, and one to validate on."""
    folder = tmp_path_factory.mktemp("manifests")
    clips = sorted((demo.CLIPS / "audio").iterdir())[:3]
    lines = [
        json.dumps({"audio_filepath": str(clip), "duration": seconds, "text": "good morning"})
        for clip, seconds in zip(clips, (6.0, 60.0, 9.0), strict=True)
    ]
    (folder / "train.jsonl").write_text("\n".join(lines[:2]))
    (folder / "valid.jsonl").write_text(lines[2])
    return folder


@pytest.fixture
def say(datasets, manifests, tmp_path, capsys):  # noqa: F811
    """Give a call of a job that returns what it prints, by its rows' names."""
    data = {"asr": ["--manifests", manifests], "taggers": ["--datasets", datasets], "search": ["--datasets", datasets]}

    def call(job: str, *options: str) -> dict[str, str]:
        given = [*map(str, data[job]), "--out", str(tmp_path / "out"), *options]
        JOBS[job].main([*given, "--dry-run"])
        lines = capsys.readouterr().out.splitlines()
        assert lines[-1] == NOTHING
        return {name.strip(): said.strip() for name, said in ((line[:12], line[12:]) for line in lines)}

    return call


@pytest.mark.parametrize("job", JOBS)
def test_model_gpus_and_disk_are_told_and_nothing_is_made(job, say, tmp_path):
    said = say(job)
    model = "parakeet" if job == "asr" else "base_model"
    assert said[model.replace("_", " ")].startswith(f"{demo.model_paths()[model]} (")
    assert "this machine has" in said["GPUs"] or said["GPUs"] == "none asked for"
    assert said["free disk"].endswith(f"below {tmp_path / 'out'}")
    assert not (tmp_path / "out").exists()


def test_recordings_of_each_set_and_epochs_are_told(say):
    said = say("asr", "--epochs", "7")
    assert said["train"] == "1 recordings, 6 s; 1 more are too short or too long"
    assert said["valid"] == "1 recordings, 9 s" and said["epochs"] == "7, 0 of them finished"


def test_examples_of_each_group_and_trials_are_told(say):
    said = say("taggers", "--groups", "names", "care", "--num-gpus", "0.5")
    assert said["adapters"] == "2 of 2 to train" and said["names"].endswith(" to validate on")
    assert said["GPUs"].startswith("0.5 for each adapter; this machine has ") and "times" not in said
    said = say("search", "--groups", "names", "--trials", "5")
    assert said["trials"] == "5 for each entity group" and said["names"].endswith(", 0 of 5 trials finished")


@pytest.mark.parametrize("job", JOBS)
def test_what_is_finished_in_the_out_folder_is_told_and_stays_as_it_is(job, say, tmp_path, monkeypatch):
    out, asked = tmp_path / "out", {}
    with monkeypatch.context() as patch:  # what a call without --dry-run would write of itself
        patch.setattr(OutFolder, "resume", lambda self, given, overwrite, dry_run: asked.update(given))
        say(job)
    OutFolder(str(out), "search.json" if job == "search" else "training.json", "", []).begin(asked, overwrite=False)
    (out / "checkpoints" / "epoch-0003").mkdir(parents=True)
    (out / "adapters" / "names").mkdir(parents=True)
    for name in ("a", "b"):
        Trial(name, {}, finished=name == "a").write(out / "tune" / "names" / "trials")
    before = sorted(out.rglob("*"))
    row, told = {
        "asr": ("epochs", "20, 3 of them finished"),
        "taggers": ("adapters", "5 of 6 to train"),
        "search": ("names", "1 of 20 trials finished"),
    }[job]
    said = say(job)
    assert said["Going on wit"] == "h interrupted work." and said[row].endswith(told)
    anew = say(job, "--overwrite")
    assert "Going on wit" not in anew and not anew[row].endswith(told)
    assert sorted(out.rglob("*")) == before


@pytest.mark.parametrize(
    ("job", "options", "sentence"),
    [
        ("asr", ["--epochs", "0"], "--epochs 0: give a number from 1"),
        ("asr", ["--parakeet", "README.md"], "is not a .nemo file"),
        ("asr", ["--max-duration-s", "5", "--batch-seconds", "0"], "none of its 2 recordings is from"),
        ("taggers", ["--groups", "nobody"], "no such group"),
        ("taggers", ["--few-shot", "6"], "has 5 few-shot turns"),
        ("taggers", ["--base-model", "tests"], "lacks config.json"),
        ("search", ["--trials", "0"], "--trials 0"),
        ("search", ["--space.rank", "0"], "--space.rank 0"),
        ("search", ["--out", "jobs"], "--out jobs is not empty"),
    ],
)
def test_what_can_be_known_is_refused(say, job, options, sentence):
    with pytest.raises(UserError, match=sentence):
        say(job, *options)
