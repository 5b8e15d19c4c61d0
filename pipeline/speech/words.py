"""Timed words, and how they are made from whatever timed pieces a recogniser gives."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

CJK = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
"""CJK ideographs, as the inside of a regular expression's character class."""

_SPACES = ("Cc", "Zl", "Zp", "Zs")
WORD = re.compile(rf"[{CJK}]|[^\s{CJK}]+")
"""A CJK ideograph, or a run of other characters without a space."""


@dataclass(frozen=True)
class Piece:
    """A stretch of recognised text with its time: a token, a word or a character, as the model has it.

    The texts of a recording's pieces, joined as they are, are its raw text: a piece brings its own spaces.

    Attributes:
        text: Characters, spaces included.
        start_s: Start in seconds from the beginning of the recording.
        end_s: End in seconds.
        confidence: Probability in 0..1, where the recogniser gives one.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float | None = None


@dataclass(frozen=True)
class Word:
    """One word with its characters in the transcript and its time.

    A CJK ideograph is a word; other characters between spaces or ideographs make one, punctuation included.

    Attributes:
        text: The transcript's characters ``char_start`` to ``char_end``, half open.
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


@dataclass(frozen=True)
class Transcript:
    """What a recogniser heard in one recording.

    Attributes:
        text: The transcript on one line, without space at its ends; empty where there is no speech.
        words: Its words in order; every character that is not a space belongs to exactly one.
        recognizer: The recogniser's name.
        confidence: Mean probability of its tokens in 0..1, where the recogniser gives one.
    """

    text: str
    words: list[Word] = field(default_factory=list)
    recognizer: str = ""
    confidence: float | None = None


class Recognizer(Protocol):
    """Turns recordings into transcripts; models load in ``__init__`` and stay resident."""

    name: str

    def transcribe(self, batch: Sequence[np.ndarray]) -> list[Transcript]:
        """Transcribe recordings (float32, mono, 16 kHz, at least 0.1 s), one transcript each, in order."""
        ...


def transcript_from_pieces(pieces: Sequence[Piece], duration_s: float, recognizer: str) -> Transcript:
    """Join timed pieces into a transcript whose words know their characters and times.

    Control characters and Unicode line or paragraph separators become spaces, runs of spaces one space, so that
    a transcript is one line. Inside a piece time runs evenly over the characters that are not spaces. Times are
    kept within the recording and rounded to milliseconds, and no word starts before the one in front of it.

    Args:
        pieces: The recogniser's pieces, in the order of the text.
        duration_s: Length of the recording in seconds.
        recognizer: The recogniser's name.

    Returns:
        The transcript; without pieces, one with empty text.
    """
    text: list[str] = []
    times: list[tuple[float, float, float | None]] = []
    for piece in pieces:
        line = "".join(" " if unicodedata.category(c) in _SPACES else c for c in piece.text)
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
