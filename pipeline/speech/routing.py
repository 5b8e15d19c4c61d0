"""The language of each segment, heard before anything is written, and what Whisper writes of it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from pipeline.settings import IDENTIFY, WhisperSettings
from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.batches import in_batches
from pipeline.speech.loops import compression_ratio, loop_at_end
from pipeline.speech.voice import WINDOW_S
from pipeline.speech.words import Transcript

_MIXED = 0.05  # of probability
_HELD = 64  # segments whose encoder output is kept at once: 0.5 GB of Whisper large

_WINDOWS_S = (10.0, 20.0, WINDOW_S)
"""Windows in which a language is heard: encoding takes less time in shorter ones, and below 10 s the language is wrong
more often (on 90 recordings with Whisper base: none wrong in 10 and 30 s, 1 in 5 s)."""

_MARGIN_S = 1.0  # of silence behind a segment, as Whisper knows it


class Whisper(Protocol):
    """A Whisper model, which hears a language in the same encoder output that it then writes from."""

    name: str

    def encode(self, batch: Sequence[np.ndarray], window_s: float = WINDOW_S) -> list[Any]:
        """Encode segments (float32, mono, 16 kHz, at most 30 s), one value each, in order.

        A window shorter than Whisper's 30 s, which holds all of them, is enough for the language, but not to write.
        """
        ...

    def english(self, encoded: Sequence[Any]) -> list[float]:
        """Return the probability that a segment is English, out of English and Mandarin, for each."""
        ...

    def write(self, encoded: Sequence[Any], durations_s: Sequence[float], language: str) -> list[Transcript]:
        """Transcribe encoded segments of these durations in one language, one transcript each, in order."""
        ...


class Router:
    """Whisper as a transcriber of segments in either language.

    Args:
        whisper: The model that writes.
        settings: The language to write, batches and guards.
        identifier: The model that hears the language; None where nothing depends on it.
        leaves_english: Whether English is left to another model.
    """

    def __init__(
        self,
        whisper: Whisper,
        settings: WhisperSettings,
        identifier: Whisper | None = None,
        leaves_english: bool = False,
    ):
        self.name = whisper.name
        self._whisper, self._settings = whisper, settings
        self._identifier, self._leaves_english = identifier, leaves_english

    def english(self, batch: Sequence[np.ndarray]) -> list[float]:
        """Return the probability that a segment is English, for each; 0.5 where nothing depends on it."""
        found: list[float] = []
        for first in range(0, len(batch), _HELD):
            found += self._hear(batch[first : first + _HELD], is_whole=False)[0]
        return found

    def transcribe(self, batch: Sequence[np.ndarray], english: Sequence[float] | None = None) -> list[Transcript]:
        """Transcribe segments (float32, mono, 16 kHz, at most 30 s), one transcript each, in order.

        What is left to another model is an empty transcript without a recognizer.

        Args:
            batch: The segments.
            english: The probability that each is English, if it is known.
        """
        written: list[Transcript] = []
        for first in range(0, len(batch), _HELD):
            known = None if english is None else english[first : first + _HELD]
            written += self._transcribe(batch[first : first + _HELD], known)
        return written

    def languages(self, english: float) -> tuple[str, ...]:
        """Return the languages to write a segment in: none if it is left to another model, two if in doubt.

        Args:
            english: Probability that it is English.
        """
        if self._identifier is None:
            return (self._settings.language,)
        is_clear = max(english, 1 - english) >= self._settings.certainty
        if is_clear and self._leaves_english and english > 0.5:
            return ()
        if self._settings.language != IDENTIFY:
            return (self._settings.language,)
        likelier = ("en", "zh") if english > 0.5 else ("zh", "en")
        return likelier[:1] if is_clear else likelier

    def _transcribe(self, batch: Sequence[np.ndarray], english: Sequence[float] | None) -> list[Transcript]:
        encoded: dict[int, Any] = {}
        if english is None:
            is_whole = self._identifier is self._whisper and not self._leaves_english  # and is written from
            english, encoded = self._hear(batch, is_whole)
        languages = [self.languages(probability) for probability in english]
        written: list[list[Transcript]] = [[] for _ in batch]
        for language in sorted({language for some in languages for language in some}):
            own = [place for place, some in enumerate(languages) if language in some]
            for places in self._batches(batch, own):
                missing = [place for place in places if place not in encoded]
                encoded |= zip(missing, self._whisper.encode([batch[place] for place in missing]), strict=True)
                texts = self._whisper.write(
                    [encoded[place] for place in places],
                    [len(batch[place]) / SAMPLE_RATE for place in places],
                    language,
                )
                for place, transcript in zip(places, texts, strict=True):
                    written[place].append(guarded(transcript, self._settings))
        return [max(texts, key=_worth, default=Transcript("")) for texts in written]

    def _hear(self, batch: Sequence[np.ndarray], is_whole: bool) -> tuple[list[float], dict[int, Any]]:
        """Return how English each segment is, and by its place what Whisper has encoded and can write from.

        Args:
            batch: The segments.
            is_whole: Whether to encode them in the whole window, and not in one that holds them.
        """
        english = [0.5] * len(batch)
        encoded: dict[int, Any] = {}
        if self._identifier is None:
            return english, encoded
        by_window: dict[float, list[int]] = {}
        for place, samples in enumerate(batch):
            by_window.setdefault(WINDOW_S if is_whole else _window_s(samples), []).append(place)
        for window_s, own in by_window.items():
            for places in self._batches(batch, own, window_s):
                heard = self._identifier.encode([batch[place] for place in places], window_s)
                for place, probability in zip(places, self._identifier.english(heard), strict=True):
                    english[place] = probability
                if self._identifier is self._whisper and window_s == WINDOW_S:
                    encoded |= zip(places, heard, strict=True)
        return english, encoded

    def _batches(
        self, batch: Sequence[np.ndarray], places: Sequence[int], window_s: float = WINDOW_S
    ) -> Iterator[list[int]]:
        durations_s = [len(batch[place]) / SAMPLE_RATE for place in places]
        for chosen in in_batches(durations_s, self._settings.batch_seconds, window_s):
            yield [places[number] for number in chosen]


def guarded(transcript: Transcript, settings: WhisperSettings) -> Transcript:
    """Cut a transcript where it begins to loop, and drop it where it still repeats itself; a note says so.

    Args:
        transcript: What Whisper wrote of a segment.
        settings: How much repetition is believed.
    """
    end = loop_at_end(transcript.text, settings.max_repeats)
    if end is not None:
        words = [word for word in transcript.words if word.char_end <= end]
        transcript = replace(transcript, text=transcript.text[:end], words=words, note="a loop is cut off")
    if compression_ratio(transcript.text) > settings.compression_ratio_threshold:
        return replace(transcript, text="", words=[], note="its text repeats itself and is dropped")
    return transcript


def _window_s(samples: np.ndarray) -> float:
    needed_s = len(samples) / SAMPLE_RATE + _MARGIN_S
    return next((window_s for window_s in _WINDOWS_S if needed_s <= window_s), WINDOW_S)


def _worth(transcript: Transcript) -> float:
    """Return the mean token probability, and a little more for a text in two scripts; 0 for none.

    Told to write English, Whisper translates the Mandarin of a recording that mixes both.
    """
    has_both = transcript.language == "zh" and bool(re.search("[A-Za-z]{2}", transcript.text))
    return bool(transcript.text) * (transcript.confidence or 0.0) + _MIXED * has_both
