"""Transcription of recordings by two ASR models, piece by piece, and the choice between their transcripts."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.settings import NONE, DecodingSettings, ParakeetSettings, Settings, WhisperSettings
from pipeline.speech.audio import SAMPLE_RATE, is_silent
from pipeline.speech.language import CJK
from pipeline.speech.voice import WINDOW_S, Piece, find_pieces
from pipeline.speech.words import Transcriber, Transcript

SILENCE = "silence"
"""Value of ``Transcript.recognizer`` for recordings in which nobody speaks, which no ASR model transcribes."""


class Transcription:
    """The ASR models, kept in memory: Whisper transcribes every recording, then Parakeet the English pieces again.

    Args:
        settings: All settings, with models as absolute paths (see ``pipeline.models.locate``).

    Raises:
        UserError: A model cannot be used with these settings.
    """

    def __init__(self, settings: Settings):
        self._decoding = settings.decoding
        self._whisper = load_whisper(settings.models.whisper, settings.whisper)
        with_parakeet = settings.models.parakeet != NONE
        self._parakeet = load_parakeet(settings.models.parakeet, settings.parakeet) if with_parakeet else None

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Transcript]:
        """Transcribe recordings (float32, mono, 16 kHz, at least 0.1 s), one transcript each, in order."""
        transcripts = transcribe(self._whisper, batch, self._decoding)
        return transcribe_english(self._parakeet, batch, transcripts, self._decoding) if self._parakeet else transcripts


def load_whisper(model: str, settings: WhisperSettings) -> Transcriber:
    """Load Whisper with the library and on the device that the settings choose."""
    from pipeline.speech import whisper

    loaded = whisper.load_whisper(model, settings, settings.pool.device)
    if not settings.traditional:
        return loaded
    from pipeline.speech.traditional import Traditional

    return Traditional(loaded)


def load_parakeet(model: str, settings: ParakeetSettings) -> Transcriber:
    """Load Parakeet on the device that the settings choose."""
    from pipeline.speech import parakeet

    return parakeet.Parakeet(model, settings, settings.pool.device)


def transcribe(whisper: Transcriber, batch: Sequence[np.ndarray], settings: DecodingSettings) -> list[Transcript]:
    """Transcribe recordings of any length and language with Whisper; where nobody speaks, the transcript is empty.

    Args:
        whisper: The model.
        batch: Recordings (float32, mono, 16 kHz, at least 0.1 s).
        settings: What counts as silence and as speech.
    """
    pieces = [_pieces(samples, settings) for samples in batch]
    written = _transcribe_pieces(whisper, batch, pieces)
    return [
        joined([(piece.start / SAMPLE_RATE, part) for piece, part in zip(some, parts, strict=True)])
        for some, parts in zip(pieces, written, strict=True)
    ]


def is_for_parakeet(transcript: Transcript) -> bool:
    """Return whether a recording has an English piece for Parakeet: no ideograph in all of it, or more pieces than one.

    Where Whisper wrote nothing, Parakeet may still write something.
    """
    has_pieces = bool(transcript.words) and transcript.words[-1].end_s > WINDOW_S
    return transcript.recognizer != SILENCE and (transcript.language == "en" or has_pieces)


def transcribe_english(
    parakeet: Transcriber, batch: Sequence[np.ndarray], transcripts: Sequence[Transcript], settings: DecodingSettings
) -> list[Transcript]:
    """Transcribe the English pieces of recordings again with Parakeet.

    Args:
        parakeet: The model.
        batch: The recordings, as for ``transcribe``.
        transcripts: Whisper's transcripts of them.
        settings: As for ``transcribe``.

    Returns:
        For each recording, its transcript with Parakeet's text in the place of each English piece where it wrote any.
    """
    pieces = [
        _pieces(samples, settings) if is_for_parakeet(transcript) else []
        for samples, transcript in zip(batch, transcripts, strict=True)
    ]
    parts = [split(transcript, some) for transcript, some in zip(transcripts, pieces, strict=True)]
    english = [
        [piece for piece, part in zip(some, own, strict=True) if part.language == "en"]
        for some, own in zip(pieces, parts, strict=True)
    ]
    written = _transcribe_pieces(parakeet, batch, english)
    finished: list[Transcript] = []
    for transcript, some, own, chosen, again in zip(transcripts, pieces, parts, english, written, strict=True):
        better = {piece: part for piece, part in zip(chosen, again, strict=True) if part.text}
        if not better:
            finished.append(transcript)
            continue
        of_whisper = {piece: _shifted(part, -piece.start / SAMPLE_RATE) for piece, part in zip(some, own, strict=True)}
        finished.append(joined([(piece.start / SAMPLE_RATE, better.get(piece, of_whisper[piece])) for piece in some]))
    return finished


def joined(parts: Sequence[tuple[float, Transcript]]) -> Transcript:
    """Join the transcripts of a recording's pieces.

    Args:
        parts: Start of each piece in seconds, and its transcript.

    Returns:
        One transcript with the times of the recording; of several recognizers, their names with a ``+`` between them.
    """
    if len(parts) == 1 and parts[0][0] == 0.0:
        return parts[0][1]
    with_text = [(start_s, part) for start_s, part in parts if part.text]
    if not with_text:
        return Transcript("", [], parts[0][1].recognizer if parts else SILENCE)
    text, words = "", []
    for start_s, part in with_text:
        if text and not (_is_ideograph(text[-1]) and _is_ideograph(part.text[0])):
            text += " "
        words += [
            replace(word, char_start=word.char_start + len(text), char_end=word.char_end + len(text))
            for word in _shifted(part, start_s).words
        ]
        text += part.text
    confidences = [part.confidence for _, part in with_text if part.confidence is not None]
    mean = sum(confidences) / len(confidences) if confidences else None
    return Transcript(text, words, "+".join(sorted({part.recognizer for _, part in with_text})), mean)


def split(transcript: Transcript, pieces: Sequence[Piece]) -> list[Transcript]:
    """Give each piece of a recording the words that start in it, or after it and before the next piece.

    Args:
        transcript: The transcript of the recording.
        pieces: Its pieces.
    """
    ends = [*(piece.start / SAMPLE_RATE for piece in pieces[1:]), float("inf")]
    parts: list[Transcript] = []
    left = list(transcript.words)
    for end_s in ends[: len(pieces)]:
        count = next((place for place, word in enumerate(left) if word.start_s >= end_s), len(left))
        own, left = left[:count], left[count:]
        first, last = (own[0].char_start, own[-1].char_end) if own else (0, 0)
        words = [replace(word, char_start=word.char_start - first, char_end=word.char_end - first) for word in own]
        parts.append(Transcript(transcript.text[first:last], words, transcript.recognizer, transcript.confidence))
    return parts


def _pieces(samples: np.ndarray, settings: DecodingSettings) -> list[Piece]:
    return [] if is_silent(samples, settings.silence_dbfs) else find_pieces(samples, settings.voice_threshold)


def _transcribe_pieces(
    model: Transcriber, batch: Sequence[np.ndarray], pieces: Sequence[Sequence[Piece]]
) -> list[list[Transcript]]:
    """Transcribe pieces of recordings together; their times begin with each piece."""
    parts = [batch[row][piece.start : piece.end] for row, some in enumerate(pieces) for piece in some]
    written = iter(model.transcribe(parts) if parts else [])
    return [[next(written) for _ in some] for some in pieces]


def _shifted(transcript: Transcript, seconds: float) -> Transcript:
    words = [
        replace(word, start_s=round(word.start_s + seconds, 3), end_s=round(word.end_s + seconds, 3))
        for word in transcript.words
    ]
    return replace(transcript, words=words)


def _is_ideograph(text: str) -> bool:
    return bool(re.search(f"[{CJK}]", text))
