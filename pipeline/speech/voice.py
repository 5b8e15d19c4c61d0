"""Where somebody speaks: stretches of speech between pauses, which Silero's network finds; faster-whisper brings it."""

from typing import NamedTuple

import numpy as np

from pipeline.settings import DecodingSettings
from pipeline.speech.audio import SAMPLE_RATE, is_silent
from pipeline.speech.batches import SECONDS_AT_ONCE

WINDOW_S = 30.0
"""Length of Whisper's window in seconds, and the most of a segment."""

_CONTEXT = SAMPLE_RATE // 4  # silence on both sides, without which a word as short as "zero" is no voice
_PADDING_S = 0.4  # around speech, as words begin and end softly
_SHORTEST_S = 0.128  # of a voice; bursts of noise are shorter, "four" is longer
_PAUSE_S = 0.2  # the shortest that ends a stretch of speech


class Segment(NamedTuple):
    """A part of a recording, in samples at 16 kHz, half open."""

    start: int
    end: int

    @property
    def start_s(self) -> float:
        """Start in seconds."""
        return self.start / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        """End in seconds."""
        return self.end / SAMPLE_RATE


def find_speech(samples: np.ndarray, settings: DecodingSettings) -> list[Segment]:
    """Find the stretches of a recording in which somebody speaks.

    Args:
        samples: Mono samples at 16 kHz, float32, shape (samples,).
        settings: The level of silence, and the probability of a voice from which a moment counts as speech; where that
            is 0, all that is not silent is speech.

    Returns:
        The stretches in order, with up to 0.2 s around each, none longer than the window; none where nobody speaks.
    """
    if is_silent(samples, settings.silence_dbfs):
        return []
    if settings.voice_threshold <= 0:
        return _at_quiet_places(samples, WINDOW_S)
    return [
        Segment(piece.start + stretch.start, piece.start + stretch.end)
        for piece in _at_quiet_places(samples, SECONDS_AT_ONCE)  # the network takes four times their memory
        for stretch in _voices(samples[piece.start : piece.end], settings.voice_threshold)
    ]


def _voices(samples: np.ndarray, threshold: float) -> list[Segment]:
    """Find the stretches in which a voice is as probable as the threshold."""
    from faster_whisper.vad import get_speech_timestamps

    found = get_speech_timestamps(
        np.pad(samples, _CONTEXT),
        threshold=threshold,
        max_speech_duration_s=WINDOW_S,
        min_speech_duration_ms=round(1000 * _SHORTEST_S),
        min_silence_duration_ms=round(1000 * _PAUSE_S),
        speech_pad_ms=round(1000 * _PADDING_S / 2),
    )
    speech = [Segment(max(each["start"] - _CONTEXT, 0), min(each["end"] - _CONTEXT, len(samples))) for each in found]
    return [stretch for stretch in speech if stretch.start < stretch.end]


def _at_quiet_places(samples: np.ndarray, most_s: float) -> list[Segment]:
    """Cut a recording into parts of at most so many seconds, each in the quietest tenth of one of its last third."""
    window, step = int(most_s * SAMPLE_RATE), SAMPLE_RATE // 10
    segments: list[Segment] = []
    start = 0
    while len(samples) - start > window:
        first = start + window * 2 // 3
        part = samples[first : start + window]
        tenths = part[: len(part) // step * step].reshape(-1, step)
        power = np.einsum("ts,ts->t", tenths, tenths, dtype=np.float64)
        end = first + int(power.argmin()) * step + step // 2
        segments.append(Segment(start, end))
        start = end
    return [*segments, Segment(start, len(samples))]
