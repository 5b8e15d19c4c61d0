"""Sound as it stands in a file: the samples that were really decoded, and how long the file says it is.

FFmpeg's libraries read it (PyAV): all common containers and codecs, streams behind streams to the last one, and what
stands before a fault. A few codecs of telephone systems, which FFmpeg does not know, are libsndfile's.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, NamedTuple

import av
import fsspec
import numpy as np
import soundfile

from pipeline.errors import reason

av.logging.set_level(av.logging.PANIC)

_CONTAINERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avr,caf,flac,flv,gsm,iff,matroska,mov,mp3,mpeg,mpegts,nistsphere,ogg,sox,"
    "tak,tta,voc,w64,wav,wv,xwma"
)
"""What FFmpeg may take a file for. Playlists are left out: they name other files and addresses."""

_STATED = frozenset(("aiff", "ape", "au", "flac", "mov", "tta", "wv"))
"""Containers whose length FFmpeg reads, where it guesses that of others from the size of the file."""

INCOMPLETE = "incomplete"
"""How the note of a file begins of which not all could be read."""

_OF_LIBSNDFILE = frozenset(("NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32", "G721_32", "G723_24", "G723_40"))
_THEIR_CONTAINERS = (b"RIFF", b"RIFX", b".snd", b"dns.")  # WAV and AU, in either order of bytes

_BLOCK = 1 << 16  # frames
_MOST_CHUNKS = 1000
_LONGEST_S = 1e6  # no file is that long; its header is damaged
_TOLERANCE_S = 0.1  # encoders state a frame or two more than they wrote
_UNKNOWN = (0xFFFFFFFF, 0x7FFFFFFF)  # sizes of a recorder that writes to a pipe


class AudioError(Exception):
    """A recording that cannot be transcribed. The message gives the reason and contains no patient text."""


class Sound:
    """An open sound file.

    Args:
        rate: Sample rate in Hz.
        channels: Number of channels.
        kind: Container and codec, for messages.
        stated: What the file says of its length.
        parts: Yields what is decoded, float32 of shape (frames, channels).

    Attributes:
        frames: Number of frames read so far.
        damaged: Whether something could not be decoded.
    """

    def __init__(self, rate: int, channels: int, kind: str, stated: "Stated", parts: Callable[["Sound"], Any]):
        self.rate, self.channels, self.kind = rate, channels, kind
        self.frames, self.damaged = 0, False
        self._stated, self._parts = stated, parts

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield what is decoded, float32 of shape (frames, channels), until the end of the sound."""
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
        read_s, stated_s = self.frames / self.rate, self._stated.seconds
        if stated_s is not None and read_s < stated_s - _TOLERANCE_S:
            return f"{INCOMPLETE}: {read_s:.1f} of {stated_s:.1f} s could be read"
        if self._stated.unfinished:
            return f"{INCOMPLETE}: the file was not closed, {read_s:.1f} s are in it"
        return f"{INCOMPLETE}: a part could not be read, {read_s:.1f} s could" if self.damaged else None


class Stated(NamedTuple):
    """What a file says of its length.

    Attributes:
        seconds: The length, or None.
        unfinished: Whether its recorder did not close it.
    """

    seconds: float | None = None
    unfinished: bool = False


@contextmanager
def open_sound(path: str) -> Iterator[Sound]:
    """Open a sound file.

    Args:
        path: A local path or an fsspec URI.

    Raises:
        AudioError: It cannot be opened or holds no sound.
    """
    try:
        with fsspec.open(path, "rb") as stream:
            if _is_of_libsndfile(stream):
                with soundfile.SoundFile(stream) as file:
                    kind = f"{file.format} with {file.subtype}"
                    yield Sound(file.samplerate, file.channels, kind, Stated(), lambda _: _by_libsndfile(file))
                return
            stated = stated_length(stream)
            stream.seek(0)
            options = {"format_whitelist": _CONTAINERS}
            with av.open(stream, options=options, metadata_errors="ignore") as container:
                if not container.streams.audio:
                    raise AudioError(f"no sound in it ({container.format.long_name})")
                first = container.streams.audio[0]
                context, name = first.codec_context, container.format.name.split(",")[0]
                if context is None or not context.sample_rate:
                    raise AudioError(f"a codec that is not known ({container.format.long_name})")
                if stated == Stated() and name in _STATED and first.duration and first.time_base:
                    stated = Stated(float(first.duration * first.time_base))
                kind = f"{name} with {context.name}"
                parts = partial(_by_ffmpeg, container, first)
                yield Sound(context.sample_rate, context.channels, kind, stated, parts)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"unreadable: {error.error_string.rstrip('.')}") from None
    except av.error.FFmpegError as error:
        raise AudioError(f"unreadable: {error.strerror or type(error).__name__}") from None
    except OSError as error:
        raise AudioError(f"unreadable: {reason(error)}") from None


def _by_ffmpeg(container: Any, stream: Any, sound: Sound) -> Iterator[np.ndarray]:
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
                resampler = av.AudioResampler(format="flt", layout=layout, rate=rate)
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


def _by_libsndfile(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    # Not by its blocks(): they hand out a whole buffer after a short read, with whatever was in memory before.
    while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
        yield block


def stated_length(stream: BinaryIO) -> Stated:
    """Read what the headers of WAV, W64, CAF, Ogg and MP3 say of the length; FFmpeg hides it, or does not look."""
    head = stream.read(16)
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return _stated_by_chunks(stream, 12, _RIFF)
    if head[:4] == b"riff" and len(head) == 16:
        return _stated_by_chunks(stream, 40, _W64)
    if head[:4] == b"caff":
        return _stated_by_chunks(stream, 8, _CAF)
    if head[:4] == b"OggS":
        stream.seek(0, 2)
        stream.seek(max(stream.tell() - 2 * 65_307, 0))  # the greatest page, twice
        tail = stream.read()
        last = tail.rfind(b"OggS")
        return Stated(unfinished=last >= 0 and len(tail) > last + 5 and not tail[last + 5] & 4)
    return _stated_by_mp3(stream, head)


class _Chunks(NamedTuple):
    """How a container lays out its chunks.

    Attributes:
        id_bytes: Length of a chunk's name, of which the first four characters count.
        size: Format of a chunk's size.
        counted: Bytes of the chunk's head that its size counts.
        align: Chunks begin at multiples of so many bytes.
    """

    id_bytes: int
    size: str
    counted: int
    align: int


_RIFF, _W64, _CAF = _Chunks(4, "<I", 0, 2), _Chunks(16, "<Q", 24, 8), _Chunks(4, ">q", 0, 1)


def _stated_by_chunks(stream: BinaryIO, start: int, form: _Chunks) -> Stated:
    head = form.id_bytes + struct.calcsize(form.size)
    bytes_a_second, wide, seconds = 0.0, None, None
    end = stream.seek(0, 2)
    for _ in range(_MOST_CHUNKS):
        stream.seek(start)
        found = stream.read(head)
        if len(found) < head:
            break
        name, (size,) = found[:4], struct.unpack(form.size, found[form.id_bytes :])
        size -= form.counted
        if name == b"RIFF":  # a file behind a file
            size = 4
        elif name == b"fmt ":
            bytes_a_second = float(struct.unpack("<8xI", stream.read(12).ljust(12, b"\0"))[0])
        elif name == b"desc":
            rate, packet, frames = struct.unpack(">d8xII", stream.read(24).ljust(24, b"\0"))
            bytes_a_second = rate * packet / frames if frames and packet else 0.0
        elif name == b"ds64":
            wide = struct.unpack("<8xQ", stream.read(16).ljust(16, b"\0"))[0]
        elif name == b"data":
            size = wide if wide is not None and size in _UNKNOWN else size
            if size == 0 and seconds is None:
                return Stated(unfinished=bool(stream.read(1)))
            if size < 0 or size in _UNKNOWN or not bytes_a_second:
                break
            seconds = (seconds or 0.0) + size / bytes_a_second
        if not 0 <= size <= end:
            break
        start += head + size + -(head + size) % form.align
    return Stated(seconds if seconds is not None and seconds < _LONGEST_S else None)


def _stated_by_mp3(stream: BinaryIO, head: bytes) -> Stated:
    """Read the number of frames that an encoder writes into the first one (Xing, LAME)."""
    start = 0
    if head[:3] == b"ID3" and len(head) >= 10:
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    stream.seek(start)
    first = stream.read(4096)
    place = max(first.find(b"Xing"), first.find(b"Info"))
    sync = first.find(b"\xff")
    if place < 0 or sync < 0 or len(first) < max(place + 12, sync + 4):
        return Stated()
    flags, frames = struct.unpack_from(">II", first, place + 4)
    version, rate = first[sync + 1] >> 3 & 3, first[sync + 2] >> 2 & 3
    if version == 1 or rate == 3 or not flags & 1:
        return Stated()
    hertz = (44_100, 48_000, 32_000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    return Stated(frames * (1152 if version == 3 else 576) / hertz)
