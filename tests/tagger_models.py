"""A tiny untrained tagger with the real files, built once for a run of the tests."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from pipeline import settings
from pipeline.tagging.constraint import Vocabulary
from pipeline.tagging.prompts import end_of_turn
from pipeline.tagging.tagger import Tagger
from tests.tiny_tagger import build_tagger


@dataclass(frozen=True)
class TaggerFolders:
    """Where the tiny tagger lies."""

    base: Path
    adapters: Path


@pytest.fixture(scope="session")
def tagger_folders(tmp_path_factory: pytest.TempPathFactory) -> TaggerFolders:
    root = tmp_path_factory.mktemp("tagger")
    build_tagger(root / "base", root / "adapters")
    return TaggerFolders(root / "base", root / "adapters")


@pytest.fixture(scope="session")
def tagger_settings() -> settings.TaggerSettings:
    return settings.TaggerSettings(quantization="none", dtype="float32", batch_size=8, max_entities=8)


@pytest.fixture(scope="session")
def tagger(tagger_folders: TaggerFolders, tagger_settings: settings.TaggerSettings) -> Tagger:
    return Tagger(str(tagger_folders.base), str(tagger_folders.adapters), tagger_settings, device="cpu")


@pytest.fixture(scope="session")
def tagger_tokenizer(tagger_folders: TaggerFolders) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tagger_folders.base)


@pytest.fixture(scope="session")
def tagger_base(tagger_folders: TaggerFolders) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(tagger_folders.base, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def vocabulary(tagger_tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
    return Vocabulary(tagger_tokenizer, end_of_turn(tagger_tokenizer))


@pytest.fixture(scope="session")
def tagger_qwen(tagger_tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """An untrained Qwen2 of the same vocabulary: biases on its projections, a head of its own."""
    config = Qwen2Config(
        vocab_size=len(tagger_tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=1,
        initializer_range=0.4,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Qwen2ForCausalLM(config).eval()


LATIN, DIGITS = "abZéễ", "127"
"""Letters and digits of hostile texts."""


def entity_edges(text: str) -> list[int]:
    """Where an entity of a hostile text may begin or end: in no word, in no number, not before an accent."""

    def is_edge(place: int) -> bool:
        before, after = text[:place].rstrip("\u0301")[-1:], text[place : place + 1]
        in_word = any(before and after and {before, after} <= set(kind) for kind in (LATIN, DIGITS))
        return after != "\u0301" and not in_word

    return [place for place in range(len(text) + 1) if is_edge(place)]
