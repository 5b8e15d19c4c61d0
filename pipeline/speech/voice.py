"""Where somebody speaks, and pieces of a recording that an ASR model's window holds, cut at pauses.

Voices are found by Silero's network, which faster-whisper brings along. Pieces are made as in WhisperX (Bain et al.,
2023): neighbouring stretches of speech go together as long as they fit.
"""

from typing import NamedTuple

import numpy as np

from pipeline.speech.audio import SAMPLE_RATE

WINDOW_S = 30.0
"""Length of Whisper's window in seconds, and the most of a piece."""

_CONTEXT = SAMPLE_RATE // 4  # silence on both sides, without which a word as short as "zero" is no voice
_PADDING_S = 0.4  # around speech, as words begin and end softly
_PAUSE_S = 0.2  # the shortest pause at which a piece may end


class Piece(NamedTuple):
    """A part of a recording, in samples at 16 kHz, half open."""

    start: int
    end: int


def find_pieces(samples: np.ndarray, threshold: float) -> list[Piece]:
    """Find the pieces of a recording in which somebody speaks.

    A recording that fits the window is one piece as a whole.

    Args:
        samples: Mono samples at 16 kHz, float32, shape (samples,).
        threshold: Probability of a voice, 0 to 1, from which a moment counts as speech; 0 takes everything for speech.

    Returns:
        The pieces in order, none longer than the window; none at all where nobody speaks.
    """
    fits = len(samples) <= WINDOW_S * SAMPLE_RATE
    if threshold <= 0:
        return [Piece(0, len(samples))] if fits else _at_quiet_places(samples)
    from faster_whisper.vad import get_speech_timestamps

    found = get_speech_timestamps(
        np.pad(samples, _CONTEXT),
        threshold=threshold,
        max_speech_duration_s=WINDOW_S,
        min_silence_duration_ms=round(1000 * _PAUSE_S),
        speech_pad_ms=round(1000 * _PADDING_S / 2),
    )
    if fits:
        return [Piece(0, len(samples))] if found else []
    spoken = [Piece(max(each["start"] - _CONTEXT, 0), min(each["end"] - _CONTEXT, len(samples))) for each in found]
    return _joined([piece for piece in spoken if piece.start < piece.end])


def _joined(spoken: list[Piece]) -> list[Piece]:
    pieces: list[Piece] = []
    for each in spoken:
        if pieces and each.end - pieces[-1].start <= WINDOW_S * SAMPLE_RATE:
            pieces[-1] = Piece(pieces[-1].start, each.end)
        else:
            pieces.append(each)
    return pieces


def _at_quiet_places(samples: np.ndarray) -> list[Piece]:
    """Cut a recording in the quietest tenth of a second of the last third of each window."""
    window, step = int(WINDOW_S * SAMPLE_RATE), SAMPLE_RATE // 10
    pieces: list[Piece] = []
    start = 0
    while len(samples) - start > window:
        first = start + window * 2 // 3
        part = samples[first : start + window]
        power = np.square(part[: len(part) // step * step].reshape(-1, step), dtype=np.float64).sum(axis=1)
        end = first + int(power.argmin()) * step + step // 2
        pieces.append(Piece(start, end))
        start = end
    return [*pieces, Piece(start, len(samples))]
