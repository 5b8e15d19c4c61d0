"""Sound as it stands in a file: the samples that were really decoded, and how long the file says it is.

FFmpeg's libraries read it (PyAV): all common containers and codecs, streams behind streams to the last one, and what
stands before a fault. A few codecs of telephone systems, which FFmpeg does not know, are libsndfile's.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, Literal, NamedTuple

import av
import numpy as np
import soundfile

from pipeline.errors import reason
from pipeline.files import open_binary
from pipeline.speech.stated_length import Stated, stated_length

av.logging.set_level(av.logging.PANIC)

_CONTAINERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,avr,caf,dss,dts,eac3,flac,flv,gsm,iff,ilbc,ircam,matroska,mov,mp3,mpc,"
    "mpc8,mpeg,mpegts,mxf,nistsphere,ogg,oma,qcp,rm,sox,tak,tta,voc,w64,wav,wtv,wv,xwma"
)
"""What FFmpeg may take a file for. Playlists are left out: they name other files and addresses."""

_STATED = frozenset(("aiff", "ape", "au", "flac", "mov", "nistsphere", "tta", "wv"))
"""Containers whose length of the sound FFmpeg reads, where it guesses that of others from the size of the file."""

_STATED_OF_ALL = frozenset(("flv", "matroska"))
"""Containers whose length FFmpeg reads for all streams together; where they lack it, it guesses that of the sound."""

_PADDING_S, _LONGER_S = 0.3, 2.0  # seconds of them that are no sound: of the encoder, and of pictures without sound

_HEADS = {
    "MP4, M4A or 3GP": rb"....ftyp",
    "WAV": rb"(RIFF|RIFX|RF64)....WAVE",
    "AVI": rb"RIFF....AVI ",
    "AIFF": rb"FORM....AIF[FC]",
    "FLAC": rb"fLaC",
    "Ogg": rb"OggS",
    "MP3": rb"ID3",
    "Matroska or WebM": rb"\x1a\x45\xdf\xa3",
    "ASF or WMA": rb"\x30\x26\xb2\x75",
    "CAF": rb"caff",
    "AMR": rb"#!AMR",
    "DSS dictation": rb"\x02dss",
    "DS2 dictation": rb"\x03ds2",
    "RealMedia": rb"\.RMF|\.ra\xfd",
    "MIDI, which is notes": rb"MThd",
}
"""How files begin, for messages about those that cannot be opened."""

INCOMPLETE = "incomplete"
"""How the note of a file begins of which not all could be read."""

# FFmpeg 8.1 does not know the first two rows, and of ALAC in a CAF it loses the end.
_OF_LIBSNDFILE = frozenset(
    (
        *("NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32"),
        *("G721_32", "G723_24", "G723_40"),
        *("ALAC_16", "ALAC_20", "ALAC_24", "ALAC_32"),
    )
)
_THEIR_CONTAINERS = (b"RIFF", b"RIFX", b".snd", b"dns.", b"caff")  # WAV and AU in either order of bytes, and CAF

_BLOCK = 1 << 16  # frames

_POSSIBLE_RATES = range(4_000, 384_001)
"""Sample rates in Hz, from the narrowest band of telephones to twice what the finest converters of studios write."""

_MOST_CHANNELS = 64
"""What a cable between studio machines carries (MADI), and FFmpeg mixes. More are measurements, or a damaged header."""


class AudioError(Exception):
    """A recording that cannot be transcribed. The message gives the reason and contains no patient text."""


class Form(NamedTuple):
    """What kind of file holds a sound.

    Attributes:
        container: Name of the container, of FFmpeg or libsndfile.
        codec: Name of the codec.
        rate: Sample rate in Hz.
        channels: Number of channels.
        pictures: Whether there are pictures beside the sound.
    """

    container: str
    codec: str
    rate: int
    channels: int
    pictures: bool = False

    def __str__(self) -> str:
        return f"{self.container} with {self.codec}"


class Sound:
    """An open sound file.

    Args:
        form: Container, codec, sample rate and channels.
        stated: What the file says of its length.
        parts: Yields what is decoded, of shape (frames, channels).
        guess_s: Its length in seconds as its size suggests, where nothing better is known.

    Attributes:
        form: As above.
        frames: Number of frames read so far.
        damaged: Whether something could not be decoded.

    Raises:
        AudioError: No recording has such a sample rate, or so many channels.
    """

    def __init__(
        self, form: Form, stated: Stated, parts: Callable[["Sound"], Iterator[np.ndarray]], guess_s: float | None = None
    ):
        if form.rate not in _POSSIBLE_RATES:
            raise AudioError(f"impossible sample rate: {form.rate} Hz")
        if not 1 <= form.channels <= _MOST_CHANNELS:
            raise AudioError(
                f"{form.channels or 'an unknown number of'} channels: a recording has 1 to {_MOST_CHANNELS}"
            )
        self.form, self._stated, self._parts, self._guess_s = form, stated, parts, guess_s
        self.frames, self.damaged = 0, False

    @property
    def stated_s(self) -> float | None:
        """How long the sound is before it is read, in seconds: what the file says, but no more than is in it."""
        return self._stated.seconds if self._stated.there_s is None else self._stated.there_s

    @property
    def expected_s(self) -> float | None:
        """The same, or a guess from the size of the file."""
        return self._guess_s if self.stated_s is None else self.stated_s

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield what is decoded, of shape (frames, channels) with full scale at 1, until the end of the sound."""
        waiting: list[np.ndarray] = []
        length = 0
        for part in self._parts(self):
            waiting.append(part)
            length += len(part)
            self.frames += len(part)
            if length >= _BLOCK:
                yield np.concatenate(waiting)
                waiting, length = [], 0
        if waiting:
            yield np.concatenate(waiting)

    @property
    def note(self) -> str | None:
        """What readers of the transcript should know, once all blocks are read; None where the file is whole."""
        read_s, stated_s = self.frames / self.form.rate, self._stated.seconds
        if stated_s is not None and read_s < stated_s - self._stated.tolerance_s:
            return f"{INCOMPLETE}: {read_s:.1f} of {stated_s:.1f} s could be read"
        if self._stated.fault:
            return f"{INCOMPLETE}: {self._stated.fault}, {read_s:.1f} s are in it"
        return f"{INCOMPLETE}: a part could not be read, {read_s:.1f} s could" if self.damaged else None


@contextmanager
def open_sound(path: str, precision: Literal["float32", "float64"] = "float32") -> Iterator[Sound]:
    """Open a sound file.

    Args:
        path: A local path or an fsspec URI.
        precision: Of the samples; float64 holds those of all encodings as they are.

    Raises:
        AudioError: It cannot be opened, holds no sound, or is of a rate or a number of channels beyond sense; the
            message names the container and codec where they are known.
    """
    head = b""
    try:
        if "://" not in path and not stat.S_ISREG(mode := os.stat(path).st_mode):
            raise AudioError("a folder that cannot be read" if stat.S_ISDIR(mode) else "unreadable: no regular file")
        with open_binary(path) as stream:
            head = stream.read(16)
            stream.seek(0)
            stated = stated_length(stream)
            stream.seek(0)
            if _is_of_libsndfile(stream):
                with soundfile.SoundFile(stream) as file:
                    form = Form(file.format, file.subtype, file.samplerate, file.channels)
                    yield Sound(form, stated, lambda _: _by_libsndfile(file, precision))
                return
            options = {"format_whitelist": _CONTAINERS}
            with av.open(stream, options=options, metadata_errors="ignore") as container:
                if not container.streams.audio:
                    raise AudioError(f"no sound in it ({container.format.long_name})")
                first, name = container.streams.audio[0], container.format.name.split(",")[0]
                context = first.codec_context
                if context is None or not context.sample_rate:
                    raise undecodable(name, "its codec is not known")
                stated = stated if stated != Stated() else _stated_by_ffmpeg(name, container, first)
                pictures = bool(container.streams.video)
                form = Form(name, context.name, context.sample_rate, context.channels, pictures)
                packed = {"float32": "flt", "float64": "dbl"}[precision]
                guess_s = container.duration / av.time_base if container.duration else None
                yield Sound(form, stated, partial(_by_ffmpeg, container, first, packed), guess_s)
    except soundfile.LibsndfileError as error:
        raise undecodable(_named_by(head), error.error_string.rstrip(".")) from None
    except av.error.FFmpegError as error:
        raise undecodable(_named_by(head), error.strerror or type(error).__name__) from None
    except OSError as error:
        raise AudioError(f"unreadable: {reason(error)}") from None


def expected_s(path: str) -> float:
    """Return how long a sound file is likely to be, in seconds, from its headers alone; 0 where they do not tell.

    Args:
        path: A local path or an fsspec URI.
    """
    try:
        with open_sound(path) as sound:
            return sound.expected_s or 0.0
    except AudioError:
        return 0.0


def _stated_by_ffmpeg(name: str, container: Any, first: Any) -> Stated:
    if name in _STATED and first.duration and first.time_base:
        return Stated(float(first.duration * first.time_base))
    if name in _STATED_OF_ALL and container.duration and first.duration is None:
        seconds = container.duration / av.time_base
        return Stated(seconds, tolerance_s=_PADDING_S if len(container.streams) == 1 else _LONGER_S)
    return Stated()


def undecodable(kind: str, why: str) -> AudioError:
    """Return the error for a file that looks like sound and cannot be decoded.

    Args:
        kind: Container and codec, as far as they are known.
        why: The reason.
    """
    return AudioError(
        f"unreadable: {kind}, {why}; if another program plays it, convert it there or by: ffmpeg -i FILE FILE.wav"
    )


def _named_by(head: bytes) -> str:
    return next((kind for kind, begins in _HEADS.items() if re.match(begins, head, re.DOTALL)), "an unknown container")


def _by_ffmpeg(container: Any, stream: Any, packed: str, sound: Sound) -> Iterator[np.ndarray]:
    """Decode packet by packet; where one cannot be decoded, the next may be sound again."""
    layout, rate = stream.codec_context.layout, stream.codec_context.sample_rate
    form: Any = None
    resampler: Any = None
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, IndexError):  # the latter for a stream that begins later
            sound.damaged = True
            break
        if packet is None:
            break
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            sound.damaged = sound.damaged or not isinstance(error, av.error.EOFError)
            continue
        for frame in frames:
            if form != (frame.format.name, frame.layout.name, frame.sample_rate):  # a stream behind a stream
                yield from _samples(resampler, None)
                form = (frame.format.name, frame.layout.name, frame.sample_rate)
                resampler = av.AudioResampler(format=packed, layout=layout, rate=rate)
            frame.pts = None  # gaps in time stamps are no sound
            yield from _samples(resampler, frame)
    yield from _samples(resampler, None)


def _samples(resampler: Any, frame: Any) -> Iterator[np.ndarray]:
    for made in resampler.resample(frame) if resampler else []:
        yield made.to_ndarray().reshape(made.samples, -1)


def _is_of_libsndfile(stream: BinaryIO) -> bool:
    head = stream.read(4)
    stream.seek(0)
    if head not in _THEIR_CONTAINERS:
        return False
    try:
        with soundfile.SoundFile(stream) as file:
            found = file.subtype in _OF_LIBSNDFILE
    except (soundfile.LibsndfileError, TypeError, ValueError):
        found = False
    stream.seek(0)
    return found


def _by_libsndfile(file: soundfile.SoundFile, precision: str) -> Iterator[np.ndarray]:
    # Not by its blocks(): they hand out a whole buffer after a short read, with whatever was in memory before.
    while len(block := file.read(_BLOCK, dtype=precision, always_2d=True)):
        yield block
