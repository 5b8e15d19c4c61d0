"""Decode audio files to mono float32 samples at 16 kHz, the input of the ASR models."""

import io
from dataclasses import dataclass, replace

import numpy as np
import soundfile
import soxr

from pipeline.files import write_bytes
from pipeline.settings import DecodingSettings
from pipeline.speech.reader import AudioError, open_sound, undecodable

SAMPLE_RATE = 16_000
"""Sample rate of decoded audio, in Hz."""

_HEADERLESS = frozenset(("raw", "pcm"))
_LOUDEST = 16.0  # times full scale; float files of careless programs reach a few times
_CANCELLED = 0.1  # power of the mean, of that of the loudest channel: uncorrelated channels have a half


@dataclass(frozen=True)
class Audio:
    """A decoded recording.

    Attributes:
        samples: Mono samples at 16 kHz, float32, shape (samples,), with full scale at 1.
        duration_s: Duration of the file in seconds.
        sample_rate: Original sample rate of the file in Hz.
        channels: Original number of channels.
        note: What readers of the transcript should know: that the file is incomplete, or that one channel was taken.
    """

    samples: np.ndarray
    duration_s: float
    sample_rate: int
    channels: int
    note: str | None = None


def decode(path: str, settings: DecodingSettings) -> Audio:
    """Decode an audio file to one channel at 16 kHz, as far as it can be read.

    The channels are averaged. Where that cancels them, as one is the other inverted, the louder one is taken.

    Args:
        path: A local path or an fsspec URI.
        settings: Minimum and maximum duration, and the channel to take.

    Raises:
        AudioError: The file is headerless, unreadable or empty, has samples that are no sound or an impossible sample
            rate, or is shorter or longer than the settings allow.
    """
    if path.rpartition(".")[2].lower() in _HEADERLESS:
        raise AudioError("raw PCM has no header, so its sample rate and format are unknown: convert it to WAV")
    audio, loudest = _decode(path, settings, {"left": 0, "right": 1}.get(settings.channels))
    if loudest is None:
        return audio
    taken, _ = _decode(path, settings, loudest)
    note = f"channel {loudest + 1} alone: the channels cancel each other"
    return replace(taken, note="; ".join(filter(None, (taken.note, note))))


def _decode(path: str, settings: DecodingSettings, channel: int | None) -> tuple[Audio, int | None]:
    """Decode one channel, or the mean of all; with the loudest channel where the mean cancels them."""
    samples = bytearray()  # which grows in place, where joined blocks would be held twice
    with open_sound(path) as sound:
        rate, channels = sound.form.rate, sound.form.channels
        too_long = AudioError(f"longer than {settings.max_duration_s:g} s (--decoding.max-duration-s)")
        if (sound.stated_s or 0.0) > settings.max_duration_s:
            raise too_long
        resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        of_channels, of_mean = np.zeros(channels), 0.0
        for block in sound.blocks():
            if sound.frames > settings.max_duration_s * rate:
                raise too_long
            if not max(block.max(), -block.min()) <= _LOUDEST:  # false for NaN too
                raise AudioError("samples that are no sound: not finite, or far beyond full scale")
            # einsum sums a few channels of many frames several times as fast as NumPy's reductions do
            mono = np.einsum("fc->f", block) / channels if channel is None else block[:, min(channel, channels - 1)]
            of_channels += np.einsum("fc,fc->c", block, block)
            of_mean += float(mono @ mono)
            samples += resampler.resample_chunk(np.ascontiguousarray(mono)).tobytes()
        samples += resampler.resample_chunk(np.zeros(0, np.float32), last=True).tobytes()
    if not sound.frames:
        raise (
            undecodable(str(sound.form), "nothing could be decoded")
            if sound.damaged or sound.note
            else AudioError("no samples")
        )
    if sound.frames < settings.min_duration_s * rate:
        raise AudioError(f"shorter than {settings.min_duration_s:g} s (--decoding.min-duration-s)")
    audio = Audio(np.frombuffer(samples, np.float32), sound.frames / rate, rate, channels, sound.note)
    cancels = channel is None and of_mean < _CANCELLED * of_channels.max()
    return audio, int(of_channels.argmax()) if cancels else None


def write_wav(path: str, samples: np.ndarray) -> None:
    """Write mono samples at 16 kHz atomically as a 16-bit WAV file, clipped at full scale.

    Args:
        path: A local path or an fsspec URI.
        samples: float32, shape (samples,).
    """
    content = io.BytesIO()
    soundfile.write(content, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    write_bytes(path, content.getvalue())


def is_silent(samples: np.ndarray, threshold_dbfs: float) -> bool:
    """Return whether the RMS level of mono 16 kHz samples is below a threshold (dBFS) in all windows of 50 ms."""
    window = SAMPLE_RATE // 20
    whole = len(samples) // window * window
    windows, rest = samples[:whole].reshape(-1, window), samples[whole:].astype(np.float64)
    energies = np.einsum("ws,ws->w", windows, windows, dtype=np.float64)
    loudest = np.sqrt(max(energies.max(initial=0.0), rest @ rest) / window)
    return bool(loudest < 10 ** (threshold_dbfs / 20))
