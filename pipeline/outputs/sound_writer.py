"""Write sound in the form that a file has: by libsndfile or FFmpeg where they can write it, or else as FLAC."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
import soundfile

from pipeline.files import open_binary
from pipeline.speech.reader import Form

Write = Callable[[np.ndarray], None]
"""Appends samples, float64 of shape (frames, channels) with full scale at 1."""

_FRAMES_AT_ONCE = 1 << 16  # the Vorbis encoder of libsndfile 1.2.2 crashes on blocks of some hundred thousand
# All other encodings are written from int32, which holds PCM, FLAC, A-law and mu-law samples exactly.
_FLOATS = {"DOUBLE": "float64"} | dict.fromkeys(["FLOAT", "VORBIS", "OPUS", "MPEG_LAYER_III"], "float32")

_BY_FFMPEG = {
    ("mov", "aac"): ("mp4", "aac"),
    ("mov", "alac"): ("mp4", "alac"),
    ("mov", "amrnb"): ("3gp", "libopencore_amrnb"),
    ("amr", "amrnb"): ("amr", "libopencore_amrnb"),
    ("asf", "wmav1"): ("asf", "wmav1"),
    ("asf", "wmav2"): ("asf", "wmav2"),
    ("matroska", "aac"): ("matroska", "aac"),
    ("matroska", "opus"): ("webm", "libopus"),
    ("aac", "aac"): ("adts", "aac"),
    ("ac3", "ac3"): ("ac3", "ac3"),
    ("tta", "tta"): ("tta", "tta"),
    ("wv", "wavpack"): ("wv", "wavpack"),
}
"""FFmpeg's names of container and encoder, by container and codec of what was read."""

_BITS_PER_S = 64_000  # for each channel, where an encoder asks


class SoundFileForm(NamedTuple):
    """A form that libsndfile writes, in its words."""

    format: str
    subtype: str
    endian: str = "FILE"


class FFmpegForm(NamedTuple):
    """A form that FFmpeg writes, in its words."""

    container: str
    encoder: str


FLAC = SoundFileForm("FLAC", "PCM_24")


class NotWritable(Exception):
    """Sound cannot be written in a form."""


def own_form(path: str, form: Form) -> SoundFileForm | FFmpegForm | None:
    """Return the form to write sound as it is in a file, or None where there is none.

    Args:
        path: The file.
        form: What it was read as.
    """
    try:
        with open_binary(path) as stream, soundfile.SoundFile(stream) as file:
            found = SoundFileForm(file.format, file.subtype, file.endian)
    except (soundfile.LibsndfileError, OSError, TypeError, ValueError):  # the last two for headerless files
        by_ffmpeg = _BY_FFMPEG.get((form.container, form.codec)) if form.channels <= 2 else None
        return FFmpegForm(*by_ffmpeg) if by_ffmpeg else None
    return found if soundfile.check_format(*found) else None


@contextmanager
def open_writer(path: str, form: SoundFileForm | FFmpegForm, rate: int, channels: int) -> Iterator[Write]:
    """Open a file to write sound.

    Args:
        path: A local path.
        form: Container and encoding.
        rate: Sample rate in Hz.
        channels: Number of channels.

    Raises:
        NotWritable: The form does not take such sound.
    """
    try:
        if isinstance(form, SoundFileForm):
            with _by_libsndfile(path, form, rate, channels) as write:
                yield write
        else:
            with _by_ffmpeg(path, form, rate, channels) as write:
                yield write
    except (soundfile.LibsndfileError, av.error.FFmpegError, ValueError) as error:
        raise NotWritable from error


@contextmanager
def _by_libsndfile(path: str, form: SoundFileForm, rate: int, channels: int) -> Iterator[Write]:
    dtype = _FLOATS.get(form.subtype, "int32")
    with soundfile.SoundFile(path, "w", rate, channels, form.subtype, form.endian, form.format) as file:

        def write(samples: np.ndarray) -> None:
            if dtype == "int32":
                samples = np.clip(np.rint(samples * 2.0**31), -(2.0**31), 2.0**31 - 1)
            for start in range(0, len(samples), _FRAMES_AT_ONCE):
                file.write(samples[start : start + _FRAMES_AT_ONCE].astype(dtype))

        yield write


@contextmanager
def _by_ffmpeg(path: str, form: FFmpegForm, rate: int, channels: int) -> Iterator[Write]:
    layout = "mono" if channels == 1 else "stereo"
    with av.open(path, "w", format=form.container) as container:
        stream: Any = container.add_stream(form.encoder, rate=rate, layout=layout)
        stream.bit_rate = _BITS_PER_S * channels
        stream.codec_context.open()
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.format, layout, rate, frame_size=size)
        frames = 0

        def encode(frame: Any) -> None:
            for part in resampler.resample(frame):
                container.mux(stream.encode(part))

        def write(samples: np.ndarray) -> None:
            nonlocal frames
            packed = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            # With its time the container can say how long the encoder's delay is, which readers then skip.
            frame.sample_rate, frame.pts, frame.time_base = rate, frames, Fraction(1, rate)
            frames += len(samples)
            encode(frame)

        yield write
        encode(None)
        container.mux(stream.encode(None))
