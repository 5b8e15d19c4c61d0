"""Parakeet's training without Ray: it can be interrupted, ends in time, and prefers no model that writes nothing."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import open_dict

from tests.tones import write_manifests
from tuning import asr_validation
from tuning.asr import data, fit, load
from tuning.asr_validation import checkpoint_score
from tuning.settings import AsrSettings

SETTINGS = AsrSettings(learning_rate=3e-3, min_learning_rate=1e-4, warmup_share=0.1, epochs=3, batch_size=4, loaders=0)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Several threads wait for each other longer than they compute, for a model this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def manifests(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    write_manifests(folder, 12, 6)
    return folder


class Killed(Exception):
    """Stands for the end of a process in the middle of a training."""


class Reported:
    """Keeps what a training reports, until it is killed."""

    def __init__(self, folder: Path, killed_after: int = 0):
        self.folder, self.killed_after = folder, killed_after
        self.values: list[dict[str, float]] = []

    def __call__(self, values: dict[str, float], folder: Path | None) -> None:
        self.values.append(values)
        shutil.copytree(folder, self.checkpoint(len(self.values)))
        if self.killed_after == len(self.values):
            raise Killed

    def checkpoint(self, number: int) -> Path:
        return self.folder / f"checkpoint{number}"


@pytest.fixture(scope="module")
def through(tone_parakeet, manifests, tmp_path_factory) -> Reported:
    """A training that nothing interrupts."""
    reported = Reported(tmp_path_factory.mktemp("through"))
    fit(tone_parakeet, manifests, SETTINGS, reported, reported.folder, reported.folder / "kept")
    return reported


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return torch.load(checkpoint / "checkpoint.ckpt", weights_only=False)["state_dict"]


def test_a_model_with_the_flags_of_nvidias_recipe_has_a_validation_loss(tone_parakeet, manifests, through, tmp_path):
    model = load(tone_parakeet)
    with open_dict(model.cfg):
        model.cfg.compute_eval_loss = False
        model.cfg.joint.fuse_loss_wer, model.cfg.joint.fused_batch_size = True, 4
    model.save_to(str(tmp_path / "fused.nemo"))
    reported = Reported(tmp_path)
    fit(tmp_path / "fused.nemo", manifests, replace(SETTINGS, epochs=1), reported, tmp_path, tmp_path / "kept")
    (values,) = reported.values
    assert values["valid_loss"] == pytest.approx(through.values[0]["valid_loss"], rel=0.2)


def test_after_each_epoch_a_checkpoint_is_reported_with_its_error_rate_and_loss(through):
    steps_an_epoch = 2  # 12 recordings, 4 a batch, 2 batches a step
    assert [(values["epoch"], values["step"]) for values in through.values] == [
        (epoch, epoch * steps_an_epoch) for epoch in (1, 2, 3)
    ]
    assert all(
        values["score"] == checkpoint_score(values["valid_wer"], values["valid_loss"]) for values in through.values
    )
    losses = [values["valid_loss"] for values in through.values]
    assert losses == sorted(losses, reverse=True)


def test_a_checkpoint_is_written_once_where_it_stays(through):
    kept = through.folder / "kept"
    assert sorted(folder.name for folder in kept.iterdir()) == ["epoch-0001", "epoch-0002", "epoch-0003"]
    assert sorted(file.name for file in (kept / "epoch-0003").iterdir()) == ["checkpoint.ckpt", "metrics.parquet"]


@pytest.mark.faults
def test_what_a_killed_process_left_of_a_checkpoint_is_replaced(tone_parakeet, manifests, through, tmp_path):
    for left in ("unfinished", "epoch-0001"):
        (tmp_path / "kept" / left).mkdir(parents=True)
        (tmp_path / "kept" / left / "checkpoint.ckpt").write_bytes(b"half of it")
    fit(tone_parakeet, manifests, replace(SETTINGS, epochs=1), Reported(tmp_path), tmp_path, tmp_path / "kept")
    assert [folder.name for folder in (tmp_path / "kept").iterdir()] == ["epoch-0001"]
    assert weights(tmp_path / "kept" / "epoch-0001").keys() == weights(through.checkpoint(1)).keys()


def test_metrics_begin_with_the_model_before_training(through):
    rows = pq.read_table(through.checkpoint(3) / "metrics.parquet").to_pylist()
    steps = {name: [row["step"] for row in rows if row["name"] == name] for name in {row["name"] for row in rows}}
    assert steps["valid_loss"] == steps["valid_wer"] == [0, 2, 4, 6]
    assert steps["train_loss"] == steps["learning_rate"] == [2, 4, 6]
    assert [row["epoch"] for row in rows if row["name"] == "valid_wer"] == [0, 1, 2, 3]


@pytest.mark.faults
def test_a_training_that_was_killed_goes_on_and_ends_with_the_same_weights(through, tone_parakeet, manifests, tmp_path):
    killed = Reported(tmp_path, killed_after=2)
    with pytest.raises(Killed):
        fit(tone_parakeet, manifests, SETTINGS, killed, tmp_path, tmp_path / "kept")
    again = Reported(tmp_path / "again")
    fit(tone_parakeet, manifests, SETTINGS, again, tmp_path, tmp_path / "kept", resume=killed.checkpoint(2))

    assert killed.values + again.values == through.values
    ended, expected = weights(again.checkpoint(1)), weights(through.checkpoint(3))
    assert all(torch.equal(ended[name], expected[name]) for name in expected)
    rows, expected_rows = (
        pq.read_table(folder / "metrics.parquet").drop(["seconds"]).to_pylist()
        for folder in (again.checkpoint(1), through.checkpoint(3))
    )
    assert rows == expected_rows


def test_a_finished_training_that_is_given_again_does_nothing(through, tone_parakeet, manifests, tmp_path):
    again = Reported(tmp_path)
    fit(tone_parakeet, manifests, SETTINGS, again, tmp_path, tmp_path / "kept", resume=through.checkpoint(3))
    assert not again.values


def test_a_training_out_of_patience_ends_and_stays_ended(tone_parakeet, manifests, tmp_path, monkeypatch):
    monkeypatch.setattr(asr_validation, "checkpoint_score", lambda wer, loss: 0.5)
    settings = replace(SETTINGS, epochs=9, patience=1)
    reported, again = Reported(tmp_path / "first"), Reported(tmp_path / "second")
    fit(tone_parakeet, manifests, settings, reported, tmp_path, tmp_path / "kept")
    assert [values["epoch"] for values in reported.values] == [1, 2]
    fit(tone_parakeet, manifests, settings, again, tmp_path, tmp_path / "kept", resume=reported.checkpoint(2))
    assert not again.values


def test_no_transcript_is_printed_or_logged(tone_parakeet, manifests, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    fit(tone_parakeet, manifests, replace(SETTINGS, epochs=1), Reported(tmp_path), tmp_path, tmp_path / "kept")
    printed = capfd.readouterr()
    texts = [line.split('"text": "')[1].rstrip('"}') for line in (manifests / "train.jsonl").read_text().splitlines()]
    assert len(texts) == 12
    assert not any(text in caplog.text + printed.out + printed.err for text in texts)


def test_an_empty_model_never_wins_over_one_that_writes():
    pairs = ((1.0, 25.0), (1.4, 12.0), (0.98, 30.0), (0.2, 9.0))
    empty, wild, learning, good = (checkpoint_score(*pair) for pair in pairs)
    assert sorted([empty, wild, learning, good]) == [good, learning, wild, empty]
    assert checkpoint_score(1.0, float("nan")) == checkpoint_score(float("nan"), float("nan")) == float("inf")


@given(*[st.tuples(st.floats(0, 3), st.floats(0, 100))] * 2)
def test_of_two_checkpoints_the_error_rate_decides_below_one_and_else_the_loss(one, other):
    if min(one[0], other[0]) < 1:
        assert (checkpoint_score(*one) < checkpoint_score(*other)) == (one[0] < other[0])
    else:
        assert (checkpoint_score(*one) < checkpoint_score(*other)) == (1 + one[1] < 1 + other[1])


def batches(
    manifest: Path, settings: AsrSettings, epoch: int, rank: int = 0, gpus: int = 1
) -> list[list[tuple[str, float]]]:
    from nemo.collections.common.data.lhotse.dataloader import get_lhotse_dataloader_from_config

    loader = get_lhotse_dataloader_from_config(data(manifest, settings, train=True), rank, gpus, None)
    loader.sampler.set_epoch(epoch)
    return [[(cut.id, cut.duration) for cut in batch] for batch in loader.sampler]


def test_an_epoch_is_the_same_every_time_and_other_than_the_next(tone_manifests):
    settings, manifest = replace(SETTINGS, batch_size=16, batch_seconds=12.0), tone_manifests / "train.jsonl"
    first, again, following = (batches(manifest, settings, epoch) for epoch in (0, 0, 1))
    assert first == again != following
    for epoch in (first, following):
        assert len({name for batch in epoch for name, _ in batch}) == sum(map(len, epoch)) == 50


def test_a_batch_holds_recordings_of_like_length_within_the_seconds_it_may_have(tone_manifests):
    settings = replace(SETTINGS, batch_size=16, batch_seconds=12.0)
    for batch in batches(tone_manifests / "train.jsonl", settings, 0):
        durations = [duration for _, duration in batch]
        assert len(batch) <= 16 and len(batch) * max(durations) <= 12.0
        assert max(durations) - min(durations) < 1.2, "a thirtieth of what the longest recording may have"


def test_each_gpu_gets_as_many_batches_as_the_others(tone_manifests):
    settings, manifest = replace(SETTINGS, batch_seconds=12.0), tone_manifests / "train.jsonl"
    of_gpus = [batches(manifest, settings, 0, rank, 3) for rank in range(3)]
    assert len({len(some) for some in of_gpus}) == 1
    together = {name for some in of_gpus for batch in some for name, _ in batch}
    assert together == {name for batch in batches(manifest, settings, 0) for name, _ in batch}


def test_recordings_outside_the_limits_take_no_part(tone_manifests):
    settings = replace(SETTINGS, min_duration_s=1.2, max_duration_s=1.8)
    durations = [duration for batch in batches(tone_manifests / "train.jsonl", settings, 0) for _, duration in batch]
    assert durations and all(1.2 <= duration <= 1.8 for duration in durations)


def test_a_model_loads_on_the_cpu(tone_parakeet):
    assert load(tone_parakeet).device == torch.device("cpu")
