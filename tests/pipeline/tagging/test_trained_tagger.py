"""The small trained tagger: its decisions are its own, and draft and verify writes what token by token would."""

import pytest

from pipeline import settings, submission
from pipeline.demo import CLIPS, MODELS
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.tagger import Tagger
from tests.benchmarks import tagging
from tests.clinic import read_clips


@pytest.fixture(scope="module")
def trained() -> Tagger:
    tagger_settings = settings.TaggerSettings(quantization="none", dtype="float32", batch_size=8)
    return Tagger(str(MODELS / "base_model"), str(MODELS / "adapters"), tagger_settings, device="cpu")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_finds_what_is_said_in_the_clips(trained, language):
    clips = [clip for clip in read_clips(CLIPS) if clip.said.language == language]
    types = {type_ for group in load_entity_groups() for type_ in group.types}
    names = {clip.recording_id for clip in clips}
    said = {
        (row["recording_id"], row["type"], row["text"])
        for row in submission.read_task2(str(CLIPS / submission.TASK2)).to_pylist()
        if row["recording_id"] in names and row["type"] in types
    }
    found = {
        (clip.recording_id, entity.type, entity.text)
        for clip, entities in zip(clips, trained.tag([clip.said.text for clip in clips]), strict=True)
        for entity in entities
    }
    assert len(said) > 10
    assert len(said & found) >= 0.9 * len(said)
    assert len(said & found) >= 0.8 * len(found)


@pytest.mark.parametrize(("recordings", "sizes"), [(4, (8,)), pytest.param(300, (1, 8, 32), marks=pytest.mark.slow)])
def test_draft_and_verify_writes_what_token_by_token_would(recordings, sizes, capsys):
    task = tagging.load(tagging.Options(model=MODELS, recordings=recordings, device="cpu"))
    slow = tagging.in_batches(task, tagging.token_by_token, 16, float("inf"))
    assert len(slow.answers) == len(task.recordings) * 6
    for size in sizes:
        fast = tagging.draft_and_verify(task, size)
        with capsys.disabled():
            print(f"\nbatch {size}: {fast.mean_passes:.2f} passes; {sorted(fast.passes.items())}")
        assert tagging.mismatches(task, slow, fast) == 0
