"""The demo's trained recognisers: what they are said to hear is what they hear."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.corpus import synthetic
from pipeline.demo import CLIPS, MODELS
from pipeline.settings import demo_profile
from pipeline.speech.parakeet import Parakeet
from pipeline.speech.whisper import load_whisper
from tuning.demo.corpus import read_clips
from tuning.demo.scores import hear, scores

WHISPER, PARAKEET = str(MODELS / "whisper"), str(MODELS / "parakeet.nemo")


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    return json.loads((MODELS / "scores.json").read_text())


def check(measured: dict[str, Any], said: dict[str, Any]) -> None:
    """Compare with room for a word or two: arithmetic differs a little from one processor to the next."""
    clip = 1.01 / sum(said[language]["clips"] for language in ("en", "zh"))
    assert measured["routed"] == pytest.approx(said["routed"], abs=clip)
    for language in ("en", "zh"):
        for part in ("clips", "error_rate", "word_start_off_s", "word_end_off_s"):
            assert measured[language][part] == pytest.approx(said[language][part], abs=0.02)


def test_the_shipped_clips_are_heard_as_the_card_says(said):
    check(scores(hear(CLIPS, WHISPER, PARAKEET)), said["clips"])


@pytest.mark.slow
def test_the_test_part_of_the_clinic_is_heard_as_the_card_says(said, tmp_path: Path):
    sizes = {"phase1": 6000, "phase2": 6000, "valid": 300, "test": 600}
    synthetic.make(tmp_path, sizes, seed=2025, phases=("test",))
    measured = scores(hear(tmp_path / "test", WHISPER, PARAKEET))
    check(measured, said["test"])
    for language in ("en", "zh"):
        for part in ("seen_names_right", "unseen_names_right"):
            assert measured[language][part] == pytest.approx(said["test"][language][part], abs=0.03)


def test_the_same_recordings_are_heard_the_same_again():
    settings = demo_profile()
    samples = [clip.samples() for clip in read_clips(CLIPS)[:4]]
    for load, model, knobs in ((load_whisper, WHISPER, settings.whisper), (Parakeet, PARAKEET, settings.parakeet)):
        recognizer = load(model, knobs, "cpu")
        assert recognizer.transcribe(samples) == recognizer.transcribe(samples)


def test_models_and_clips_are_small():
    sizes = {folder: sum(file.stat().st_size for file in folder.rglob("*")) for folder in (MODELS, CLIPS)}
    assert sizes[MODELS] <= 20_000_000 and sizes[CLIPS] <= 5_000_000
