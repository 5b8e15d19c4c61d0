"""Find audio files and decode them to mono float32 samples at 16 kHz, the input of the ASR models."""

import io
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import fsspec
import numpy as np
import soundfile
import soxr

from pipeline.errors import UserError, reason
from pipeline.files import write_bytes
from pipeline.settings import DecodingSettings

SAMPLE_RATE = 16_000
"""Sample rate of decoded audio, in Hz."""

SUFFIXES = frozenset(
    ["wav", "flac", "mp3", "ogg", "oga", "opus", "aif", "aiff", "au", "snd", "sph", "w64", "rf64", "caf", "raw", "pcm"]
)
"""File name suffixes of audio files."""

_HEADERLESS = frozenset(("raw", "pcm"))
_POSSIBLE_SAMPLE_RATES = range(4_000, 384_001)
_LINE_BREAKING_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
_FRAMES_PER_READ = 1 << 20


class AudioError(Exception):
    """A recording that cannot be transcribed. The message gives the reason and contains no patient text."""


@dataclass(frozen=True)
class Audio:
    """A decoded recording.

    Attributes:
        samples: Mono samples at 16 kHz, float32, shape (samples,), with full scale at 1.
        duration_s: Duration of the file in seconds.
        sample_rate: Original sample rate of the file in Hz.
        channels: Original number of channels.
    """

    samples: np.ndarray
    duration_s: float
    sample_rate: int
    channels: int


def find_recordings(folder: str, option: str = "--audio") -> dict[str, str]:
    """Find the audio files in a folder and its subfolders.

    Args:
        folder: A local path or an fsspec URI.
        option: Command-line option that gave the folder, for error messages.

    Returns:
        Paths or URIs by recording id (the file's stem), sorted by path.

    Raises:
        UserError: The folder does not exist or contains no audio, two files have the same stem, or a stem has a
            character that would break a line of a submission file.
    """
    fs, root = fsspec.url_to_fs(folder)
    if not fs.isdir(root):
        raise UserError(f"{option} {folder}: there is no such folder.")
    recordings: dict[str, str] = {}
    local = "file" in fs.protocol
    for file in sorted(_files_below(root) if local else fs.find(root)):
        name = PurePosixPath(file)
        if name.suffix.lower().removeprefix(".") not in SUFFIXES or name.name.startswith("."):
            continue
        path = file if local else fs.unstrip_protocol(file)
        if any(unicodedata.category(character) in _LINE_BREAKING_CATEGORIES for character in name.stem):
            raise UserError(f"{path!r}: a file name with a tab or a line end cannot be a recording's id; rename it.")
        if name.stem in recordings:
            raise UserError(
                f"{recordings[name.stem]} and {path} would both be recording {name.stem}: rename one of them."
            )
        recordings[name.stem] = path
    if not recordings:
        raise UserError(f"{option} {folder}: no audio in it (files named {', '.join(sorted(SUFFIXES))}).")
    return recordings


def _files_below(folder: str) -> list[str]:
    """List local files as fsspec's ``find`` does, but follow linked folders too."""
    return [str(Path(at) / name) for at, _, names in os.walk(folder, followlinks=True) for name in names]


def decode(path: str, settings: DecodingSettings) -> Audio:
    """Decode an audio file with libsndfile, average its channels, and resample it with soxr.

    Args:
        path: A local path or an fsspec URI.
        settings: Minimum and maximum duration.

    Raises:
        AudioError: The file is headerless, unreadable or empty, has non-finite samples or an impossible sample rate,
            or is shorter or longer than the settings allow.
    """
    if path.rpartition(".")[2].lower() in _HEADERLESS:
        raise AudioError("raw PCM has no header, so its sample rate and format are unknown: convert it to WAV")
    try:
        with fsspec.open(path, "rb") as stream, soundfile.SoundFile(stream) as file:
            rate, channels = file.samplerate, file.channels
            if rate not in _POSSIBLE_SAMPLE_RATES:
                raise AudioError(f"impossible sample rate: {rate} Hz")
            resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
            frames = 0
            parts: list[np.ndarray] = []
            for block in file.blocks(_FRAMES_PER_READ, dtype="float32", always_2d=True):
                frames += len(block)
                if frames > settings.max_duration_s * rate:
                    raise AudioError(f"longer than {settings.max_duration_s:g} s")
                parts.append(resampler.resample_chunk(block.mean(axis=1)))
            parts.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    except soundfile.LibsndfileError as error:
        raise AudioError(f"unreadable: {error.error_string.rstrip('.')}") from None
    except OSError as error:
        raise AudioError(f"unreadable: {reason(error)}") from None
    samples = np.concatenate(parts)
    if not frames:
        raise AudioError("no samples")
    if frames < settings.min_duration_s * rate:
        raise AudioError(f"shorter than {settings.min_duration_s:g} s")
    if not np.isfinite(samples).all():
        raise AudioError("samples that are not finite numbers")
    return Audio(samples, frames / rate, rate, channels)


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
    padded = np.pad(samples, (0, -len(samples) % window))
    loudest = np.sqrt(np.square(padded.reshape(-1, window), dtype=np.float64).mean(axis=1).max())
    return bool(loudest < 10 ** (threshold_dbfs / 20))
