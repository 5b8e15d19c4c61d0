"""Transcripts with timed words, built from the timed output of any ASR model."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from pipeline.speech.language import CJK, Language, language_of

_SPACE_CATEGORIES = ("Cc", "Zl", "Zp", "Zs")
WORD = re.compile(rf"[{CJK}]|[^\s{CJK}]+")
"""A CJK ideograph, or a run of other characters without spaces."""


@dataclass(frozen=True)
class Piece:
    """A timed part of the text that an ASR model writes: a token, a word or a character.

    The concatenated texts of all pieces are the raw text of the recording, so pieces include the spaces.

    Attributes:
        text: Characters, including spaces.
        start_s: Start in seconds from the beginning of the recording.
        end_s: End in seconds.
        confidence: Probability in 0..1, or None if the model gives none.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float | None = None


@dataclass(frozen=True)
class Word:
    """A word of a transcript with its position and time.

    A CJK ideograph is a word, and so is a run of other characters, including punctuation, without spaces.

    Attributes:
        text: The transcript's characters from ``char_start`` up to ``char_end``.
        char_start: Index of the first character.
        char_end: Index after the last character.
        start_s: Start in seconds.
        end_s: End in seconds.
        confidence: Probability in 0..1, or None.
    """

    text: str
    char_start: int
    char_end: int
    start_s: float
    end_s: float
    confidence: float | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Word":
        """Create a word from a struct of type ``tables.WORD``."""
        return cls(**row)

    def to_row(self) -> dict[str, Any]:
        """Return the word as a struct of type ``tables.WORD``."""
        return dict(vars(self))


@dataclass(frozen=True)
class Transcript:
    """The transcript of one recording.

    Attributes:
        text: The text on one line, without leading or trailing spaces; empty if there is no speech.
        words: Timed words in order; each non-space character is in exactly one. Empty if the times are unknown.
        recognizer: Name of the ASR model, or another source of the text, such as ``gold``.
        confidence: Mean token probability in 0..1, or None if the model gives none.
    """

    text: str
    words: list[Word] = field(default_factory=list)
    recognizer: str = ""
    confidence: float | None = None

    @property
    def language(self) -> Language:
        """The language of the text, ``en`` or ``zh``."""
        return language_of(self.text)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Transcript":
        """Create a transcript from a row of the table ``transcripts``."""
        return cls(row["text"], [Word.from_row(word) for word in row["words"]], row["recognizer"])

    def times(self, char_start: int, char_end: int) -> tuple[float, float]:
        """Return when a span is said: the start of the first and the end of the last word that it overlaps, in seconds.

        Args:
            char_start: Index of the span's first character.
            char_end: Index after its last character.

        Raises:
            ValueError: The span overlaps no word.
        """
        touched = [word for word in self.words if max(word.char_start, char_start) < min(word.char_end, char_end)]
        if not touched:
            raise ValueError(f"no word has a character between {char_start} and {char_end}")
        return touched[0].start_s, touched[-1].end_s

    def to_row(self) -> dict[str, Any]:
        """Return the row of the table ``transcripts``, without the recording's id."""
        words = [word.to_row() for word in self.words]
        return {"language": self.language, "text": self.text, "words": words, "recognizer": self.recognizer}


class Transcriber(Protocol):
    """An ASR model, which is loaded in ``__init__`` and kept in memory."""

    name: str

    def transcribe(self, batch: Sequence[np.ndarray]) -> list[Transcript]:
        """Transcribe recordings (float32, mono, 16 kHz, at least 0.1 s), one transcript each, in order."""
        ...


def transcript_from_pieces(pieces: Sequence[Piece], duration_s: float, recognizer: str) -> Transcript:
    """Join timed pieces into a transcript with timed words.

    Control characters and Unicode line or paragraph separators become spaces, and runs of spaces one space, so the
    transcript is a single line. The time of a piece is divided evenly among its non-space characters. Times are
    limited to the recording and rounded to milliseconds, and no word starts before the previous one.

    Args:
        pieces: The ASR model's pieces, in text order.
        duration_s: Duration of the recording in seconds.
        recognizer: Name of the ASR model.

    Returns:
        The transcript. Without pieces, its text is empty.
    """
    text: list[str] = []
    times: list[tuple[float, float, float | None]] = []
    for piece in pieces:
        line = "".join(" " if unicodedata.category(c) in _SPACE_CATEGORIES else c for c in piece.text)
        step = (piece.end_s - piece.start_s) / max(len(line.replace(" ", "")), 1)
        start = piece.start_s
        for character in line:
            end = start if character == " " else start + step
            if character != " " or (text and text[-1] != " "):
                text.append(character)
                times.append((start, end, piece.confidence))
            start = end
    if text and text[-1] == " ":
        text.pop()

    transcript = "".join(text)
    words: list[Word] = []
    earliest = 0.0
    for match in WORD.finditer(transcript):
        start, end = match.span()
        start_s = min(max(times[start][0], earliest), duration_s)
        end_s = min(max(times[end - 1][1], start_s), duration_s)
        known = [time[2] for time in times[start:end] if time[2] is not None]
        confidence = min(known) if known else None
        words.append(Word(match.group(), start, end, round(float(start_s), 3), round(float(end_s), 3), confidence))
        earliest = start_s
    return Transcript(transcript, words, recognizer)
