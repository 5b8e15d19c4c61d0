"""How long a sound file says it is, whether or not all of it is there."""

import struct
from typing import BinaryIO, NamedTuple

_MOST_CHUNKS = 1000
_LONGEST_S = 1e6  # no file is that long; its header is damaged
_NOT_CLOSED, _CUT_OFF = "the file was not closed", "the file is cut off"
_BITS_OF_AU = {23: 4, 25: 3, 26: 5}  # G.721 and G.723; FFmpeg knows the others
_HAS_DELAY = (b"LAME", b"Lavf", b"Lavc")  # encoders that state their delay
_UNKNOWN = (0xFFFFFFFF, 0x7FFFFFFF)  # sizes of a recorder that writes to a pipe


class Stated(NamedTuple):
    """What a file says of its length.

    Attributes:
        seconds: The length, or None.
        fault: What its headers show to be wrong, or None.
        tolerance_s: Seconds that a whole file may lack: encoders state a frame or two more than they wrote.
        there_s: The length of what is in the file, where its size gives that, or None.
    """

    seconds: float | None = None
    fault: str | None = None
    tolerance_s: float = 0.1
    there_s: float | None = None


def stated_length(stream: BinaryIO) -> Stated:
    """Read what the headers of WAV, AVI, W64, CAF, VOC, AU, Ogg and MP3 say; FFmpeg hides it, or does not look."""
    head = stream.read(16)
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return _stated_by_chunks(stream, 12, _RIFF)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        size = int.from_bytes(head[4:8], "little")
        return Stated(fault=_NOT_CLOSED if not size else _CUT_OFF if 8 + size > stream.seek(0, 2) else None)
    if head[:4] == b"riff" and len(head) == 16:
        return _stated_by_chunks(stream, 40, _W64)
    if head[:4] == b"caff":
        return _stated_by_chunks(stream, 8, _CAF)
    if head == b"Creative Voice F":
        return _stated_by_voc(stream)
    if head[:4] == b".snd":
        size, encoding, rate, channels = struct.unpack(">4I", (head[8:] + stream.read(8)).ljust(16, b"\0"))
        bits = _BITS_OF_AU.get(encoding, 0) * rate * channels
        return Stated(size * 8 / bits if bits and size not in _UNKNOWN else None)
    if head[:4] == b"OggS":
        stream.seek(0, 2)
        stream.seek(max(stream.tell() - 2 * 65_307, 0))  # the greatest page, twice
        tail = stream.read()
        last = tail.rfind(b"OggS")
        closed = last < 0 or len(tail) <= last + 5 or tail[last + 5] & 4
        return Stated(fault=None if closed else _NOT_CLOSED)
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
    bytes_a_second, wide, seconds, there_s = 0.0, None, None, None
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
                return Stated(fault=_NOT_CLOSED if stream.read(1) else None)
            is_unknown, left = size < 0 or size in _UNKNOWN, end - start - head
            if bytes_a_second:
                there_s = (there_s or 0.0) + (left if is_unknown else min(size, left)) / bytes_a_second
            if is_unknown:
                break
            if not bytes_a_second:
                return Stated(fault=_CUT_OFF if size > left else None)
            seconds = (seconds or 0.0) + size / bytes_a_second
        if not 0 <= size <= end:
            break
        start += head + size + -(head + size) % form.align
    return Stated(seconds if seconds is not None and seconds < _LONGEST_S else None, there_s=there_s)


def _stated_by_voc(stream: BinaryIO) -> Stated:
    end = stream.seek(0, 2)
    stream.seek(20)
    start = int.from_bytes(stream.read(2), "little")
    while start < end:
        stream.seek(start)
        kind, *size = stream.read(4).ljust(4, b"\0")
        if kind == 0:
            return Stated()
        start += 4 + int.from_bytes(bytes(size), "little")
    return Stated(fault=_CUT_OFF if start > end else None)


def _stated_by_mp3(stream: BinaryIO, head: bytes) -> Stated:
    """Read the number of frames that an encoder writes into the first one (Xing), and its delay and padding (LAME)."""
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
    optional = sum(size for bit, size in enumerate((4, 4, 100, 4)) if flags >> bit & 1)
    lame = first[place + 8 + optional :][:24].ljust(24, b"\0")
    unheard = lame[21] << 4 | lame[22] >> 4, (lame[22] & 15) << 8 | lame[23]
    samples = frames * (1152 if version == 3 else 576) - (sum(unheard) if lame[:4] in _HAS_DELAY else 0)
    return Stated(samples / hertz)
