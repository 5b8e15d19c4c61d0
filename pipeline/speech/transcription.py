"""Transcription of recordings of any length, segment by segment, by two ASR models."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.settings import IDENTIFY, NONE, Settings
from pipeline.speech.language import language_of
from pipeline.speech.pauses import out_of_pauses, unwritten
from pipeline.speech.routing import Router
from pipeline.speech.segments import fits, put_together, within
from pipeline.speech.voice import Segment, find_speech
from pipeline.speech.words import Transcriber, Transcript, Writer

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
        speech = [find_speech(samples, self._decoding) for samples in batch]
        segments, written = transcribe(self._whisper, batch, speech)
        if self._parakeet:
            written = transcribe_english(self._parakeet, batch, segments, written)
        return [joined(some, parts) for some, parts in zip(segments, written, strict=True)]


def load_whisper(settings: Settings) -> Writer:
    """Load Whisper with the library, on the device and in the way that the settings choose, and its aligner."""
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
    writer: Writer = Router(model, settings.whisper, identifier, leaves_english)
    if settings.whisper.traditional:
        from pipeline.speech.traditional import Traditional

        writer = Traditional(writer)
    if settings.models.aligner != NONE:
        from pipeline.speech.alignment import Aligned, Aligner

        writer = Aligned(writer, Aligner(settings.models.aligner, device))
    return writer


def load_parakeet(settings: Settings) -> Transcriber:
    """Load Parakeet on the device that the settings choose."""
    from pipeline.speech import parakeet

    return parakeet.Parakeet(settings.models.parakeet, settings.parakeet, settings.parakeet.pool.device)


def transcribe(
    whisper: Writer, batch: Sequence[np.ndarray], speech: Sequence[Sequence[Segment]]
) -> tuple[list[list[Segment]], list[list[Transcript]]]:
    """Transcribe recordings together: those that fit the window as a whole, others in segments of one language.

    Where a segment ends in speech of which nothing is written, that end becomes a segment of its own.

    Args:
        whisper: The ASR model.
        batch: Recordings (float32, mono, 16 kHz).
        speech: Stretches of speech of each; a recording without any is not transcribed.

    Returns:
        For each recording, its segments in order and the transcript of each, with times from the segment's start.
    """
    whole = [(row, Segment(0, len(audio))) for row, audio in enumerate(batch) if speech[row] and fits(len(audio))]
    parts, english = _parts_of_long(whisper, batch, speech)
    written = _written(whisper, batch, speech, whole) | _written(whisper, batch, speech, parts, english)
    latest = dict(written)
    while latest:
        rests = []
        for (row, segment), transcript in latest.items():
            if rest := unwritten(segment, transcript, within(segment, speech[row])):
                written[row, Segment(segment.start, rest.start)] = written.pop((row, segment))
                rests.append((row, rest))
        latest = _written(whisper, batch, speech, rests)
        written = written | latest
    places = [sorted(segment for row, segment in written if row == own) for own in range(len(batch))]
    return places, [[written[row, segment] for segment in some] for row, some in enumerate(places)]


def _parts_of_long(
    whisper: Writer, batch: Sequence[np.ndarray], speech: Sequence[Sequence[Segment]]
) -> tuple[list[tuple[int, Segment]], list[float]]:
    """Return row and segment of each part of the recordings beyond the window, and how English each is."""
    long = [row for row, audio in enumerate(batch) if speech[row] and not fits(len(audio))]
    if not long:
        return [], []
    heard = iter(whisper.english([batch[row][each.start : each.end] for row in long for each in speech[row]]))
    parts: list[tuple[int, Segment]] = []
    english: list[float] = []
    for row in long:
        segments, means = put_together(speech[row], [next(heard) for _ in speech[row]])
        parts += [(row, segment) for segment in segments]
        english += means
    return parts, english


def _written(
    whisper: Writer,
    batch: Sequence[np.ndarray],
    speech: Sequence[Sequence[Segment]],
    places: Sequence[tuple[int, Segment]],
    english: Sequence[float] | None = None,
) -> dict[tuple[int, Segment], Transcript]:
    """Transcribe segments, each given by its recording's row, and keep the words out of pauses."""
    if not places:
        return {}
    written = whisper.transcribe([batch[row][segment.start : segment.end] for row, segment in places], english)
    return {
        (row, segment): out_of_pauses(
            transcript,
            [(each.start_s - segment.start_s, each.end_s - segment.start_s) for each in within(segment, speech[row])],
        )
        for (row, segment), transcript in zip(places, written, strict=True)
    }


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
        For each recording, the transcript of each segment: Parakeet's of an English one where it wrote any text, else
        Whisper's.
    """
    english = [
        (row, segment)
        for row, some in enumerate(segments)
        for segment, transcript in zip(some, transcripts[row], strict=True)
        if transcript.language == "en"
    ]
    again = (
        parakeet.transcribe([batch[row][segment.start : segment.end] for row, segment in english]) if english else []
    )
    of_parakeet = dict(zip(english, again, strict=True))
    return [
        [_better(part, of_parakeet.get((row, segment))) for segment, part in zip(some, transcripts[row], strict=True)]
        for row, some in enumerate(segments)
    ]


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
