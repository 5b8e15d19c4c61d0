"""Transcripts with timed words, built from the timed output of any ASR model."""

import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from pipeline.speech.language import CJK, Language, language_of

SHORTEST_S = 0.02
"""Least length of a word in seconds, the resolution of Whisper's times."""

NO_SPEECH = "Whisper hears no speech here, or none that it is sure of"
"""Note of a transcript that Whisper's own thresholds made empty."""

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
        note: What was dropped of what the ASR model wrote, and why, or None.
    """

    text: str
    words: list[Word] = field(default_factory=list)
    recognizer: str = ""
    confidence: float | None = None
    note: str | None = None

    @property
    def language(self) -> Language:
        """The language of the text, ``en`` or ``zh``."""
        return language_of(self.text)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Transcript":
        """Create a transcript from a row of the table ``transcripts``."""
        return cls(row["text"], [Word.from_row(word) for word in row["words"]], row["recognizer"])

    def times(self, char_start: int, char_end: int) -> tuple[float, float]:
        """Return when a span is said, in seconds: from the first start to the latest end of the words that it overlaps.

        Args:
            char_start: Index of the span's first character.
            char_end: Index after its last character.

        Raises:
            ValueError: The span overlaps no word.
        """
        touched = [word for word in self.words if max(word.char_start, char_start) < min(word.char_end, char_end)]
        if not touched:
            raise ValueError(f"no word has a character between {char_start} and {char_end}")
        return min(word.start_s for word in touched), max(word.end_s for word in touched)

    def to_row(self) -> dict[str, Any]:
        """Return the row of the table ``transcripts``, without the recording's id."""
        words = [word.to_row() for word in self.words]
        return {"language": self.language, "text": self.text, "words": words, "recognizer": self.recognizer}


class Transcriber(Protocol):
    """An ASR model, which is loaded in ``__init__`` and kept in memory."""

    name: str

    def transcribe(self, batch: Sequence[np.ndarray]) -> list[Transcript]:
        """Transcribe segments (float32, mono, 16 kHz, at most 30 s), one transcript each, in order."""
        ...


class Writer(Transcriber, Protocol):
    """An ASR model that writes both languages, and hears which one is spoken."""

    def english(self, batch: Sequence[np.ndarray]) -> list[float]:
        """Return the probability that a segment is English, for each; 0.5 where nothing depends on it."""
        ...

    def transcribe(self, batch: Sequence[np.ndarray], english: Sequence[float] | None = None) -> list[Transcript]:
        """Transcribe segments as above.

        Args:
            batch: The segments.
            english: The probability that each is English, if it is known.
        """
        ...


def transcript_from_pieces(pieces: Sequence[Piece], duration_s: float, recognizer: str) -> Transcript:
    """Join timed pieces into a transcript with timed words.

    Control characters and Unicode line or paragraph separators become spaces, and runs of spaces one space, so the
    transcript is a single line. The time of a piece is divided evenly among its non-space characters. Every word takes
    some time inside the recording, and none starts before the previous one; a piece whose time does not fit those of
    the others gets one between its neighbours. Times are rounded to milliseconds.

    Args:
        pieces: The ASR model's pieces, in text order.
        duration_s: Duration of the recording in seconds.
        recognizer: Name of the ASR model.

    Returns:
        The transcript. Without pieces, its text is empty.
    """
    text: list[str] = []
    times: list[tuple[float, float, float | None]] = []
    mended = mended_times([(piece.start_s, piece.end_s) for piece in pieces], duration_s)
    for (piece_start, piece_end), next_start, piece in zip(
        mended, [*(start for start, _ in mended), duration_s][1:], pieces, strict=True
    ):
        line = "".join(" " if unicodedata.category(c) in _SPACE_CATEGORIES else c for c in piece.text)
        left = len(line.replace(" ", ""))
        step = (piece_end - piece_start) / max(left, 1)
        start = piece_start
        for character in line:
            left -= character != " "
            end = start if character == " " else min(start + step, max(next_start, piece_start)) if left else piece_end
            if character != " " or (text and text[-1] != " "):
                text.append(character)
                times.append((start, end, piece.confidence))
            start = end
    if text and text[-1] == " ":
        text.pop()

    transcript = "".join(text)
    words: list[Word] = []
    for match in WORD.finditer(transcript):
        start, end = match.span()
        start_s = round(float(min(times[start][0], max(duration_s - SHORTEST_S, 0.0))), 3)
        end_s = max(*(time[1] for time in times[start:end]), start_s + SHORTEST_S)
        known = [time[2] for time in times[start:end] if time[2] is not None]
        confidence = min(known) if known else None
        words.append(Word(match.group(), start, end, start_s, round(float(end_s), 3), confidence))
    return Transcript(transcript, words, recognizer)


def mended_times(times: Sequence[tuple[float, float]], duration_s: float) -> list[tuple[float, float]]:
    """Put times in order without letting a wrong one move the right ones.

    The longest sequence of times whose starts never run backwards is trusted. Each other gets a time between its
    trusted neighbours, at most a second from one of them.

    Args:
        times: Start and end in seconds of consecutive pieces, as an ASR model gives them.
        duration_s: Duration of the recording in seconds.

    Returns:
        A time for each, within the recording; starts never run backwards, and no end is before its start.
    """
    clipped = [tuple(min(max(second, 0.0), duration_s) for second in time) for time in times]
    trusted = _longest_in_order([start if start <= end else math.inf for start, end in clipped])
    mended = [(0.0, 0.0)] * len(times)
    for place in trusted:
        mended[place] = clipped[place][0], clipped[place][1]
    for before, behind in pairwise([-1, *trusted, len(times)]):
        count = behind - before - 1
        if not count:
            continue
        latest = mended[behind][0] if behind < len(times) else duration_s
        if before < 0:
            earliest = max(latest - count, 0.0)
        else:
            earliest = min(mended[before][1], latest)
            latest = min(earliest + count, latest)
        step = (latest - earliest) / count
        for number in range(count):
            mended[before + 1 + number] = earliest + number * step, earliest + (number + 1) * step
    return mended


def _longest_in_order(starts: Sequence[float]) -> list[int]:
    """Return the places of a longest subsequence that never falls, without infinite values."""
    ends: list[float] = []
    last: list[int] = []
    before: list[int] = []
    for place, start in enumerate(starts):
        length = bisect_right(ends, start) if start < math.inf else -1
        before.append(last[length - 1] if length > 0 else -1)
        if length == len(ends):
            ends.append(start)
            last.append(place)
        elif length >= 0:
            ends[length], last[length] = start, place
    chain: list[int] = []
    place = last[-1] if last else -1
    while place >= 0:
        chain.append(place)
        place = before[place]
    return chain[::-1]
