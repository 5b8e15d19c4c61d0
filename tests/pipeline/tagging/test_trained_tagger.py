"""The small trained tagger: its decisions are its own, and draft and verify writes what token by token would."""

import pytest

from pipeline import settings
from pipeline.demo import MODELS
from pipeline.tagging.tagger import Tagger
from tests.benchmarks import tagging

pytestmark = pytest.mark.skipif(
    not (MODELS / "base_model").is_dir(), reason="left out: the demo's tagger is not trained yet"
)


@pytest.fixture(scope="module")
def trained() -> Tagger:
    knobs = settings.Tagger(quantization="none", dtype="float32", batch_size=8)
    return Tagger(str(MODELS / "base_model"), str(MODELS / "adapters"), knobs, device="cpu")


def test_it_finds_entities_in_both_languages(trained):
    texts = [
        "Hello Miss Hudson, I am Doctor Dawson. How was your knee yesterday?",
        "陳小姐你好我是林醫師明天早上八點來抽血",
    ]
    found = [{(entity.type, entity.text) for entity in entities} for entities in trained.tag(texts)]
    assert ("DOCTOR", "Dawson") in found[0] and ("DATE", "yesterday") in found[0]
    assert ("DOCTOR", "林") in found[1]


@pytest.mark.parametrize(("recordings", "sizes"), [(6, (8,)), pytest.param(300, (1, 8, 32), marks=pytest.mark.slow)])
def test_draft_and_verify_writes_what_token_by_token_would(recordings, sizes, capsys):
    task = tagging.load(tagging.Options(model=MODELS, recordings=recordings, device="cpu"))
    slow = tagging.in_batches(task, tagging.token_by_token, 16, float("inf"))
    assert len(slow.answers) == len(task.recordings) * 6
    for size in sizes:
        fast = tagging.draft_and_verify(task, size)
        with capsys.disabled():
            print(f"\nbatch {size}: {fast.mean_passes:.2f} passes; {sorted(fast.passes.items())}")
        assert tagging.mismatches(task, slow, fast) == 0
