"""Whisper through CTranslate2, the format in which cool-whisper is published."""

import ctypes
import math
from collections.abc import Sequence
from pathlib import Path
from site import getsitepackages as site_packages
from typing import Any

import numpy as np

from pipeline import cpu
from pipeline.errors import UserError
from pipeline.settings import IDENTIFY, WhisperSettings
from pipeline.speech.language import languages_of
from pipeline.speech.voice import WINDOW_S
from pipeline.speech.words import NO_SPEECH, Piece, Transcript, transcript_from_pieces

_APART_S = 60.0
"""Seconds from the start of one segment to that of the next, where word times are found. faster-whisper shortens a long
first word after a pause. With a pause before every segment, its word times do not depend on the previous segment."""

# Punctuation that goes with the word behind it, and with the word before it; faster-whisper's own choice.
_BEFORE_A_WORD = "\"'“¿([{-"
_AFTER_A_WORD = "\"'.。,，!！?？:：”)]}、"

_SOME_TOKENS = 20  # of a segment as short as a word, beside those of its seconds


class FasterWhisper:
    """Whisper through CTranslate2: greedy or beam search without sampling, word times from cross-attention.

    faster-whisper brings the features, the tokenizer and the alignment of words.

    Args:
        model: A folder written by the CTranslate2 converter, with tokenizer.json in it.
        settings: Language, beams, precision and threads.
        device: ``cuda`` or ``cpu``. By default, the GPU if there is one.

    Raises:
        UserError: The model cannot write the language.
    """

    name = "whisper"

    def __init__(self, model: str, settings: WhisperSettings, device: str | None = None):
        _load_cublas()
        import ctranslate2
        from faster_whisper import WhisperModel

        device = device or ("cuda" if ctranslate2.get_cuda_device_count() else "cpu")
        self._settings = settings
        on_cpu = device != "cuda"
        self._model = WhisperModel(
            model,
            device=device,
            compute_type="int8" if on_cpu and settings.dtype != "float32" else settings.dtype,
            cpu_threads=cpu.threads(settings.pool) if on_cpu else 0,
        )
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

    def encode(self, batch: Sequence[np.ndarray], window_s: float = WINDOW_S) -> list[np.ndarray]:
        """Encode segments (float32, mono, 16 kHz) in a window, each to an array of shape (frames, width).

        Raises:
            ValueError: One is longer than the window.
        """
        from faster_whisper.audio import pad_or_trim
        from faster_whisper.transcribe import get_ctranslate2_storage

        if not batch:
            return []
        extract = self._model.feature_extractor
        frames = min(round(window_s * extract.sampling_rate / extract.hop_length), extract.nb_max_frames)
        if max(map(len, batch)) > frames * extract.hop_length:
            raise ValueError("a segment is longer than the window")
        features = np.stack([pad_or_trim(extract(samples), frames) for samples in batch])
        encoded = _on_cpu(self._model.model.encode(get_ctranslate2_storage(features), to_cpu=True))
        return [encoded[row] for row in range(len(batch))]

    def english(self, encoded: Sequence[np.ndarray]) -> list[float]:
        """Return the probability that a segment is English, out of English and Mandarin, for each."""
        found = []
        for likelihoods in self._model.model.detect_language(_stored(encoded)):
            of = dict(likelihoods)
            found.append(of["<|en|>"] / max(of["<|en|>"] + of["<|zh|>"], 1e-30))
        return found

    def write(self, encoded: Sequence[np.ndarray], durations_s: Sequence[float], language: str) -> list[Transcript]:
        """Transcribe encoded segments of these durations in one language, one transcript each, in order."""
        from faster_whisper.tokenizer import Tokenizer

        tokenizer = Tokenizer(
            self._model.hf_tokenizer, self._model.model.is_multilingual, task="transcribe", language=language
        )
        stored, settings = _stored(encoded), self._settings
        # A loop ends with its segment, not with the model's last position. What ends with the batch's longest segment
        # alone is written again, so that a batch changes nothing.
        most = [_SOME_TOKENS + math.ceil(settings.max_tokens_per_second * duration_s) for duration_s in durations_s]
        results = self._generate(tokenizer, stored, max(most))
        for row, result in enumerate(results):
            if len(result.sequences_ids[0]) > most[row]:
                (results[row],) = self._generate(tokenizer, _stored(encoded[row : row + 1]), most[row])
        # The score is a mean over the tokens and the end of the text.
        means = [r.scores[0] * len(r.sequences_ids[0]) / (len(r.sequences_ids[0]) + 1) for r in results]
        believed = [
            result.no_speech_prob <= settings.no_speech_threshold or mean >= settings.log_prob_threshold
            for result, mean in zip(results, means, strict=True)
        ]
        tokens = [
            result.sequences_ids[0] if is_believed else []
            for result, is_believed in zip(results, believed, strict=True)
        ]
        written: list[Transcript] = []
        for pieces, duration_s, mean, is_believed in zip(
            self._timed(tokenizer, stored, tokens, durations_s), durations_s, means, believed, strict=True
        ):
            made = transcript_from_pieces(pieces, duration_s, self.name)
            note = None if is_believed else NO_SPEECH
            written.append(Transcript(made.text, made.words, made.recognizer, math.exp(mean), note))
        return written

    def _generate(self, tokenizer: Any, stored: Any, most: int) -> list[Any]:
        """Write at most so many tokens of each segment."""
        from faster_whisper.transcribe import get_suppressed_tokens

        prompt = self._model.get_prompt(tokenizer, [], without_timestamps=True)
        return self._model.model.generate(
            stored,
            [prompt] * stored.shape[0],
            beam_size=self._settings.beam_size,
            max_length=min(2 * most, self._model.max_length),  # CTranslate2 writes at most half of it
            suppress_tokens=list(get_suppressed_tokens(tokenizer, [-1])),
            return_scores=True,
            return_no_speech_prob=True,
        )

    def _timed(
        self, tokenizer: Any, stored: Any, tokens: Sequence[list[int]], durations_s: Sequence[float]
    ) -> list[list[Piece]]:
        """Give the words of each segment their times, in seconds from its start."""
        starts_s = [_APART_S * row for row in range(len(tokens))]
        rows: list[list[dict[str, Any]]] = [
            [{"tokens": own, "start": start_s, "end": start_s + duration_s, "seek": self._frames(start_s)}]
            for own, start_s, duration_s in zip(tokens, starts_s, durations_s, strict=True)
        ]
        self._model.add_word_timestamps(
            rows,
            tokenizer,
            stored,
            [self._frames(duration_s) for duration_s in durations_s],
            _BEFORE_A_WORD,
            _AFTER_A_WORD,
            last_speech_timestamp=-_APART_S,
        )
        return [
            [
                Piece(word["word"].replace("\ufffd", ""), word["start"] - s, word["end"] - s, word["probability"])
                for word in row[0]["words"]
            ]
            for row, s in zip(rows, starts_s, strict=True)
        ]

    def _frames(self, seconds: float) -> int:
        return math.ceil(seconds * self._model.frames_per_second)


def _stored(encoded: Sequence[np.ndarray]) -> Any:
    from faster_whisper.transcribe import get_ctranslate2_storage

    return get_ctranslate2_storage(np.stack(encoded))


def _on_cpu(stored: Any) -> np.ndarray:
    """Return CTranslate2's values as float32; NumPy has no bfloat16."""
    import ctranslate2

    return np.array(stored.to(ctranslate2.DataType.float32))


def _load_cublas() -> None:
    """Load CUDA 12's cuBLAS from its Python package, if installed: CTranslate2 does not search there."""
    for site in map(Path, site_packages()):
        for library in ("libcublasLt.so.12", "libcublas.so.12"):
            path = site / "nvidia" / "cublas" / "lib" / library
            if path.is_file():
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
