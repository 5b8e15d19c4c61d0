"""Copies of recordings in which spans of time are covered by silence or a tone."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

import numpy as np

from pipeline.files import filesystem, move
from pipeline.intervals import union
from pipeline.outputs.sound_writer import FLAC, FFmpegForm, NotWritable, SoundFileForm, open_writer, own_form
from pipeline.speech.reader import AudioError, open_sound

BEEP_HZ = 1_000.0
"""Frequency of the tone in Hz."""

BEEP_LEVEL = 0.1
"""Amplitude of the tone, full scale at 1."""

FADE_S = 0.01
"""Length of a fade in seconds, at most that of the padding."""

_DURATION_TOLERANCE_S = 0.1  # an encoder that codes the sound anew fills up its last frame


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


class Copy(NamedTuple):
    """A copy that was written.

    Attributes:
        path: The file.
        note: In what it differs in kind from the recording, or None.
    """

    path: str
    note: str | None


def copy_covered(
    source: str, target: str, spans: Sequence[tuple[float, float]], cover: Cover, duration_s: float | None = None
) -> Copy:
    """Copy a recording with spans covered on all channels.

    The copy has the sample rate, channels and length of what was decoded, and the container and encoding of the
    source, but no titles, comments or pictures. Where these cannot be written, it is FLAC. Outside spans and padding,
    samples of PCM, float, FLAC, ALAC, A-law and mu-law are bit for bit those of the source; all others are encoded
    again. The copy appears whole or not at all.

    Args:
        source: A local path or an fsspec URI.
        target: A local path or an fsspec URI in a folder that exists, without the suffix.
        spans: Start and end in seconds, in any order; they may overlap.
        cover: What to cover them with.
        duration_s: Length in seconds of the recording in which the spans were found; None skips the comparison.

    Raises:
        AudioError: The recording cannot be read or written, or is not as long as the one in which the spans were found.
        OSError: The target cannot be written.
    """
    with open_sound(source) as sound:
        kind = sound.form
    note = "the sound alone: pictures are left out" if kind.pictures else None
    with tempfile.TemporaryDirectory() as folder:
        copy, suffix = str(Path(folder) / "copy"), PurePosixPath(source).suffix
        own = own_form(source, kind)
        if own is None or not _write(source, copy, own, spans, cover, duration_s):
            note = f"FLAC: {kind} can be read but not written at the same length"
            suffix = ".flac"
            if not _write(source, copy, FLAC, spans, cover, duration_s):
                raise AudioError(f"neither {kind} nor FLAC can be written: convert it to WAV")
        fs, path = filesystem(f"{target}{suffix}")
        fs.put_file(copy, f"{path}.tmp")
        move(fs, f"{path}.tmp", path)
    return Copy(f"{target}{suffix}", note)


def _write(
    source: str,
    target: str,
    form: SoundFileForm | FFmpegForm,
    spans: Sequence[tuple[float, float]],
    cover: Cover,
    duration_s: float | None,
) -> bool:
    """Copy block by block; return whether the form takes the sound and keeps its length."""
    try:
        with open_sound(source, "float64") as sound:
            rate = sound.form.rate
            with open_writer(target, form, rate, sound.form.channels) as write:
                covered = _covered(spans, cover, rate)
                for block in sound.blocks():
                    first = sound.frames - len(block)
                    for start, end in covered:
                        _cover(block, first, start, end, cover, rate)
                    write(block)
    except NotWritable:
        return False
    seconds = sound.frames / rate
    if duration_s is not None and abs(seconds - duration_s) > _DURATION_TOLERANCE_S:
        raise AudioError(f"{seconds:.3f} s long, where the entities were found in one of {duration_s:.3f} s")
    if any(end > seconds + _DURATION_TOLERANCE_S for _, end in spans):
        raise AudioError(f"{seconds:.3f} s long, and an entity ends later")
    return abs(_seconds(target) - seconds) <= _DURATION_TOLERANCE_S


def _seconds(path: str) -> float:
    try:
        with open_sound(path) as sound:
            return sum(map(len, sound.blocks())) / sound.form.rate
    except AudioError:
        return 0.0


def _covered(spans: Sequence[tuple[float, float]], cover: Cover, rate: int) -> list[tuple[int, int]]:
    """Return the ranges of frames to cover, in order and apart from each other."""
    padding = math.ceil(cover.padding_s * rate)
    return union((math.floor(a * rate) - padding, math.ceil(b * rate) + padding) for a, b in spans)


def _cover(block: np.ndarray, first: int, start: int, end: int, cover: Cover, rate: int) -> None:
    """Cover frames ``start`` to ``end`` of a recording in the block (frames, channels) that begins at ``first``."""
    frames = np.arange(max(start, first), min(end, first + len(block)))
    if not len(frames):
        return
    fade = min(math.ceil(FADE_S * rate), math.ceil(cover.padding_s * rate))
    inside = np.minimum(frames - start + 1, end - frames)  # frames from the nearer edge
    covered = np.sin(np.pi / 2 * np.minimum(inside / (fade + 1), 1.0)) ** 2
    covered[inside > fade] = 1.0
    tone = (BEEP_LEVEL if cover.sound == "beep" else 0.0) * np.sin(2 * np.pi * BEEP_HZ / rate * frames)
    source = block[frames - first]
    faded = np.where(covered[:, None] < 1, source * (1 - covered[:, None]), 0.0)
    block[frames - first] = faded + (tone * covered)[:, None]
