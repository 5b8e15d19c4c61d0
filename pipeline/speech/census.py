"""The census of a folder of recordings: each file in it is a recording, no audio, or hidden."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sized
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from pipeline.errors import UserError, reason
from pipeline.files import filesystem, no_folder
from pipeline.ids import as_id, encoding_fault, fault

Ids = Literal["stem", "path"]
"""What a recording is called: its file's name without the suffix, or with the folders before it, joined by ``__``."""

SUFFIXES = frozenset(
    (
        *("wav", "wave", "bwf", "rf64", "w64", "aif", "aiff", "aifc", "au", "snd", "caf", "sph", "nist", "voc"),
        *("flac", "wv", "ape", "tta", "mp3", "mp2", "mpga", "ogg", "oga", "opus", "spx", "aac", "adts", "ac3", "gsm"),
        *("m4a", "m4b", "m4p", "mp4", "m4v", "mov", "3gp", "3gpp", "3g2", "amr", "awb", "wma", "wmv", "asf", "webm"),
        *("mkv", "mka", "avi", "flv", "mpg", "mpeg", "mts", "m2ts", "raw", "pcm", "dss", "ds2", "vox", "qcp", "ra"),
        *("rm", "rmvb", "dvf", "msv", "oma", "mpc", "dts", "eac3", "mxf", "vob", "evs", "g722", "g729", "sln"),
    )
)
"""File name suffixes of audio files, of video files with sound, and of dictation and telephone systems."""

_OF_SYSTEMS = frozenset(
    ("$RECYCLE.BIN", "RECYCLER", "System Volume Information", "__MACOSX", "@eaDir", "#recycle", "lost+found")
)
"""Waste bins and folders of systems that are not hidden by a dot."""

_PLAIN_SUFFIX = re.compile(r"[a-z][a-z0-9]{0,6}")  # anything else may be part of a name


@dataclass(frozen=True)
class Census:
    """What lies in a folder and its subfolders.

    Attributes:
        recordings: Paths or URIs by recording id, sorted by path: all files named as audio, and with a ``__`` at the
            end of their ids, the folders that cannot be read, which fail as recordings.
        not_audio: Number of other files by suffix, the most frequent first; ``none`` and ``other`` for those without
            and with an unusual one.
        hidden: Number of hidden files and folders, with waste bins and the like; a folder counts once.
    """

    recordings: Mapping[str, str]
    not_audio: Mapping[str, int]
    hidden: int

    @property
    def left_out(self) -> str:
        """What is neither a recording nor fails as one, in words; empty if there is nothing."""
        named = {"none": "without a suffix", "other": "with another suffix"}
        files = [f"{count} {named.get(suffix, f'.{suffix}')}" for suffix, count in self.not_audio.items()]
        return "; ".join(
            ([f"{sum(self.not_audio.values())} files that are no audio ({', '.join(files)})"] if files else [])
            + ([f"{self.hidden} hidden files or folders"] if self.hidden else [])
        )


def take_census(
    folder: str, option: str = "--audio", ids: Ids = "stem", besides: str = "", may_be_empty: bool = False
) -> Census:
    """Find the recordings in a folder and its subfolders, and count what is there besides.

    Args:
        folder: A local path or an fsspec URI.
        option: Command-line option that gave the folder, for error messages.
        ids: What a recording is called.
        besides: Folder of results, whose files are not counted.
        may_be_empty: Take a folder without audio too.

    Raises:
        UserError: The folder does not exist, cannot be read or contains no audio, two files would have the same id, or
            a name cannot be an id.
    """
    fs, root = filesystem(folder)
    if not fs.isdir(root):
        raise UserError(f"{option} {folder}{no_folder(folder)}")
    local, root = "file" in fs.protocol, root.rstrip("/")
    try:
        files = sorted(_local_files(root or "/") if local else fs.find(root))
    except OSError as error:
        raise UserError(f"{option} {folder} cannot be read: {reason(error)}.") from None
    found: dict[str, str] = {}  # paths from the folder on, by path or URI
    not_audio, hidden = Counter[str](), set[str]()
    for file in files:
        name = file.removeprefix(f"{root}/")
        if first := _first_hidden(name):
            hidden.add(first)
        elif is_audio(name) or name.endswith("/"):
            found[file if local else fs.unstrip_protocol(file)] = name
        elif not besides or not file.startswith(f"{besides}/"):
            not_audio[_shown_suffix(name)] += 1
    recordings = _named(found, ids)
    by_number = sorted(not_audio.items(), key=lambda each: (-each[1], each[0]))
    census = Census(recordings, dict(by_number), len(hidden))
    if not recordings and not may_be_empty:
        left_out = f"; it holds {census.left_out}" if census.left_out else ""
        raise UserError(f"{option} {folder}: no audio in it (wav, flac, mp3, m4a, ogg, wma, amr, mp4, ...){left_out}.")
    return census


def is_audio(path: str) -> bool:
    """Say whether a file is named as one with sound."""
    return _suffix(path) in SUFFIXES


def _local_files(root: str) -> Iterator[str]:
    """Yield local files, hidden folders, and folders that cannot be read; folders end with a slash.

    Linked folders are followed once, after all that lie in the folder itself, so no loop of links is endless.
    """
    unreadable: list[OSError] = []
    to_walk, seen = [root], set[tuple[int, int]]()
    for top in to_walk:
        for at, folders, files in os.walk(top, onerror=unreadable.append):
            here = os.stat(at)
            if (here.st_dev, here.st_ino) in seen:
                folders.clear()
                continue
            seen.add((here.st_dev, here.st_ino))
            left_out = [name for name in folders if _is_hidden(name)]
            folders[:] = sorted(name for name in folders if not _is_hidden(name))
            to_walk += [f"{at}/{name}" for name in folders if os.path.islink(f"{at}/{name}")]
            yield from (f"{at}/{name}/" for name in left_out)
            yield from (f"{at}/{name}" for name in files)
    for error in unreadable:
        if error.filename == root:
            raise error
        yield f"{error.filename}/"


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _OF_SYSTEMS


def _first_hidden(path: str) -> str | None:
    """Return the path of the first part that is hidden, or None."""
    parts = path.split("/")
    place = next((place for place, part in enumerate(parts) if _is_hidden(part)), None)
    return None if place is None else "/".join(parts[: place + 1])


def _suffix(path: str) -> str:
    return PurePosixPath(as_id(path)).suffix.lower().removeprefix(".")


def _shown_suffix(path: str) -> str:
    suffix = _suffix(path)
    return suffix if _PLAIN_SUFFIX.fullmatch(suffix) else "other" if suffix else "none"


def _named(found: Mapping[str, str], ids: Ids) -> dict[str, str]:
    """Name recordings.

    Args:
        found: Paths from the folder on, by path or URI.
        ids: What a recording is called.

    Raises:
        UserError: Names cannot be ids, or two recordings would have the same one.
    """
    recordings: dict[str, str] = {}
    faults: list[str] = []
    clashes: list[tuple[str, str, str]] = []
    for path, name in found.items():
        recording_id = _id_of(name, ids)
        if why := encoding_fault(name) or fault(recording_id):
            faults.append(f"{_shown(path)}: its name cannot be a recording's id, as {why}: rename it")
        elif recording_id in recordings:
            clashes.append((recordings[recording_id], path, recording_id))
        recordings.setdefault(recording_id, path)
    if faults:
        raise UserError(f"{faults[0]}{_and_more(faults)}.")
    if clashes:
        one, other, recording_id = clashes[0]
        names = [_id_of(found[path], "path") for path in (one, other)]
        advice = "rename one of them"
        if ids == "stem" and names[0] != names[1]:
            advice = f"give --ids path, by which they are {names[0]} and {names[1]}, or {advice}"
        raise UserError(f"{one} and {other} would both be recording {recording_id}{_and_more(clashes)}: {advice}.")
    return recordings


def _id_of(name: str, ids: Ids) -> str:
    *folders, file = name.split("/")
    if not file:  # a folder
        return as_id("__".join(name.split("/")))
    stem = as_id(PurePosixPath(as_id(file)).stem)
    return stem if ids == "stem" else "__".join([*map(as_id, folders), stem])


def _and_more(some: Sized) -> str:
    return f" (and {len(some) - 1} more such files)" if len(some) > 1 else ""


def _shown(path: str) -> str:
    return path if path.isprintable() else ascii(path)
