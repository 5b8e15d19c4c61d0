"""Transcription of recordings of any length, segment by segment, by two ASR models."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.settings import IDENTIFY, NONE, Settings
from pipeline.speech.language import language_of
from pipeline.speech.routing import Router
from pipeline.speech.voice import Segment, find_segments
from pipeline.speech.words import Transcriber, Transcript

SILENCE = "silence"
"""Value of ``Transcript.recognizer`` for recordings in which nobody speaks, which no ASR model transcribes."""


class Transcription:
    """The ASR models, kept in memory: Whisper for all that it is to write, Parakeet for English.

    Args:
        settings: All settings, with models as absolute paths (see ``pipeline.models.locate``).

    Raises:
        UserError: A model cannot be used with these settings.
    """

    def __init__(self, settings: Settings):
        self._decoding = settings.decoding
        self._whisper = load_whisper(settings)
        self._parakeet = load_parakeet(settings) if settings.models.parakeet != NONE else None

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Transcript]:
        """Transcribe recordings (float32, mono, 16 kHz, at least 0.1 s), one transcript each, in order."""
        segments = [find_segments(samples, self._decoding) for samples in batch]
        written = transcribe(self._whisper, batch, segments)
        if self._parakeet:
            written = transcribe_english(self._parakeet, batch, segments, written)
        return [joined(some, parts) for some, parts in zip(segments, written, strict=True)]


def load_whisper(settings: Settings) -> Transcriber:
    """Load Whisper with the library, on the device and in the way that the settings choose."""
    from pipeline.speech.identifier import check_identifier, load_identifier
    from pipeline.speech.whisper import load_whisper as load

    device, name = settings.whisper.pool.device, settings.models.identifier
    model = load(settings.models.whisper, settings.whisper, device)
    with_parakeet = settings.models.parakeet != NONE
    leaves_english = settings.routing == "identify" and with_parakeet
    identifier = None
    if leaves_english or settings.whisper.language == IDENTIFY:
        identifier = model if name == NONE else load_identifier(name, settings.whisper, device)
        check_identifier(identifier, settings.models)
    router = Router(model, settings.whisper, identifier, leaves_english)
    if not settings.whisper.traditional:
        return router
    from pipeline.speech.traditional import Traditional

    return Traditional(router)


def load_parakeet(settings: Settings) -> Transcriber:
    """Load Parakeet on the device that the settings choose."""
    from pipeline.speech import parakeet

    return parakeet.Parakeet(settings.models.parakeet, settings.parakeet, settings.parakeet.pool.device)


def transcribe(
    model: Transcriber, batch: Sequence[np.ndarray], segments: Sequence[Sequence[Segment]]
) -> list[list[Transcript]]:
    """Transcribe segments of recordings together.

    Args:
        model: The ASR model.
        batch: Recordings (float32, mono, 16 kHz).
        segments: Those of each recording to transcribe.

    Returns:
        For each recording, the transcript of each segment, with times from the segment's start.
    """
    parts = [batch[row][segment.start : segment.end] for row, some in enumerate(segments) for segment in some]
    written = iter(model.transcribe(parts) if parts else [])
    return [[next(written) for _ in some] for some in segments]


def is_for_parakeet(transcripts: Sequence[Transcript]) -> bool:
    """Return whether one of a recording's segments is English: without an ideograph in Whisper's text, or left out."""
    return any(transcript.language == "en" for transcript in transcripts)


def transcribe_english(
    parakeet: Transcriber,
    batch: Sequence[np.ndarray],
    segments: Sequence[Sequence[Segment]],
    transcripts: Sequence[Sequence[Transcript]],
) -> list[list[Transcript]]:
    """Transcribe the English segments of recordings with Parakeet.

    Args:
        parakeet: The model.
        batch: The recordings, as for ``transcribe``.
        segments: Their segments.
        transcripts: What Whisper wrote of each.

    Returns:
        As of ``transcribe``: Parakeet's transcripts of English segments where it wrote any text, else Whisper's.
    """
    english = [
        [segment for segment, transcript in zip(some, parts, strict=True) if transcript.language == "en"]
        for some, parts in zip(segments, transcripts, strict=True)
    ]
    finished = []
    for some, parts, chosen, again in zip(
        segments, transcripts, english, transcribe(parakeet, batch, english), strict=True
    ):
        of_parakeet = dict(zip(chosen, again, strict=True))
        finished.append([_better(part, of_parakeet.get(segment)) for segment, part in zip(some, parts, strict=True)])
    return finished


def joined(segments: Sequence[Segment], transcripts: Sequence[Transcript]) -> Transcript:
    """Join the transcripts of a recording's segments.

    Args:
        segments: The segments in order.
        transcripts: The transcript of each, with times from its start.

    Returns:
        One transcript with the times of the recording; of several recognizers, their names with a ``+`` between them.
    """
    text, words = "", []
    for segment, part in zip(segments, transcripts, strict=True):
        if text and part.text and "en" in (language_of(text[-1]), language_of(part.text[0])):
            text += " "
        words += [
            replace(
                word,
                char_start=word.char_start + len(text),
                char_end=word.char_end + len(text),
                start_s=round(word.start_s + segment.start_s, 3),
                end_s=round(word.end_s + segment.start_s, 3),
            )
            for word in part.words
        ]
        text += part.text
    with_text = [part for part in transcripts if part.text]
    recognizers = {part.recognizer for part in with_text or transcripts if part.recognizer}
    notes = [
        f"{segment.start_s:.1f}–{segment.end_s:.1f} s: {part.note}"
        for segment, part in zip(segments, transcripts, strict=True)
        if part.note
    ]
    return Transcript(
        text,
        words,
        "+".join(sorted(recognizers)) if segments else SILENCE,
        mean_confidence(with_text),
        "; ".join(notes) or None,
    )


def mean_confidence(transcripts: Sequence[Transcript]) -> float | None:
    """Return the mean of the confidences that are known, or None."""
    known = [transcript.confidence for transcript in transcripts if transcript.confidence is not None]
    return sum(known) / len(known) if known else None


def _better(of_whisper: Transcript, of_parakeet: Transcript | None) -> Transcript:
    if of_parakeet and (of_parakeet.text or not of_whisper.recognizer):
        return of_parakeet
    return of_whisper
