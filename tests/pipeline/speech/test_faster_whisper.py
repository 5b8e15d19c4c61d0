"""Whisper through CTranslate2: text and timed words, the same in any company."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.settings import IDENTIFY
from pipeline.speech import faster_whisper
from pipeline.speech.faster_whisper import FasterWhisper
from pipeline.speech.routing import Router
from pipeline.speech.words import NO_SPEECH
from tests.asr_models import WHISPER_SETTINGS, check_transcript, whisper_of

SETTINGS = replace(WHISPER_SETTINGS, backend="faster-whisper")


@pytest.fixture(scope="module", params=[1, 5])
def any_beams(request, tiny_ctranslate2: Path) -> Router:
    return whisper_of(tiny_ctranslate2, replace(SETTINGS, beam_size=request.param))


def test_words_cover_the_text_and_lie_in_the_segment(any_beams, sounds):
    for transcript, audio in zip(any_beams.transcribe(sounds), sounds, strict=True):
        check_transcript(transcript, audio)
        assert transcript.words and transcript.recognizer == "whisper" and 0 < transcript.confidence <= 1
        assert all(word.confidence is not None for word in transcript.words)


def test_one_segment_and_a_batch_give_the_same_text_and_words(any_beams, sounds):
    alone = [any_beams.transcribe([audio])[0] for audio in sounds]
    assert_same(any_beams.transcribe(sounds), alone)
    assert_same(any_beams.transcribe(sounds[::-1]), alone[::-1])


def test_one_real_segment_and_a_batch_give_the_same_text_and_words(any_beams, speech):
    assert_same(any_beams.transcribe(speech), [any_beams.transcribe([audio])[0] for audio in speech])


def assert_same(left, right):
    """Assert equal text, words and times; probabilities may differ in their last digits."""
    assert [transcript.text for transcript in left] == [transcript.text for transcript in right]
    for one, other in zip(left, right, strict=True):
        for word, twin in zip(one.words, other.words, strict=True):
            assert replace(word, confidence=None) == replace(twin, confidence=None)
            assert word.confidence == pytest.approx(twin.confidence, abs=1e-4)


def test_what_whisper_takes_for_no_speech_and_is_unsure_of_is_left_out_and_noted(tiny_ctranslate2, sounds):
    whisper = whisper_of(tiny_ctranslate2, replace(SETTINGS, no_speech_threshold=-1.0, log_prob_threshold=100.0))
    assert {(transcript.text, transcript.note) for transcript in whisper.transcribe(sounds)} == {("", NO_SPEECH)}


def test_a_text_is_no_longer_than_its_segment_has_time_for(tiny_ctranslate2, sounds, monkeypatch):
    monkeypatch.setattr(faster_whisper, "_SOME_TOKENS", 4)

    def written(most: float) -> str:
        return (
            whisper_of(tiny_ctranslate2, replace(SETTINGS, max_tokens_per_second=most)).transcribe(sounds[:1])[0].text
        )

    assert written(50).startswith(written(1)) and len(written(1)) < len(written(50))


def test_what_is_longer_than_the_window_is_refused_and_not_cut(any_beams, long_sound):
    with pytest.raises(ValueError, match="longer than the window"):
        any_beams.transcribe([long_sound])


def test_a_tenth_of_a_second_is_transcribed(any_beams):
    audio = np.random.default_rng(3).normal(0, 0.1, 1600).astype(np.float32)
    check_transcript(any_beams.transcribe([audio])[0], audio)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_language_is_forced(tiny_ctranslate2, sounds, monkeypatch, language):
    whisper = FasterWhisper(str(tiny_ctranslate2), SETTINGS, "cpu")
    tokenizer, prompt_of, prompts = whisper._model.hf_tokenizer, whisper._model.get_prompt, []
    monkeypatch.setattr(whisper._model, "get_prompt", lambda *a, **k: prompts.append(prompt_of(*a, **k)) or prompts[-1])
    whisper.write(whisper.encode(sounds[:2]), [0.1, 0.5], language)
    (prompt,) = prompts
    start = prompt.index(tokenizer.token_to_id("<|startoftranscript|>"))
    assert tokenizer.id_to_token(prompt[start + 1]) == f"<|{language}|>"


@pytest.mark.parametrize("window_s", [10.0, 30.0])
def test_how_english_a_segment_is_does_not_depend_on_its_company(tiny_ctranslate2, sounds, window_s):
    whisper = FasterWhisper(str(tiny_ctranslate2), replace(SETTINGS, language=IDENTIFY), "cpu")
    together = whisper.english(whisper.encode(sounds, window_s))
    assert all(0 <= english <= 1 for english in together)
    alone = [whisper.english(whisper.encode([each], window_s))[0] for each in sounds]
    assert together == pytest.approx(alone, abs=1e-4)


def test_a_shorter_window_is_encoded_in_fewer_frames(tiny_ctranslate2, sounds):
    whisper = FasterWhisper(str(tiny_ctranslate2), SETTINGS, "cpu")
    assert [whisper.encode(sounds[:1], window_s)[0].shape[0] for window_s in (10.0, 20.0)] == [500, 1000]
    with pytest.raises(ValueError, match="longer than the window"):
        whisper.encode([np.zeros(160_001, np.float32)], 10.0)


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
