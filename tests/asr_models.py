"""Tiny recognisers, built once for all tests, recordings for them to hear, and what holds for every transcript."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from pipeline import settings
from pipeline.speech.routing import Router
from pipeline.speech.whisper import load_whisper
from pipeline.speech.words import Transcript
from tests.tiny_asr_models import build_parakeet, build_whisper

WHISPER_SETTINGS = settings.WhisperSettings(
    backend="transformers",
    beam_size=1,
    dtype="float32",
    compression_ratio_threshold=1_000.0,  # what the tiny ones write is repetition
    max_repeats=1_000,
)


def whisper_of(folder: Path, settings: settings.WhisperSettings) -> Router:
    """Load a Whisper that writes everything itself, on the CPU."""
    return Router(load_whisper(str(folder), settings, "cpu"), settings)


def convert_whisper(folder: Path, output: Path) -> Path:
    """Convert a Whisper folder of Transformers for CTranslate2."""
    from ctranslate2.converters import TransformersConverter

    files = ["tokenizer.json", "preprocessor_config.json"]
    TransformersConverter(str(folder), copy_files=files).convert(str(output))
    return output


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny Whisper for Transformers, with a window of 8 s."""
    folder = tmp_path_factory.mktemp("models") / "whisper"
    build_whisper(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_ctranslate2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny Whisper for CTranslate2, with the window of 30 s that faster-whisper is made for."""
    folder = tmp_path_factory.mktemp("models")
    build_whisper(folder / "whisper-30s", window_s=30)
    return convert_whisper(folder / "whisper-30s", folder / "whisper-ct2")


@pytest.fixture(scope="session")
def tiny_parakeet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a tiny Parakeet."""
    file = tmp_path_factory.mktemp("models") / "parakeet.nemo"
    build_parakeet(file)
    return file


@pytest.fixture(scope="session")
def sounds() -> list[np.ndarray]:
    """Seeded noise and tones of 0.1 to 8 s, float32, 16 kHz."""
    random = np.random.default_rng(0)
    noise = [random.normal(0, 0.1, int(16_000 * seconds)).astype(np.float32) for seconds in (0.1, 0.5, 3, 1.2, 8)]
    seconds = np.arange(16_000 * 2) / 16_000
    return noise + [(0.3 * np.sin(2 * np.pi * pitch * seconds)).astype(np.float32) for pitch in (200, 1000)]


@pytest.fixture(scope="session")
def long_sound() -> np.ndarray:
    """70 s whose loudness and pitch change, float32, 16 kHz: longer than any tiny Whisper's window."""
    seconds = np.arange(16_000 * 70) / 16_000
    sweep = np.sin(2 * np.pi * (200 + 60 * seconds) * seconds) * np.abs(np.sin(seconds))
    return (0.3 * sweep + np.random.default_rng(1).normal(0, 0.02, len(seconds))).astype(np.float32)


@pytest.fixture(scope="session")
def speech(shared: Path) -> list[np.ndarray]:
    """Real speech of differing lengths in both languages, float32, mono, 16 kHz."""
    import soundfile

    names = ["en/cards_002.wav", "en/cards_005.wav", "en/goforward.wav", "zh/aishell_s0_1.wav", "zh/aishell_s0_9.wav"]
    return [soundfile.read(shared / "speech" / name, dtype="float32", always_2d=True)[0].mean(1) for name in names]


def check_transcript(transcript: Transcript, audio: np.ndarray) -> None:
    """Assert what holds for every recogniser: words cover the text and their times lie in the recording."""
    covered = [i for word in transcript.words for i in range(word.char_start, word.char_end)]
    assert covered == [i for i, character in enumerate(transcript.text) if character != " "]
    assert all(transcript.text[word.char_start : word.char_end] == word.text for word in transcript.words)
    assert all(0 <= word.start_s <= word.end_s <= len(audio) / 16_000 for word in transcript.words)
    assert all(a.start_s <= b.start_s for a, b in itertools.pairwise(transcript.words))
    assert "\ufffd" not in transcript.text
    assert all(word.confidence is None or 0 <= word.confidence <= 1 for word in transcript.words)
