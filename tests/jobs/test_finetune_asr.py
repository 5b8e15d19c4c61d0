"""Parakeet's training as people run it: a folder of manifests in, a model that jobs.predict takes out."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import jiwer
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import torch

from jobs import finetune_asr
from pipeline.errors import UserError
from pipeline.models import locate_parakeet
from pipeline.settings import ParakeetSettings
from pipeline.speech.parakeet import Parakeet
from tuning.asr import load
from tuning.curves import METRICS

ROOT = Path(__file__).parents[2]
OPTIONS = "--learning-rate 6e-3 --warmup-share 0.1 --batch-size 8 --batch-seconds 0 --accumulation 1 --loaders 0"
OPTIONS += " --freq-masks 0 --time-masks 0 --keep 2"


def arguments(manifests: Path, model: Path, out: Path, *more: str) -> list[str]:
    given = ["--manifests", str(manifests), "--out", str(out), "--parakeet", str(model)]
    return [*given, *OPTIONS.split(), *more]


@pytest.fixture(scope="module")
def trained(ray_cluster, tone_manifests, tone_parakeet, tmp_path_factory) -> Path:
    """Out folder of a training that learns its 50 utterances by heart."""
    out = tmp_path_factory.mktemp("trained") / "out"
    finetune_asr.main(arguments(tone_manifests, tone_parakeet, out, "--epochs", "16"))
    return out


def recordings(manifests: Path) -> list[tuple[np.ndarray, str]]:
    lines = [json.loads(line) for line in (manifests / "train.jsonl").read_text().splitlines()]
    return [(soundfile.read(line["audio_filepath"], dtype="float32")[0], line["text"]) for line in lines]


def test_the_error_rate_on_fifty_utterances_falls_below_a_tenth(trained, tone_manifests):
    card = json.loads((trained / "card.json").read_text())
    assert card["before"]["valid_wer"] >= 1 and card["chosen"]["valid_wer"] < 0.1
    utterances = recordings(tone_manifests)
    model = Parakeet(str(locate_parakeet(str(trained))), ParakeetSettings(), "cpu")
    recognised = [transcript.text for transcript in model.transcribe([audio for audio, _ in utterances])]
    assert jiwer.wer([said for _, said in utterances], recognised) < 0.1


def test_the_model_is_the_chosen_checkpoint_with_the_tokenizer_it_began_with(trained, tone_parakeet):
    card = json.loads((trained / "card.json").read_text())
    snapshot = json.loads((trained / "checkpoints" / "checkpoint_manager_snapshot.json").read_text())
    names = {it["metrics"]["step"]: it["checkpoint_dir_name"] for it in snapshot["checkpoint_results"]}
    folder = trained / "checkpoints" / names[card["chosen"]["step"]]
    saved = torch.load(folder / "checkpoint.ckpt", weights_only=False)["state_dict"]
    exported = load(trained / "parakeet.nemo").state_dict()
    assert saved.keys() == exported.keys() and all(torch.equal(saved[name], exported[name]) for name in saved)
    assert tokenizer_files(trained / "parakeet.nemo") == tokenizer_files(tone_parakeet)


def tokenizer_files(model: Path) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(model.read_bytes())) as archive:
        names = [name for name in archive.getnames() if name.endswith(("tokenizer.model", "vocab.txt"))]
        files = {name.rpartition("_")[2]: archive.extractfile(name).read() for name in names}
    assert set(files) == {"tokenizer.model", "vocab.txt"}
    return files


def test_the_card_tells_data_settings_choice_and_cost(trained):
    card = json.loads((trained / "card.json").read_text())
    assert card["data"]["train"]["recordings"] == 50 and card["data"]["valid"]["recordings"] == 25
    assert card["settings"]["learning_rate"] == 6e-3 and set(card["sha256"]) >= {"train.jsonl", "valid.jsonl"}
    assert card["chosen_by"] == "valid_wer" and card["chosen"] == card["kept"][0] and len(card["kept"]) == 2
    assert card["steps"] == 16 * 7 and card["workers"] >= 1
    assert 0 < card["training_seconds"] < card["job_seconds"]


def test_metrics_lie_beside_the_model_as_a_table_a_picture_and_logs(trained):
    metrics = pq.read_table(trained / "metrics")
    assert metrics.schema.equals(METRICS)
    rows = metrics.to_pylist()
    assert {"train_loss", "valid_loss", "valid_wer", "learning_rate"} <= {row["name"] for row in rows}
    assert sum(row["name"] == "valid_wer" for row in rows) == 1 + 16
    assert (trained / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((trained / "tensorboard").glob("events.out.tfevents.*"))
    assert len(list((trained / "checkpoints").glob("epoch-*/checkpoint.ckpt"))) in (2, 3), "the best and the last"


def test_a_finished_training_is_replaced_only_when_told_to(trained, tone_manifests, tone_parakeet):
    with pytest.raises(UserError, match="is finished already: give another folder, or --overwrite"):
        finetune_asr.main(arguments(tone_manifests, tone_parakeet, trained, "--epochs", "16"))


def test_an_unfinished_training_with_other_settings_or_data_is_refused(tone_manifests, tone_parakeet, tmp_path):
    (tmp_path / "training.json").write_text('{"settings": {"epochs": 5}, "sha256": {}, "versions": {}}')
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(UserError, match="holds unfinished work with other settings or data") as refused:
        finetune_asr.main(arguments(tone_manifests, tone_parakeet, tmp_path, "--epochs", "6"))
    assert "settings.epochs was 5 and is 6" in str(refused.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"--manifests": "nowhere"}, f"--manifests: there is no {ROOT}/nowhere/train.jsonl"),
        ({"--parakeet": "nowhere.nemo"}, "--parakeet nowhere.nemo: there is no such folder or file."),
        ({"--out": "s3://bucket/out"}, "--out s3://bucket/out: training reads and writes mounted storage"),
        ({"--out": "README.md/out"}, "--out README.md/out cannot be used: Not a directory."),
        ({"--out": "jobs"}, "--out jobs is not empty: give a folder of its own."),
        ({"--epochs": "0"}, "--epochs 0: give a number from 1."),
        ({"--profile": "h100"}, "--profile h100: there is no such profile; the profiles are demo, rtx4090, reference."),
    ],
)
def test_a_users_mistake_is_one_sentence(options, sentence, tone_manifests, tone_parakeet, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    given = {"--manifests": str(tone_manifests), "--out": str(tmp_path / "out"), "--parakeet": str(tone_parakeet)}
    with pytest.raises(UserError) as refused:
        finetune_asr.main([word for pair in (given | options).items() for word in pair])
    assert str(refused.value).startswith(sentence)
    assert not (tmp_path / "out" / "training.json").exists(), "nothing is begun"


def test_a_mistake_ends_the_command_with_exit_status_1(tmp_path):
    command = [sys.executable, "-m", "jobs.finetune_asr", "--manifests", str(tmp_path), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"--manifests: there is no {tmp_path}/train.jsonl") and "Traceback" not in done.stderr


def wait_for(what: Callable[[], bool], process: subprocess.Popen, most_s: float = 600.0) -> None:
    deadline = time.monotonic() + most_s
    while not what():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.faults
@pytest.mark.slow
def test_a_training_whose_driver_and_then_worker_were_killed_goes_on(tone_manifests, tone_parakeet, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "jobs.finetune_asr", *arguments(tone_manifests, tone_parakeet, out)]
    environment = os.environ | {"RAY_ADDRESS": "local"}

    def epochs_done() -> int:
        try:
            snapshot = json.loads((out / "checkpoints" / "checkpoint_manager_snapshot.json").read_text())
        except (OSError, ValueError):
            return 0
        return max(it["metrics"]["epoch"] for it in snapshot["checkpoint_results"])

    def workers() -> list[int]:
        """Their process ids, in the order in which they began."""
        logs = sorted((out / "tensorboard").glob("events.out.tfevents.*"))
        return [int(log.name.split(".")[-2]) for log in logs]

    first = subprocess.Popen([*command, "--epochs", "24"], cwd=ROOT, env=environment)
    wait_for(lambda: epochs_done() >= 2, first)
    first.kill()
    first.wait()
    reached = epochs_done()
    second = subprocess.Popen([*command, "--epochs", "24"], cwd=ROOT, env=environment)
    wait_for(lambda: epochs_done() >= reached + 2, second)
    os.kill(workers()[1], signal.SIGKILL)
    assert second.wait() == 0

    assert len(workers()) == 3
    rows = pq.read_table(out / "metrics").to_pylist()
    assert [row["epoch"] for row in rows if row["name"] == "valid_wer"] == list(range(25)), "no epoch twice, none lost"
    assert json.loads((out / "card.json").read_text())["chosen"]["valid_wer"] < 0.1
