"""A tiny untrained tagger with the real files, built once for a run of the tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from pipeline import settings
from pipeline.demo.tiny_tagger import build_tagger
from pipeline.tagging.constraint import Vocabulary
from pipeline.tagging.prompts import end_of_turn
from pipeline.tagging.tagger import Tagger


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
def tagger_settings() -> settings.Tagger:
    return settings.Tagger(quantization="none", dtype="float32", batch_size=8, max_entities=8)


@pytest.fixture(scope="session")
def tagger(tagger_folders: TaggerFolders, tagger_settings: settings.Tagger) -> Tagger:
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


class Forced(torch.nn.Module):
    """A model that wants to write given tokens, whatever it is asked: what a perfectly trained one would do."""

    def __init__(self, base: PreTrainedModel, wanted: Sequence[Sequence[int]]):
        super().__init__()
        self.base = base
        self.wanted = wanted
        self.step = 0

    def forward(self, **inputs):
        output = self.base(**inputs)
        for row, tokens in enumerate(self.wanted):
            output.logits[row, -1, tokens[min(self.step, len(tokens) - 1)]] += 1e4
        self.step += 1
        return output
