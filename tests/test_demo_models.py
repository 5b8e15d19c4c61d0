"""The demo's trained models: what the card says that they transcribe and find is what they do."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import GenerationConfig, WhisperTokenizer

from pipeline.demo import CLIPS, MODELS
from pipeline.settings import PROFILES
from pipeline.speech.transcription import load_parakeet, load_whisper
from pipeline.speech.words import Transcript
from pipeline.synthetic import corpus as synthetic
from tests.clinic import read_clips
from tests.demo_scores import measure, transcript_scores


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    return json.loads((MODELS / "scores.json").read_text())


def check(measured: dict[str, Any], said: dict[str, Any]) -> None:
    """Compare with room for a word or two: arithmetic differs a little from one processor to the next."""
    heard = said["heard"]
    clip = 1.01 / sum(heard[language]["clips"] for language in ("en", "zh"))
    assert measured["heard"]["routed"] == pytest.approx(heard["routed"], abs=clip)
    for language in ("en", "zh"):
        for part in ("clips", "error_rate", "word_start_off_s", "word_end_off_s"):
            assert measured["heard"][language][part] == pytest.approx(heard[language][part], abs=0.02)
        for text in ("said", "heard"):
            found = said["entities"][text][language]
            for part, room in (("strict", 0.05), ("overlap", 0.05), ("start_off_s", 0.02), ("end_off_s", 0.02)):
                assert measured["entities"][text][language][part] == pytest.approx(found[part], abs=room)


def test_the_shipped_clips_are_transcribed_and_tagged_as_the_card_says(said):
    check(measure(CLIPS), said["clips"])


def test_the_card_shows_these_scores(said):
    card = (MODELS / "README.md").read_text()
    for text in ("said", "heard"):
        for part in ("strict", "overlap", "unseen_names"):
            assert f" {said['test']['entities'][text]['all'][part]} |" in card


def test_the_scores_tell_what_was_written_wrong_and_when():
    said = next(clip for clip in read_clips(CLIPS) if clip.said.language == "en" and len(clip.said.words) > 5)
    mandarin = next(clip for clip in read_clips(CLIPS) if clip.said.language == "zh")
    later = [replace(word, start_s=word.start_s + 0.04) for word in said.said.words]
    text = said.said.text[said.said.words[1].char_end :]
    written = [Transcript(said.said.text, later), Transcript(text, later[2:]), Transcript("morning", [])]
    measured = transcript_scores([said, said, mandarin], written)
    assert measured["routed"] == pytest.approx(2 / 3)
    assert measured["en"]["error_rate"] == pytest.approx(1 / len(said.said.words))
    assert measured["en"]["word_start_off_s"] == pytest.approx(0.04) and measured["en"]["word_end_off_s"] == 0
    assert measured["zh"]["clips"] == 1 and measured["zh"]["error_rate"] >= 1


@pytest.mark.slow
def test_the_test_part_of_the_clinic_is_transcribed_and_tagged_as_the_card_says(said, tmp_path: Path):
    sizes = {"train1": 6000, "train2": 6000, "valid": 300, "test": 600}
    synthetic.make(tmp_path, {"test": synthetic.utterances(sizes, seed=2025)["test"]})
    check(measure(tmp_path / "test"), said["test"])


def test_the_same_recordings_are_transcribed_the_same_again():
    settings = PROFILES["demo"]
    samples = [clip.samples() for clip in read_clips(CLIPS)[:4]]
    for load in (load_whisper, load_parakeet):
        transcriber = load(settings)
        assert transcriber.transcribe(samples) == transcriber.transcribe(samples)


def test_whisper_is_not_kept_from_writing_what_is_said():
    tokenizer = WhisperTokenizer.from_pretrained(MODELS / "whisper")
    kept_from = GenerationConfig.from_pretrained(MODELS / "whisper").suppress_tokens
    said = {
        token for clip in read_clips(CLIPS) for token in tokenizer(clip.said.text, add_special_tokens=False).input_ids
    }
    assert kept_from and not said & {*kept_from}


def size(*folders: Path) -> int:
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*"))


def test_models_and_clips_are_small():
    tagger = size(MODELS / "base_model", MODELS / "adapters")
    assert tagger <= 12_000_000
    assert size(MODELS) - tagger <= 20_000_000 and size(CLIPS) <= 5_000_000
