"""The small trained tagger: its decisions are its own, and draft and verify writes what token by token would."""

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from pipeline import settings
from pipeline.tagging.tagger import Tagger
from tests.benchmarks import tagging

FOLDER = Path(__file__).parents[2] / "data" / "tagger"

pytestmark = pytest.mark.skipif(
    not (FOLDER / "base").is_dir(), reason="left out: tests/data/tagger/train.py has not been run"
)


@pytest.fixture(scope="module")
def trained() -> Tagger:
    knobs = settings.Tagger(quantization="none", dtype="float32", batch_size=8)
    return Tagger(str(FOLDER / "base"), str(FOLDER / "adapters"), knobs, device="cpu")


def test_it_is_small():
    base = AutoModelForCausalLM.from_pretrained(FOLDER / "base")
    assert sum(weights.numel() for weights in base.parameters()) <= 2_000_000
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) <= 6_000_000


def test_it_finds_entities_in_both_languages(trained):
    texts = [
        "Good morning Priya, I'm Dr. Moreau, how have you been since yesterday?",
        "陳小姐你好我是林醫師明天早上八點來抽血",
    ]
    found = [{(entity.type, entity.text) for entity in entities} for entities in trained.tag(texts)]
    assert ("DOCTOR", "Moreau") in found[0] and ("DATE", "yesterday") in found[0]
    assert ("DOCTOR", "林") in found[1]


@pytest.mark.parametrize(("recordings", "sizes"), [(6, (8,)), pytest.param(300, (1, 8, 32), marks=pytest.mark.slow)])
def test_draft_and_verify_writes_what_token_by_token_would(recordings, sizes, capsys):
    task = tagging.load(tagging.Options(model=FOLDER, recordings=recordings, device="cpu"))
    slow = tagging.in_batches(task, tagging.token_by_token, 32, float("inf"))
    assert len(slow.answers) == len(task.recordings) * 6
    for size in sizes:
        fast = tagging.draft_and_verify(task, size)
        with capsys.disabled():
            print(f"\nbatch {size}: {fast.mean_passes:.2f} passes; {sorted(fast.passes.items())}")
        assert tagging.mismatches(task, slow, fast) == 0
