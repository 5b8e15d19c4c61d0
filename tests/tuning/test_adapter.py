"""Training one adapter, without Ray."""

import json
import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoTokenizer

from pipeline import settings as inference
from pipeline.corpus.tagging_sets import Text, build
from pipeline.tagging.groups import load_groups
from pipeline.tagging.prompts import Prompt, end_of_turn
from pipeline.tagging.tagger import Tagger
from tests.competition import SENTENCES
from tuning import adapter, export
from tuning.curves import METRICS
from tuning.objective import entity_f1
from tuning.settings import Adapter, demo_adapter

GROUP = load_groups()[0]


def make_sets() -> dict[str, pa.Table]:
    """Sets of the names group from the few-shot sentences: half to train on, half to validate."""
    types = {type_ for type_ in GROUP.types}
    texts = [
        Text(
            str(number),
            "gold",
            text,
            [
                {"type": s.type, "char_start": s.char_start, "char_end": s.char_end, "group": "names", "match": "exact"}
                for s in spans
                if s.type in types
            ],
        )
        for number, (text, spans) in enumerate(SENTENCES)
    ]
    prompt = Prompt.of(GROUP)
    return {
        split: build(prompt, [[text] for text in texts[first::2]], 1.0, 0)[0]
        for first, split in enumerate(("train", "valid"))
    }


@pytest.fixture(scope="module")
def knobs(tagger_folders) -> Adapter:
    return replace(demo_adapter(), base_model=str(tagger_folders.base), rank=4, few_shot=0, epochs=3, batch_size=4)


@pytest.fixture(scope="module")
def sets() -> dict[str, pa.Table]:
    return make_sets()


def prompt_of(sets, knobs) -> Prompt:
    return adapter.prompt_of(sets["train"], GROUP.types, GROUP.name, knobs.few_shot)


@pytest.fixture(scope="module")
def trained(sets, knobs, tmp_path_factory):
    return adapter.train(sets, prompt_of(sets, knobs), knobs, tmp_path_factory.mktemp("work"))


def test_the_chosen_checkpoint_has_the_lowest_validation_loss(trained, knobs):
    losses = [(row["value"], row["step"]) for row in trained.metrics.to_pylist() if row["name"] == "valid_loss"]
    assert len(losses) == knobs.epochs
    assert (trained.valid_loss, trained.step) == min(losses)
    assert trained.checkpoint.is_dir() and trained.metrics.schema == METRICS


def test_an_exported_adapter_tags(trained, sets, knobs, tmp_path):
    export.export(trained, sets, knobs, tmp_path / "adapters" / "names")
    folder = tmp_path / "adapters" / "names"
    content = json.loads((folder / "tagging.json").read_text())
    assert content["few_shot"] == [] and content["types"] == dict(GROUP.types)
    assert pq.read_table(folder / "metrics.parquet").equals(trained.metrics)
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    card = (folder / "README.md").read_text()
    assert f"{trained.valid_loss:.4f}" in card and "no certified de-identification" in card
    tagger = inference.Tagger(quantization="none", dtype="float32", missing_adapters="skip")
    assert Tagger(knobs.base_model, str(folder.parent), tagger, device="cpu").tag(["Hello"])


@pytest.mark.parametrize("packing", [False, True])
def test_the_loss_is_on_exactly_the_answers(sets, knobs, packing, tmp_path):
    knobs = replace(knobs, packing=packing)
    trainer = adapter.make_trainer(sets, prompt_of(sets, knobs), knobs, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(knobs.base_model)
    learned = "".join(
        tokenizer.decode(labels[labels != -100])
        for batch in trainer.get_train_dataloader()
        for labels in batch["labels"]
    )
    end = end_of_turn(tokenizer)
    assert sorted(learned.split(end)[:-1]) == sorted(sets["train"]["tagged"].to_pylist())
    assert learned.endswith(end)


def test_packed_neighbours_do_not_see_each_other(sets, knobs, tmp_path):
    knobs = replace(knobs, dropout=0.0, batch_size=1)
    prompt = prompt_of(sets, knobs)
    losses = {}
    for packing in (False, True):
        trainer = adapter.make_trainer(sets, prompt, replace(knobs, packing=packing), tmp_path / str(packing))
        total = count = 0.0
        for batch in trainer.get_train_dataloader():
            answers = (batch["labels"] != -100).sum().item()
            with torch.no_grad():
                total += trainer.compute_loss(trainer.model, batch).item() * answers
            count += answers
        losses[packing] = total / count
    assert losses[True] == pytest.approx(losses[False], rel=1e-5)


def test_with_loss_on_all_the_prompt_is_learned_too(sets, knobs, trained, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(knobs.base_model)
    data = adapter.tokenize(sets["train"], prompt_of(sets, knobs), tokenizer, "all")
    assert data.column_names == ["input_ids"]
    assert trained.tokens["learned_tokens"] < trained.tokens["tokens"] == sum(map(len, data["input_ids"]))


def test_few_shot_turns_are_those_of_the_set(sets):
    whole = adapter.prompt_of(sets["train"], GROUP.types, GROUP.name, None)
    assert whole == Prompt.of(GROUP)
    assert adapter.prompt_of(sets["train"], GROUP.types, GROUP.name, 2) == Prompt.of(GROUP, 2)


def test_an_interrupted_training_ends_like_one_that_was_not(sets, knobs, trained, tmp_path):
    class Killed(Exception):
        pass

    def kill(metrics, model):
        if metrics["epoch"] == 2:
            raise Killed

    with pytest.raises(Killed):
        adapter.train(sets, prompt_of(sets, knobs), knobs, tmp_path, kill)
    (tmp_path / "checkpoint-999").mkdir()
    again = adapter.train(sets, prompt_of(sets, knobs), knobs, tmp_path)
    assert again.valid_loss == pytest.approx(trained.valid_loss, rel=1e-5) and again.step == trained.step
    names = [row["name"] for row in again.metrics.to_pylist()]
    assert names.count("valid_loss") == knobs.epochs
    assert {folder.name for folder in tmp_path.glob("checkpoint-*")} == {
        folder.name for folder in trained.checkpoint.parent.glob("checkpoint-*")
    }


def test_a_training_that_was_interrupted_before_its_last_report_reports_again(sets, knobs, trained, tmp_path):
    told = []
    shutil.copytree(trained.checkpoint.parent, tmp_path / "work")
    adapter.train(sets, prompt_of(sets, knobs), knobs, tmp_path / "work", lambda metrics, model: told.append(metrics))
    (last,) = told
    assert last["epoch"] == knobs.epochs and last["best_valid_loss"] == trained.valid_loss


def test_training_stops_when_validation_gets_no_better(sets, knobs, tmp_path):
    knobs = replace(knobs, learning_rate=1.0, epochs=6, patience=1)
    trained = adapter.train(sets, prompt_of(sets, knobs), knobs, tmp_path)
    losses = [row["value"] for row in trained.metrics.to_pylist() if row["name"] == "valid_loss"]
    assert len(losses) < 6 and losses[-1] > min(losses)
    again = adapter.train(sets, prompt_of(sets, knobs), knobs, tmp_path)
    assert len([row for row in again.metrics.to_pylist() if row["name"] == "valid_loss"]) == len(losses)


def test_losses_that_are_not_finite_are_said(sets, knobs, tmp_path):
    with pytest.raises(ValueError, match="lower the learning rate"):
        adapter.train(sets, prompt_of(sets, knobs), replace(knobs, learning_rate=1e30, epochs=1), tmp_path)


def test_the_score_of_decoding_is_strict(sets, knobs, tmp_path):
    trainer = adapter.make_trainer(sets, prompt_of(sets, knobs), knobs, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(knobs.base_model)
    score = entity_f1(trainer.model, tokenizer, prompt_of(sets, knobs), sets["valid"].slice(0, 3))
    assert 0.0 <= score < 1.0
    empty = sets["valid"].slice(0, 1).set_column(3, "spans", pa.array([[]], sets["valid"].schema.field("spans").type))
    empty = empty.set_column(2, "transcript", pa.array([""]))
    assert entity_f1(trainer.model, tokenizer, prompt_of(sets, knobs), empty) == 1.0
