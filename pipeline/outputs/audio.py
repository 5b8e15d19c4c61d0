"""Copies of recordings in which spans of time are covered by silence or a tone."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import fsspec
import numpy as np
import soundfile

from pipeline.errors import reason
from pipeline.files import filesystem
from pipeline.speech.audio import AudioError

BEEP_HZ = 1_000.0
"""Frequency of the tone in Hz."""

BEEP_LEVEL = 0.1
"""Amplitude of the tone, full scale at 1."""

FADE_S = 0.01
"""Length of a fade in seconds, at most that of the padding."""

_FRAMES_PER_BLOCK = 1 << 16  # the Vorbis encoder of libsndfile 1.2.2 crashes on blocks of some hundred thousand
_DURATION_TOLERANCE_S = 0.1  # the header of an MP3 file states its length to a frame or two
# All other encodings are read and written as int32, which holds PCM, FLAC, A-law and mu-law samples exactly.
_FLOATS = {"DOUBLE": "float64"} | dict.fromkeys(["FLOAT", "VORBIS", "OPUS", "MPEG_LAYER_III"], "float32")


@dataclass(frozen=True)
class Cover:
    """What covers a span of time.

    Attributes:
        sound: Silence, or a tone of 1 kHz.
        padding_s: Seconds covered before and after each span as well. A fade at the outer edge of the padding prevents
            clicks; without padding there is none.
    """

    sound: Literal["silence", "beep"] = "silence"
    padding_s: float = 0.1


def copy_covered(
    source: str, target: str, spans: Sequence[tuple[float, float]], cover: Cover, duration_s: float | None = None
) -> None:
    """Copy a recording with spans covered on all channels.

    The copy has the container, encoding, sample rate, channels and length of the source, but not its titles and
    comments. Outside spans and padding, samples of PCM, float, FLAC, ALAC, A-law and mu-law are bit for bit those of
    the source; ADPCM, MP3, Vorbis and Opus are encoded again. The copy appears whole or not at all.

    Args:
        source: A local path or an fsspec URI.
        target: A local path or an fsspec URI, in a folder that exists.
        spans: Start and end in seconds, in any order; they may overlap.
        cover: What to cover them with.
        duration_s: Length in seconds of the recording in which the spans were found; None skips the comparison.

    Raises:
        AudioError: The recording cannot be read, cannot be written in its own format, or is not as long as the one
            in which the spans were found.
        OSError: The target cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = str(Path(folder) / "copy")
        try:
            with fsspec.open(source, "rb") as stream, soundfile.SoundFile(stream) as file:
                seconds = _copy(file, copy, spans, cover)
        except soundfile.LibsndfileError as error:
            raise AudioError(f"unreadable: {error.error_string.rstrip('.')}") from None
        except OSError as error:
            raise AudioError(f"unreadable: {reason(error)}") from None
        except (TypeError, ValueError) as error:  # headerless
            raise AudioError(f"unreadable: {error}") from None
        if duration_s is not None and abs(seconds - duration_s) > _DURATION_TOLERANCE_S:
            raise AudioError(f"{seconds:.3f} s long, where the entities were found in one of {duration_s:.3f} s")
        if any(end > seconds + _DURATION_TOLERANCE_S for _, end in spans):
            raise AudioError(f"{seconds:.3f} s long, and an entity ends later")
        fs, path = filesystem(target)
        fs.put_file(copy, f"{path}.tmp")
        fs.mv(f"{path}.tmp", path)


def _copy(source: soundfile.SoundFile, target: str, spans: Sequence[tuple[float, float]], cover: Cover) -> float:
    """Copy block by block, and return the length in seconds."""
    rate, dtype = source.samplerate, _FLOATS.get(source.subtype, "int32")
    form = {"format": source.format, "subtype": source.subtype, "endian": source.endian}
    padding = math.ceil(cover.padding_s * rate)
    fade = min(math.ceil(FADE_S * rate), padding)
    covered = _merge([(math.floor(start * rate) - padding, math.ceil(end * rate) + padding) for start, end in spans])
    if not soundfile.check_format(**form):
        raise AudioError(f"{source.format} with {source.subtype} can be read but not written: convert it to WAV")
    frames = 0
    with soundfile.SoundFile(target, "w", rate, source.channels, **form) as copy:
        while len(block := source.read(_FRAMES_PER_BLOCK, dtype=dtype, always_2d=True)):
            for start, end in covered:
                _cover(block, frames, start, end, fade, BEEP_LEVEL if cover.sound == "beep" else 0.0, rate)
            copy.write(block)
            frames += len(block)
    return frames / rate


def _merge(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _cover(block: np.ndarray, first: int, start: int, end: int, fade: int, level: float, rate: int) -> None:
    """Cover frames ``start`` to ``end`` of a recording in the block (frames, channels) that begins at ``first``."""
    frames = np.arange(max(start, first), min(end, first + len(block)))
    if not len(frames):
        return
    inside = np.minimum(frames - start + 1, end - frames)  # frames from the nearer edge
    covered = np.sin(np.pi / 2 * np.minimum(inside / (fade + 1), 1.0)) ** 2
    covered[inside > fade] = 1.0
    full_scale = 1.0 if block.dtype.kind == "f" else 2.0**31
    tone = level * full_scale * np.sin(2 * np.pi * BEEP_HZ / rate * frames)
    source = block[frames - first]
    mixed = np.where(covered[:, None] < 1, source * (1 - covered[:, None]), 0.0) + (tone * covered)[:, None]
    block[frames - first] = mixed if block.dtype.kind == "f" else np.rint(mixed)
