"""Folders and files that jobs take and make after a run."""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

import fsspec
import pyarrow as pa

from jobs.command_line import absolute, check_paths
from pipeline import tables
from pipeline.errors import UserError
from pipeline.run_folder import write_json


def read_run(run: str, needed: Collection[str] = ("recordings", "transcripts")) -> dict[str, pa.Table]:
    """Read the tables of a finished run, or of another folder that holds the needed ones; others may be missing.

    Raises:
        UserError: The folder holds no such tables.
    """
    fs, root = fsspec.url_to_fs(absolute(run))
    whole = all(fs.isdir(f"{root}/{name}") for name in needed)
    if not whole or fs.exists(f"{root}/parts"):
        raise UserError(f"--run {run} holds no finished run: give the out folder of jobs.predict.")
    try:
        return {name: tables.read(f"{absolute(run)}/{name}", schema) for name, schema in tables.SCHEMAS.items()}
    except (pa.ArrowException, OSError, ValueError):
        raise UserError(f"--run {run}: its tables cannot be read: give the out folder of jobs.predict.") from None


def is_within(path: str, folder: str) -> bool:
    """Say whether a local path or URI is a folder or lies below it, whatever links lead there."""
    path, folder = (each.removeprefix("file://") for each in (path, folder))
    path, folder = (each if "://" in each else os.path.realpath(absolute(each)) for each in (path, folder))
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def open_out(
    out: str, begun: str, finished: str, made: Collection[str], options: Mapping[str, Any], over: bool
) -> None:
    """Make a job's out folder ready; what an interrupted call left is made again.

    Args:
        out: The folder, a path or URI.
        begun: Name of the JSON file that says by which options the folder is made.
        finished: Name of what the job writes last.
        made: Names of everything else that the job makes there.
        options: What ``begun`` will hold.
        over: Replace what the folder holds.

    Raises:
        UserError: The folder cannot be made, holds what the job has made, or something else.
    """
    there = names_in(out, begun)
    if finished in there and not over:
        raise UserError(f"--out {out} is finished already: give another folder, or --overwrite to replace it.")
    fs, root = fsspec.url_to_fs(absolute(out))
    for name in there & {finished, *made}:
        fs.rm(f"{root}/{name}", recursive=True)
    write_json(f"{absolute(out)}/{begun}", options)


def take_up(out: str, begun: str, finished: str, made: Collection[str], options: Mapping[str, Any], over: bool) -> bool:
    """Make a job's out folder ready, or take up what an interrupted call with the same options left there.

    Args:
        out: The folder, a path or URI.
        begun: Name of the JSON file that says by which options the folder is made.
        finished: Name of what the job writes last.
        made: Names of everything else that the job makes there.
        options: What ``begun`` will hold, or holds.
        over: Replace what the folder holds.

    Returns:
        Whether an interrupted call is taken up.

    Raises:
        UserError: The folder cannot be made, is finished, was begun with other options, or holds something else.
    """
    there = names_in(out, begun)
    if begun in there and finished not in there and not over:
        fs, root = fsspec.url_to_fs(absolute(out))
        if json.loads(fs.cat_file(f"{root}/{begun}")) != json.loads(json.dumps(options)):
            raise UserError(
                f"--out {out} holds unfinished work with other settings or data: give the same command to go "
                "on with it, or --overwrite to replace it."
            )
        return True
    open_out(out, begun, finished, made, options, over)
    return False


def names_in(out: str, begun: str) -> set[str]:
    """List what a job's out folder holds; the folder is made where it is missing.

    Args:
        out: The folder, a path or URI.
        begun: Name of the JSON file by which the job knows a folder of its own.

    Raises:
        UserError: The folder cannot be made, or holds something else.
    """
    fs, root = fsspec.url_to_fs(absolute(out))
    try:
        fs.makedirs(root, exist_ok=True)
        there = {PurePosixPath(name).name for name in fs.ls(root, detail=False)}
    except OSError as error:
        raise UserError(f"--out {out} cannot be used: {error.strerror or type(error).__name__}.") from None
    if there and begun not in there:
        raise UserError(f"--out {out} is not empty: give a folder of its own.")
    return there


def check_file(option: str, path: str, over: bool) -> None:
    """Make a file's folder, and refuse a file that cannot be written.

    Args:
        option: The option that gives the file, for messages.
        path: A local path or an fsspec URI.
        over: Whether the file may be there already.

    Raises:
        UserError: The path is a folder, its own folder cannot be made, or the file is there and must stay.
    """
    check_paths({option: path})
    fs, target = fsspec.url_to_fs(absolute(path))
    try:
        if fs.isdir(target):
            raise UserError(f"{option} {path} is a folder: give a file in it.")
        fs.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
    except OSError as error:
        raise UserError(f"{option} {path} cannot be written: {error.strerror or type(error).__name__}.") from None
    if fs.exists(target) and not over:
        raise UserError(f"{option} {path} is there already: give another name, or --overwrite to replace it.")
