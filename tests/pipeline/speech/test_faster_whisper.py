"""Whisper through CTranslate2: text and timed words, the same in any company."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.settings import IDENTIFY
from pipeline.speech.faster_whisper import FasterWhisper
from tests.asr_models import WHISPER_SETTINGS, check_transcript

SETTINGS = replace(WHISPER_SETTINGS, backend="faster-whisper")


@pytest.fixture(scope="module", params=[1, 5])
def any_beams(request, tiny_ctranslate2: Path) -> FasterWhisper:
    return FasterWhisper(str(tiny_ctranslate2), replace(SETTINGS, beam_size=request.param), "cpu")


@pytest.fixture(scope="module")
def one_by_one(tiny_ctranslate2: Path) -> FasterWhisper:
    return FasterWhisper(str(tiny_ctranslate2), replace(SETTINGS, batch_size=1), "cpu")


def test_words_cover_the_text_and_lie_in_the_recording(any_beams, one_by_one, sounds, long_sound):
    for whisper in (any_beams, one_by_one):
        for transcript, audio in zip(whisper.transcribe([*sounds, long_sound]), [*sounds, long_sound], strict=True):
            check_transcript(transcript, audio)
            assert transcript.words and transcript.recognizer == "whisper"
            assert all(word.confidence is not None for word in transcript.words)


def test_one_recording_and_a_batch_give_the_same_text_and_words(any_beams, sounds, long_sound):
    batch = [*sounds, long_sound]
    alone = [any_beams.transcribe([audio])[0] for audio in batch]
    assert_same(any_beams.transcribe(batch), alone)
    assert_same(any_beams.transcribe(batch[::-1]), alone[::-1])


def test_one_real_recording_and_a_batch_give_the_same_text_and_words(any_beams, speech):
    assert_same(any_beams.transcribe(speech), [any_beams.transcribe([audio])[0] for audio in speech])


def assert_same(left, right):
    """Assert equal text, words and times; probabilities may differ in their last digits."""
    assert [transcript.text for transcript in left] == [transcript.text for transcript in right]
    for one, other in zip(left, right, strict=True):
        for word, twin in zip(one.words, other.words, strict=True):
            assert replace(word, confidence=None) == replace(twin, confidence=None)
            assert word.confidence == pytest.approx(twin.confidence, abs=1e-4)


def test_a_recording_longer_than_the_window_is_transcribed_to_its_end(any_beams, long_sound):
    assert any_beams.transcribe([long_sound])[0].words[-1].end_s > 60


@pytest.mark.parametrize("batch_size", [1, 8])
def test_what_whisper_takes_for_no_speech_and_is_unsure_of_is_left_out(
    tiny_ctranslate2, sounds, long_sound, batch_size
):
    settings = replace(SETTINGS, no_speech_threshold=-1.0, log_prob_threshold=100.0, batch_size=batch_size)
    whisper = FasterWhisper(str(tiny_ctranslate2), settings, "cpu")
    assert [transcript.text for transcript in whisper.transcribe([sounds[4], long_sound])] == ["", ""]


def test_a_tenth_of_a_second_is_transcribed(any_beams):
    audio = np.random.default_rng(3).normal(0, 0.1, 1600).astype(np.float32)
    check_transcript(any_beams.transcribe([audio])[0], audio)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_the_language_is_forced(tiny_ctranslate2, sounds, monkeypatch, language, batch_size):
    whisper = FasterWhisper(str(tiny_ctranslate2), replace(SETTINGS, language=language, batch_size=batch_size), "cpu")
    tokenizer, prompt_of, prompts = whisper._model.hf_tokenizer, whisper._model.get_prompt, []
    monkeypatch.setattr(whisper._model, "get_prompt", lambda *a, **k: prompts.append(prompt_of(*a, **k)) or prompts[-1])
    whisper.transcribe(sounds[:2])
    for prompt in prompts:
        start = prompt.index(tokenizer.token_to_id("<|startoftranscript|>"))
        assert tokenizer.id_to_token(prompt[start + 1]) == f"<|{language}|>"
    assert prompts


def test_a_language_that_whisper_does_not_know_is_refused(tiny_ctranslate2):
    with pytest.raises(UserError, match=r"--whisper\.language tlh"):
        FasterWhisper(str(tiny_ctranslate2), replace(SETTINGS, language="tlh"), "cpu")


def test_a_model_that_would_silently_write_english_is_refused(tiny_ctranslate2, tmp_path):
    # CTranslate2 knows a multilingual model by the empty token in its vocabulary, whatever languages are in it.
    folder = shutil.copytree(tiny_ctranslate2, tmp_path / "english")
    vocabulary = folder / "vocabulary.json"
    vocabulary.write_text(json.dumps([token or "<empty>" for token in json.loads(vocabulary.read_text())]))
    with pytest.raises(UserError, match="for English alone"):
        FasterWhisper(str(folder), SETTINGS, "cpu")
    assert FasterWhisper(str(folder), replace(SETTINGS, language="en"), "cpu")


@pytest.mark.parametrize(("dtype", "computes"), [("float32", "float32"), ("float16", "int8_float32")])
def test_the_cpu_computes_in_float32_or_with_weights_of_8_bits(tiny_ctranslate2, dtype, computes):
    whisper = FasterWhisper(str(tiny_ctranslate2), replace(SETTINGS, dtype=dtype), "cpu")
    assert whisper._model.model.compute_type == computes


def test_each_recording_is_written_in_the_language_identified(tiny_ctranslate2, sounds, monkeypatch):
    """The tiny model's own choice is one language for all, so here the first and third are called Mandarin."""
    settings = replace(SETTINGS, language=IDENTIFY)
    whisper = FasterWhisper(str(tiny_ctranslate2), settings, "cpu")
    own = [whisper._language_of(audio) for audio in sounds]
    assert set(own) <= {"en", "zh"}
    asked = {id(audio): "zh" if place % 2 == 0 else "en" for place, audio in enumerate(sounds)}
    monkeypatch.setattr(whisper, "_language_of", lambda audio: asked[id(audio)])
    fixed = {
        language: FasterWhisper(str(tiny_ctranslate2), replace(SETTINGS, language=language), "cpu")
        for language in ("en", "zh")
    }
    expected = [fixed[asked[id(audio)]].transcribe([audio])[0] for audio in sounds]
    assert_same(whisper.transcribe(sounds), expected)
