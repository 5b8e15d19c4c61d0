"""Whisper through CTranslate2, the format in which cool-whisper is published."""

import ctypes
from collections.abc import Iterable, Sequence
from pathlib import Path
from site import getsitepackages as site_packages

import numpy as np

from pipeline import cpu
from pipeline.errors import UserError
from pipeline.settings import IDENTIFY, WhisperSettings
from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.language import LANGUAGES, languages_of
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces

_GAP_S = 30
"""Silence in seconds before each recording of a joined batch. faster-whisper shortens a long first word after a pause.
With a pause before every recording, its word times do not depend on the previous recording."""


class FasterWhisper:
    """Whisper through faster-whisper: greedy or beam search without sampling, word times from cross-attention.

    Recordings that fit the model's window are transcribed as one batch, longer ones one at a time, window by window.
    With a batch size of 1, every recording is transcribed window by window, as in the reference method.

    Args:
        model: A folder written by the CTranslate2 converter, with tokenizer.json in it.
        settings: Language, beams, conditioning, precision and threads.
        device: ``cuda`` or ``cpu``. By default, the GPU if there is one.

    Raises:
        UserError: The model cannot write the language.
    """

    name = "whisper"

    def __init__(self, model: str, settings: WhisperSettings, device: str | None = None):
        _load_cublas()
        import ctranslate2
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        device = device or ("cuda" if ctranslate2.get_cuda_device_count() else "cpu")
        self._settings = settings
        on_cpu = device != "cuda"
        self._model = WhisperModel(
            model,
            device=device,
            compute_type="int8" if on_cpu and settings.dtype != "float32" else settings.dtype,
            cpu_threads=cpu.threads(settings.pool) if on_cpu else 0,
        )
        self._batches = BatchedInferencePipeline(self._model)
        # CTranslate2 treats a model as multilingual only if its vocabulary has the empty token, as OpenAI's does.
        # For any other model, faster-whisper only logs a warning and writes English.
        languages = languages_of(settings.language)
        if not self._model.model.is_multilingual and languages != ("en",):
            raise UserError(
                f"--whisper {model} is for English alone (CTranslate2 finds no empty token in its vocabulary.json), so "
                f"it cannot write --whisper.language {settings.language}: give a multilingual model."
            )
        if not set(languages) <= set(self._model.supported_languages):
            raise UserError(
                f"--whisper.language {settings.language}: Whisper has no such language; give zh, en or {IDENTIFY}."
            )

    def transcribe(self, batch: Sequence[np.ndarray]) -> list[Transcript]:
        """Transcribe recordings (float32, mono, 16 kHz, at least 0.1 s), one transcript each, in order."""
        window = self._model.feature_extractor.n_samples
        languages = [self._language_of(audio) for audio in batch]
        pieces: dict[int, list[Piece]] = {}
        for language in sorted(set(languages)):
            own = [i for i, spoken in enumerate(languages) if spoken == language]
            size = self._settings.batch_size
            short = [i for i in own if len(batch[i]) <= window and size > 1]
            for some in (short[first : first + size] for first in range(0, len(short), size)):
                joined = self._transcribe_joined([batch[i] for i in some], language)
                pieces |= dict(zip(some, joined, strict=True))
            pieces |= {i: self._transcribe_windows(batch[i], language) for i in own if i not in pieces}
        return [transcript_from_pieces(pieces[i], len(audio) / SAMPLE_RATE, self.name) for i, audio in enumerate(batch)]

    def _language_of(self, audio: np.ndarray) -> str:
        """Return the language to write: the one set, or the likelier of those that this project knows."""
        if self._settings.language != IDENTIFY:
            return self._settings.language
        _, _, likelihoods = self._model.detect_language(audio)
        return max(LANGUAGES, key=dict(likelihoods).__getitem__)

    def _transcribe_joined(self, batch: list[np.ndarray], language: str) -> list[list[Piece]]:
        joined: list[np.ndarray] = []
        clips: list[dict[str, float]] = []
        end_s = 0
        for audio in batch:
            start_s, end_s = end_s + _GAP_S, end_s + _GAP_S + -(-len(audio) // SAMPLE_RATE)
            joined += [
                np.zeros(_GAP_S * SAMPLE_RATE, np.float32),
                audio,
                np.zeros(-len(audio) % SAMPLE_RATE, np.float32),
            ]
            clips.append({"start": start_s, "end": start_s + len(audio) / SAMPLE_RATE})
        segments, _ = self._batches.transcribe(
            np.concatenate(joined), clip_timestamps=clips, batch_size=len(batch), **self._options(language)
        )
        pieces: dict[int, list[Piece]] = {int(clip["start"]): [] for clip in clips}
        for segment in segments:
            start_s = segment.seek // self._model.frames_per_second
            pieces[start_s] += self._pieces([segment], start_s)
        return list(pieces.values())

    def _transcribe_windows(self, audio: np.ndarray, language: str) -> list[Piece]:
        segments, _ = self._model.transcribe(
            audio, condition_on_previous_text=self._settings.condition_on_previous_text, **self._options(language)
        )
        return self._pieces(segments, 0.0)

    def _options(self, language: str) -> dict:
        return {
            "language": language,
            "beam_size": self._settings.beam_size,
            "temperature": 0.0,
            "no_speech_threshold": self._settings.no_speech_threshold,
            "log_prob_threshold": self._settings.log_prob_threshold,
            "word_timestamps": True,
        }

    def _pieces(self, segments: Iterable, offset_s: float) -> list[Piece]:
        return [
            Piece(word.word.replace("\ufffd", ""), word.start - offset_s, word.end - offset_s, word.probability)
            for segment in segments
            # faster-whisper ignores these thresholds in batches; window by window, it has already applied them.
            if segment.no_speech_prob <= self._settings.no_speech_threshold
            or segment.avg_logprob >= self._settings.log_prob_threshold
            for word in segment.words
        ]


def _load_cublas() -> None:
    """Load CUDA 12's cuBLAS from its Python package, if installed: CTranslate2 does not search there."""
    for site in map(Path, site_packages()):
        for library in ("libcublasLt.so.12", "libcublas.so.12"):
            path = site / "nvidia" / "cublas" / "lib" / library
            if path.is_file():
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
