"""The out folder of a job: whose it is, what was asked for in it, and how interrupted work goes on.

A job first writes a state file (``run.json``, ``training.json`` …) with what was asked for and the versions of the
libraries, and last a file that marks its work as finished. In between the work is unfinished: some jobs resume it when
the same command is given again, the others begin anew.
"""

import errno
import json
import os
import platform
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import UserError, reason
from pipeline.files import absolute, filesystem, remove, write_json, writing

_LIBRARIES = ["ray", "torch", "transformers", "nemo_toolkit", "peft", "trl", "bitsandbytes", "faster-whisper"]
_LIBRARIES += ["ctranslate2", "pyarrow", "soundfile", "soxr"]
_VERSIONS = "versions"
_SHOWN = 3  # differences that a message names


@dataclass(frozen=True)
class OutFolder:
    """Where a job leaves its results.

    Attributes:
        path: A local path or an fsspec URI.
        state: Name of the state file, by which the job knows a folder of its own.
        finished: Name of what the job writes last.
        made: Names of everything else that the job makes there.
        shared: Whether files of other origin may lie in the folder; they are left alone.
        free: Names of settings, at any depth, that may be others when interrupted work goes on.
    """

    path: str
    state: str
    finished: str
    made: Collection[str]
    shared: bool = False
    free: Collection[str] = ()

    def check(self, overwrite: bool) -> set[str]:
        """Refuse a folder that cannot take results; nothing is made or removed yet.

        Args:
            overwrite: Whether results that are there may be replaced.

        Returns:
            The names in the folder.

        Raises:
            UserError: The folder cannot be made, holds something else, or finished results that have to stay.
        """
        names = self._names()
        if self.state in names:
            self.read_state()
        elif names and not self.shared:
            raise UserError(f"--out {self.path} is not empty: give a folder of its own.")
        elif foreign := sorted(names & {self.finished, *self.made}):
            raise UserError(
                f"--out {self.path} holds {', '.join(foreign)} but no {self.state} with it, so that is no work of this "
                "job: give another folder."
            )
        if self.finished in names and not overwrite:
            sentence = f"--out {self.path} is finished already: give another folder, or --overwrite to replace it."
            raise UserError(sentence)
        return names

    def _names(self) -> set[str]:
        fs, root = filesystem(absolute(self.path))
        try:
            if isinstance(fs, LocalFileSystem):
                return _names_of_local(Path(root))
            return {PurePosixPath(name).name for name in fs.ls(root, detail=False)}
        except FileNotFoundError:  # an object store has no empty folders
            return set()
        except OSError as error:
            raise UserError(f"--out {self.path} cannot be used: {reason(error)}.") from None

    def begin(self, asked: Mapping[str, Any], overwrite: bool) -> None:
        """Make the folder ready; what an earlier call left is removed.

        Args:
            asked: What the state file will hold. What JSON does not know, such as paths, becomes text.
            overwrite: See ``check``.

        Raises:
            UserError: See ``check``.
        """
        names = self.check(overwrite)
        fs, root = filesystem(absolute(self.path))
        if self.state in names:
            for name in (self.finished, *self.made):  # first what says that the rest is whole
                if name in names:
                    with writing(self.path):
                        remove(fs, f"{root}/{name}")
        write_json(f"{absolute(self.path)}/{self.state}", {**_as_json(asked), _VERSIONS: _versions()})

    def resume(self, asked: Mapping[str, Any], overwrite: bool, dry_run: bool = False) -> str | None:
        """Make the folder ready, or go on with what an interrupted call left there.

        Args:
            asked: What the state file will hold, or holds. It binds no later call until something is made.
            overwrite: Begin anew, whatever the folder holds.
            dry_run: Find out only which it would be, and change nothing.

        Returns:
            None where the work begins; where it goes on, the sentence of ``going_on``.

        Raises:
            UserError: Something else was asked for when the work in the folder began, or see ``check``.
        """
        names = self.check(overwrite)
        if self.state in names and not overwrite and names & set(self.made):
            return self.going_on(asked, names)
        if not dry_run:
            self.begin(asked, overwrite)
        return None

    def going_on(self, asked: Mapping[str, Any], names: Collection[str]) -> str:
        """Say that the work in the folder goes on, and which libraries are others now.

        Args:
            asked: What is asked for now.
            names: The names in the folder.

        Raises:
            UserError: Something else was asked for when the work began.
        """
        finished = self.finished in names
        begun = self.read_state()
        versions, wanted = begun.pop(_VERSIONS), _as_json(asked)
        before = {key: begun.get(key) for key in wanted}
        if found := list(differences(_without(before, self.free), _without(wanted, self.free))):
            shown = "; ".join(found[:_SHOWN] + [f"and {len(found) - _SHOWN} more"] * (len(found) > _SHOWN))
            raise UserError(
                f"--out {self.path} holds {'finished' if finished else 'unfinished'} work with other settings or data "
                f"({shown}): give the same command to go on with it, or --overwrite to replace it."
            )
        others = "; ".join(differences(versions, _versions()))
        going_on = f"Going on with {'finished' if finished else 'interrupted'} work."
        return going_on + (f" Other libraries since then: {others}." if others else "")

    def read_state(self) -> dict[str, Any]:
        """Read the state file.

        Raises:
            UserError: It is missing, damaged, or of another program.
        """
        fs, root = filesystem(absolute(self.path))
        try:
            state = json.loads(fs.cat_file(f"{root}/{self.state}"))
            if not isinstance(state[_VERSIONS], dict):
                raise ValueError
        except (OSError, ValueError, LookupError, TypeError):
            raise UserError(
                f"--out {self.path}: its {self.state} is damaged, or not of this program: give another folder."
            ) from None
        return state


def differences(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """Yield in words where two JSON values differ.

    Args:
        before: What was.
        now: What is.
        name: What the values are, in words.
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            yield from differences(before.get(key), now.get(key), f"{name}.{key}".removeprefix("."))
    elif "sha256" in name and before != now:
        yield f"{name} has other contents"
    elif isinstance(before, Mapping) or isinstance(now, Mapping):
        yield f"{name} is {'gone' if before else 'new'}"
    elif before != now:
        old, new = (json.dumps(value, ensure_ascii=False) for value in (before, now))
        yield f"{name} was {old} and is {new}"


def _names_of_local(folder: Path) -> set[str]:
    if folder.exists():
        return {name.name for name in folder.iterdir()}
    there = next(parent for parent in folder.parents if parent.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"{there} cannot be written")
    return set()


def _without(value: Any, names: Collection[str]) -> Any:
    """Return a JSON value without the keys of these names, at any depth."""
    if not isinstance(value, Mapping):
        return value
    return {key: _without(each, names) for key, each in value.items() if key not in names}


def _as_json(asked: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(asked, default=str))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
