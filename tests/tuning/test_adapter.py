"""Training one adapter, without Ray."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer
from trl import SFTTrainer

from pipeline.corpus.tagging_datasets import Dataset
from pipeline.settings import TaggerSettings
from pipeline.tagging.prompts import Prompt, end_of_turn
from pipeline.tagging.tagger import Tagger
from tests.competition import SENTENCES
from tests.names_dataset import GROUP, halves, outlier
from tuning import adapter, export
from tuning.curves import METRICS
from tuning.entity_f1 import entity_f1
from tuning.examples import tokenize
from tuning.settings import ADAPTER_PROFILES, AdapterSettings


@pytest.fixture(scope="module")
def settings(tagger_folders) -> AdapterSettings:
    return replace(
        ADAPTER_PROFILES["demo"], base_model=str(tagger_folders.base), rank=4, few_shot=0, epochs=3, batch_size=4
    )


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return halves(SENTENCES)


@pytest.fixture(scope="module")
def prompt(dataset, settings) -> Prompt:
    """As the model reads it in training."""
    return dataset.prompt.with_examples(settings.few_shot)


@pytest.fixture(scope="module")
def trained(dataset, settings, tmp_path_factory):
    return adapter.train(dataset, settings, tmp_path_factory.mktemp("work"))


def test_the_chosen_checkpoint_has_the_lowest_validation_loss(trained, settings):
    losses = [(row["value"], row["step"]) for row in trained.metrics.to_pylist() if row["name"] == "valid_loss"]
    assert len(losses) == settings.epochs
    assert (trained.valid_loss, trained.step) == min(losses)
    assert trained.checkpoint.is_dir() and trained.metrics.schema == METRICS


def test_an_exported_adapter_tags(trained, dataset, settings, tmp_path):
    export.export(trained, dataset, settings, tmp_path / "adapters" / "names")
    folder = tmp_path / "adapters" / "names"
    content = json.loads((folder / "tagging.json").read_text())
    assert content["few_shot"] == [] and content["types"] == dict(GROUP.types)
    assert pq.read_table(folder / "metrics.parquet").equals(trained.metrics)
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    card = (folder / "README.md").read_text()
    assert f"{trained.valid_loss:.4f}" in card and "no certified de-identification" in card
    tagger = TaggerSettings(quantization="none", dtype="float32", missing_adapters="skip")
    assert Tagger(settings.base_model, str(folder.parent), tagger, device="cpu").tag(["Hello"])


def test_an_exported_adapter_has_the_precision_of_the_computation_and_names_its_base(
    trained, dataset, settings, tmp_path
):
    before = load_file(trained.checkpoint / "adapter_model.safetensors")
    for dtype in ("float32", "bfloat16"):
        export.export(trained, dataset, replace(settings, dtype=dtype), tmp_path / dtype)
        after = load_file(tmp_path / dtype / "adapter_model.safetensors")
        expected = {name: weights.to(getattr(torch, dtype)) for name, weights in before.items()}
        assert after.keys() == expected.keys() and all(torch.equal(after[name], expected[name]) for name in after)
        base = Path(settings.base_model)
        assert str(base.parent) not in "".join(file.read_text() for file in (tmp_path / dtype).glob("[!a]*.[jm]*"))
        assert json.loads((tmp_path / dtype / "tagging.json").read_text())["base_model"] == base.name


def test_the_loss_on_a_cpu_is_that_of_trl(dataset, settings, tmp_path, monkeypatch):
    losses = []
    for place, trainer_class in enumerate((adapter.CpuTrainer, SFTTrainer)):
        monkeypatch.setattr(adapter, "CpuTrainer", trainer_class)
        for packing in (False, True):
            trainer = adapter.make_trainer(
                dataset, replace(settings, packing=packing, batch_size=2), tmp_path / f"{place}{packing}"
            )
            trainer.model.eval()
            batches = list(trainer.get_train_dataloader())
            for batch in batches:
                learned = (batch["labels"] != -100).sum()
                with torch.no_grad():
                    losses.append(float(trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=learned)))
    half = len(losses) // 2
    assert losses[:half] == pytest.approx(losses[half:], rel=1e-4) and len(losses) > 4


@pytest.mark.parametrize("packing", [False, True])
def test_the_loss_is_on_exactly_the_answers(dataset, settings, packing, tmp_path):
    settings = replace(settings, packing=packing)
    trainer = adapter.make_trainer(dataset, settings, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(settings.base_model)
    learned = "".join(
        tokenizer.decode(labels[labels != -100])
        for batch in trainer.get_train_dataloader()
        for labels in batch["labels"]
    )
    end = end_of_turn(tokenizer)
    assert sorted(learned.split(end)[:-1]) == sorted(dataset.splits["train"]["tagged"].to_pylist())
    assert learned.endswith(end)


def test_packed_neighbours_do_not_see_each_other(dataset, settings, tmp_path):
    settings = replace(settings, dropout=0.0, batch_size=1)
    losses = {}
    for packing in (False, True):
        trainer = adapter.make_trainer(dataset, replace(settings, packing=packing), tmp_path / str(packing))
        total = count = 0.0
        for batch in trainer.get_train_dataloader():
            answers = (batch["labels"] != -100).sum().item()
            with torch.no_grad():
                total += trainer.compute_loss(trainer.model, batch).item() * answers
            count += answers
        losses[packing] = total / count
    assert losses[True] == pytest.approx(losses[False], rel=1e-5)


def test_with_gradient_checkpointing_the_same_is_learned(dataset, settings, tmp_path):
    losses = []
    for again in (False, True):
        settings = replace(settings, epochs=1, gradient_checkpointing=again)
        losses.append(adapter.train(dataset, settings, tmp_path / str(again)).valid_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_one_long_example_makes_no_sequence_longer_than_its_setting(dataset, settings, tmp_path):
    table = dataset.splits["train"]
    long = Dataset(dataset.prompt, dict(dataset.splits) | {"train": pa.concat_tables([table, outlier(table, 40)])})
    trainer = adapter.make_trainer(long, replace(settings, sequence_tokens=512), tmp_path)
    tokens = [batch["input_ids"].numel() for batch in trainer.get_train_dataloader()]
    assert max(tokens) <= 512 * settings.batch_size, tokens


def test_with_loss_on_all_the_prompt_is_learned_too(dataset, settings, prompt, trained):
    tokenizer = AutoTokenizer.from_pretrained(settings.base_model)
    data = tokenize(dataset.splits["train"], prompt, tokenizer, "all", settings.sequence_tokens)
    assert data.column_names == ["input_ids"]
    assert trained.tokens["learned_tokens"] < trained.tokens["tokens"] == sum(map(len, data["input_ids"]))


@pytest.mark.parametrize("few_shot", [None, 2])
def test_few_shot_turns_are_those_of_the_dataset(dataset, settings, few_shot, tmp_path):
    adapter.make_trainer(dataset, replace(settings, few_shot=few_shot), tmp_path)
    assert Prompt.from_json(json.loads((tmp_path / "tagging.json").read_text())) == Prompt.of(GROUP, few_shot)


class Killed(Exception):
    """Stands for the end of a process in the middle of a training."""


def kill_after(epoch: int):
    def kill(metrics, model):
        if metrics["epoch"] == epoch:
            raise Killed

    return kill


@pytest.mark.faults
def test_an_interrupted_training_ends_like_one_that_was_not(dataset, settings, trained, tmp_path):
    with pytest.raises(Killed):
        adapter.train(dataset, settings, tmp_path, kill_after(2))
    (tmp_path / "checkpoint-999").mkdir()
    (tmp_path / "checkpoint-1000").mkdir()
    (tmp_path / "checkpoint-1000" / "trainer_state.json").write_text('{"epoch": ')
    again = adapter.train(dataset, settings, tmp_path)
    assert again.valid_loss == pytest.approx(trained.valid_loss, rel=1e-5) and again.step == trained.step
    names = [row["name"] for row in again.metrics.to_pylist()]
    assert names.count("valid_loss") == settings.epochs
    assert again.metrics.drop(["seconds", "value"]).equals(trained.metrics.drop(["seconds", "value"]))
    assert {folder.name for folder in tmp_path.glob("checkpoint-*")} == {
        folder.name for folder in trained.checkpoint.parent.glob("checkpoint-*")
    }


@pytest.mark.faults
def test_a_training_that_was_interrupted_before_its_last_report_reports_again(dataset, settings, trained, tmp_path):
    told = []
    shutil.copytree(trained.checkpoint.parent, tmp_path / "work")
    adapter.train(dataset, settings, tmp_path / "work", lambda metrics, model: told.append(metrics))
    (last,) = told
    assert last["epoch"] == settings.epochs and last["best_valid_loss"] == trained.valid_loss


def test_training_stops_when_validation_gets_no_better(dataset, settings, tmp_path):
    settings = replace(settings, learning_rate=1.0, epochs=6, patience=1)
    trained = adapter.train(dataset, settings, tmp_path)
    losses = [row["value"] for row in trained.metrics.to_pylist() if row["name"] == "valid_loss"]
    assert len(losses) < 6 and losses[-1] > min(losses)
    again = adapter.train(dataset, settings, tmp_path)
    assert again.metrics.equals(trained.metrics) and again.checkpoint == trained.checkpoint


def test_patience_goes_on_after_an_interruption(dataset, settings, tmp_path):
    settings = replace(settings, learning_rate=3.0, epochs=8, patience=2)
    through = adapter.train(dataset, settings, tmp_path / "through")
    last = max(row["epoch"] for row in through.metrics.to_pylist())
    assert last < 8
    with pytest.raises(Killed):
        adapter.train(dataset, settings, tmp_path / "killed", kill_after(last - 1))
    again = adapter.train(dataset, settings, tmp_path / "killed")
    assert max(row["epoch"] for row in again.metrics.to_pylist()) == last


def test_losses_that_are_not_finite_are_said(dataset, settings, tmp_path):
    with pytest.raises(ValueError, match="lower the learning rate"):
        adapter.train(dataset, replace(settings, learning_rate=1e30, epochs=1), tmp_path)


def test_the_score_of_decoding_is_strict(dataset, settings, prompt, tmp_path):
    trainer = adapter.make_trainer(dataset, settings, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(settings.base_model)
    valid = dataset.splits["valid"]
    score = entity_f1(trainer.model, tokenizer, prompt, valid.slice(0, 3))
    assert 0.0 <= score < 1.0
    empty = valid.slice(0, 1).set_column(3, "spans", pa.array([[]], valid.schema.field("spans").type))
    empty = empty.set_column(2, "transcript", pa.array([""]))
    assert entity_f1(trainer.model, tokenizer, prompt, empty) == 1.0
