"""Sounds in which nobody speaks, seeded, float32 at 16 kHz."""

from collections.abc import Callable

import numpy as np
from scipy.signal import butter, sosfilt

SAMPLE_RATE = 16_000


def _times(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * SAMPLE_RATE))


def _tone(pitch: float, seconds: float, harmonics: int) -> np.ndarray:
    return sum((np.sin(2 * np.pi * pitch * k * _times(seconds)) / k for k in range(1, harmonics + 1)), np.zeros(1))


def _faded(sound: np.ndarray, attack_s: float, release_s: float) -> np.ndarray:
    attack, release = round(attack_s * SAMPLE_RATE), round(release_s * SAMPLE_RATE)
    steady = len(sound) - attack - release
    return sound * np.concatenate([np.linspace(0, 1, attack), np.ones(steady), np.linspace(1, 0, release)])


def _band(sound: np.ndarray, low: float, high: float, order: int = 4) -> np.ndarray:
    return sosfilt(butter(order, [low, high], "band", fs=SAMPLE_RATE, output="sos"), sound)


def _repeated(sound: np.ndarray, every_s: float, seconds: float, background: float = 0.0005) -> np.ndarray:
    made, step = _noise(seconds, background), round(every_s * SAMPLE_RATE)
    for start in range(0, max(len(made) - len(sound), 1), step):
        part = made[start : start + len(sound)]
        part += sound[: len(part)]
    return made


def music(seconds: float) -> np.ndarray:
    """A melody over a chord."""
    random, made = np.random.default_rng(0), np.zeros(round(seconds * SAMPLE_RATE))
    chord = 0.03 * _faded(sum(_tone(pitch, 0.5, 6) for pitch in (130.8, 164.8, 196.0)), 0.02, 0.1)
    for start in range(0, len(made), SAMPLE_RATE // 2):
        note = chord + 0.1 * _faded(_tone(random.choice([261.6, 293.7, 329.6, 392.0, 440.0]), 0.5, 6), 0.01, 0.3)
        made[start : start + len(note)] += note[: len(made) - start]
    return made


def laughter(seconds: float) -> np.ndarray:
    """Bursts of a voice that falls, five in a second."""
    random, bursts = np.random.default_rng(0), []
    for number in range(6):
        burst = _tone(230 * (1 - 0.04 * number), 0.09, 20) + random.normal(0, 0.6, round(0.09 * SAMPLE_RATE))
        for formant in (700, 1200, 2600):
            burst = _band(burst, formant - 120, formant + 120, 1) + 0.2 * burst
        burst = _faded(burst, 0.02, 0.05)
        bursts += [0.15 * burst / np.abs(burst).max(), np.zeros(round(0.11 * SAMPLE_RATE))]
    return _repeated(np.concatenate(bursts), 2.2, seconds)


SOUNDS: dict[str, Callable[[float], np.ndarray]] = {
    "silence": lambda seconds: np.zeros(round(seconds * SAMPLE_RATE)),
    "white noise": lambda seconds: _noise(seconds, 0.1),
    "faint noise": lambda seconds: _noise(seconds, 0.003),
    "clipped noise": lambda seconds: np.clip(_noise(seconds, 1.0), -0.99, 0.99),
    "hum": lambda seconds: 0.3 * np.sin(2 * np.pi * 50 * _times(seconds)),
    "sweep": lambda seconds: 0.3 * np.sin(2 * np.pi * (200 + 60 * _times(seconds)) * _times(seconds)),
    "dial tone": lambda seconds: 0.2 * np.sin(2 * np.pi * 425 * _times(seconds)) * (_times(seconds) % 5 < 1),
    "clicks": lambda seconds: _repeated(_noise(0.003, 0.5), 0.5, seconds),
    "breaths": lambda seconds: _repeated(_faded(_band(_noise(1.2, 0.05), 300, 4000), 0.4, 0.6), 3.0, seconds),
    "music": music,
}
"""By name, a sound of so many seconds; none of them has a moment that Silero's network takes for a voice."""
