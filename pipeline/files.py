"""Files that appear whole or not at all, and paths, on local storage or by URI."""

import errno
import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec import AbstractFileSystem
from fsspec.core import has_magic
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import UserError, reason


def filesystem(path: str) -> tuple[AbstractFileSystem, str]:
    """Return the file system of a path, and the path in it. A local path is taken as it is, whatever is in it.

    Args:
        path: A local path or an fsspec URI.

    Raises:
        OSError: The library for the URI's scheme is missing, or there is no such scheme; it says so as its reason.
    """
    if "://" in path:
        try:
            return fsspec.url_to_fs(path, use_listings_cache=False)  # other machines write there too
        except Exception as error:  # each library has its own for what it lacks: itself, Java, an account
            why = str(error).strip().partition("\n")[0] or type(error).__name__
            raise OSError(errno.EPROTONOSUPPORT, why.rstrip("."), path) from None
    local = LocalFileSystem()
    return local, local._strip_protocol(path)


def move(fs: AbstractFileSystem, source: str, target: str) -> None:
    """Move a file, at once on local storage. fsspec's own ``mv`` takes brackets and stars for patterns elsewhere."""
    if isinstance(fs, LocalFileSystem):
        fs.mv(source, target)
    else:
        fs.cp_file(source, target)
        fs.rm_file(source)


def remove(fs: AbstractFileSystem, path: str) -> None:
    """Remove a file, or a folder with all that is in it. fsspec's own ``rm`` takes brackets and stars for patterns."""
    if isinstance(fs, LocalFileSystem) or not has_magic(path):
        fs.rm(path, recursive=True)
    else:
        for file in fs.find(path):
            fs.rm_file(file)


def write_bytes(path: str, content: bytes) -> None:
    """Write a file, and make its folder where it is missing.

    Args:
        path: A local path or an fsspec URI.
        content: All of it.
    """
    fs, target = filesystem(path)
    fs.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
    try:
        fs.pipe_file(f"{target}.tmp", content)
        move(fs, f"{target}.tmp", target)
    except OSError:
        with suppress(OSError):
            fs.rm_file(f"{target}.tmp")
        raise


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Turn an error of the body, which writes or removes files, into a sentence that names the path.

    Raises:
        UserError: The storage is full, lacks a permission, or cannot be reached.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} cannot be written: {reason(error)}.") from None


def write_text(path: str, text: str) -> None:
    """Write a text file in UTF-8; see ``write_bytes``.

    Raises:
        UserError: The file cannot be written.
    """
    with writing(path):
        write_bytes(path, text.encode())


def write_json(path: str, content: Mapping[str, Any]) -> None:
    """Write a JSON file; see ``write_text``."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def sha256(path: Path) -> str:
    """Hash the content of a file, or the names and contents of all files in a folder that are not hidden."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = {file.relative_to(path): file for file in sorted(path.rglob("*")) if file.is_file()}
    hidden = {name for name in files if any(part.startswith(".") for part in name.parts)}
    lines = (f"{name.as_posix()} {sha256(file)}\n" for name, file in files.items() if name not in hidden)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def open_binary(path: str) -> AbstractContextManager[Any]:
    """Open a file to read its bytes; see ``filesystem``.

    Args:
        path: A local path or an fsspec URI.
    """
    if "://" not in path:
        return open(path, "rb")
    fs, target = filesystem(path)
    return fs.open(target, "rb")


def no_folder(path: str) -> str:
    """Say, behind the path, why it is no folder: there is nothing, or a file.

    Args:
        path: A local path or an fsspec URI.
    """
    fs, target = filesystem(path)
    return " is a file: give a folder." if fs.exists(target) else ": there is no such folder."


def schemes_of(*paths: str) -> set[str]:
    """Return the schemes of URIs, such as s3; local paths have none."""
    return {path.partition("://")[0] for path in paths if "://" in path}


def not_opened(path: str, schemes: Collection[str]) -> str | None:
    """Say why the path of a file, as a table has it, is not opened.

    Args:
        path: A local path or an fsspec URI.
        schemes: Those that the user gave.

    Returns:
        The reason, or None where the path is local or of such a scheme.
    """
    others = schemes_of(path) - {"file", *schemes}
    if not others:
        return None
    scheme = others.pop()
    named = scheme if scheme.isalnum() else "another scheme"
    return f"it is at an address of {named}, which is opened only where --schemes allows it"


def absolute(path: str) -> str:
    """Make a local path mean the same in every process, wherever it was started; URIs stay as they are."""
    return path.rstrip("/") if "://" in path else str(Path(os.path.expanduser(path)).absolute())


def is_within(path: str, folder: str) -> bool:
    """Say whether a local path or URI is a folder or lies below it, whatever links lead there."""
    path, folder = (each.removeprefix("file://") for each in (path, folder))
    path, folder = (each if "://" in each else os.path.realpath(absolute(each)) for each in (path, folder))
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def check_file(option: str, path: str, over: bool) -> None:
    """Make a file's folder, and refuse a file that cannot be written.

    Args:
        option: The option that gives the file, for messages.
        path: A local path or an fsspec URI.
        over: Whether the file may be there already.

    Raises:
        UserError: The path is a folder, its own folder cannot be made, or the file is there and must stay.
    """
    fs, target = filesystem(absolute(path))
    try:
        if fs.isdir(target):
            raise UserError(f"{option} {path} is a folder: give a file in it.")
        fs.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
    except OSError as error:
        raise UserError(f"{option} {path} cannot be written: {reason(error)}.") from None
    if fs.exists(target) and not over:
        raise UserError(f"{option} {path} is there already: give another name, or --overwrite to replace it.")
