import json

import pytest
import torch
from transformers import LlamaConfig

from pipeline.demo import CLIPS
from pipeline.tagging.constraint import Vocabulary
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.prompts import Prompt, end_of_turn
from tests.benchmarks import tagging
from tests.llama_files import train_tokenizer
from tests.oracle import read_corpus


@pytest.fixture()
def small(monkeypatch):
    """The random model's way, with a small shape."""
    shape = LlamaConfig(
        vocab_size=8192,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=True,
    )
    monkeypatch.setattr(tagging, "LLAMA_3B", shape)
    monkeypatch.setattr(tagging, "CORPUS", tagging.ROOT / "nowhere")


def test_all_three_ways_find_the_labels_and_the_figures_are_written(small, tmp_path):
    file = tmp_path / "figures.json"
    tagging.main(
        tagging.Options(recordings=3, batch_sizes=(2,), seconds=600.0, json=file, random_3b=True, device="cpu")
    )
    figures = json.loads(file.read_text())
    assert set(figures) == {"recordings_per_second", "ratio", "dropped", "mean_passes", "mismatches"}
    for key in ("recordings_per_second", "dropped", "mean_passes"):
        assert set(figures[key]) == set(tagging.WAYS)
    assert figures["mismatches"] == 0
    assert figures["dropped"] == dict.fromkeys(tagging.WAYS, 0)
    assert figures["mean_passes"]["draft_verify"] < 3 < figures["mean_passes"]["stepwise"]
    rates = figures["recordings_per_second"]
    assert figures["ratio"] == rates["draft_verify"] / rates["reference"]


def test_a_text_that_free_generation_alters_is_dropped(small):
    prompts = [Prompt.of(group) for group in load_entity_groups()][:1]
    tokenizer = train_tokenizer(list(prompts[0].examples), 300)
    model = tagging.random_model(tagging.LLAMA_3B, ["names"], torch.device("cpu"))
    vocabulary = Vocabulary(tokenizer, end_of_turn(tokenizer))
    task = tagging.Task(model, tokenizer, vocabulary, prompts, read_corpus(CLIPS)[:2], oracle=False)
    result = tagging.in_batches(task, tagging.reference, 2, 60.0)
    assert result.dropped == len(result.answers) == 2
