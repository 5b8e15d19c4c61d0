"""What a run was made of: the contents of its models and rules, and the state of each of its recordings."""

import hashlib
import json
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem

from pipeline.files import filesystem, sha256
from pipeline.settings import NONE, Settings
from pipeline.tagging import entity_groups, mention_forms, patterns, rules

_OF_OBJECTS = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "last_modified", "updated", "mtime")
"""What file systems call that by which an object tells that it was replaced, the surest first."""


def of_settings(settings: Settings) -> dict[str, str]:
    """Hash what the settings name: models, each adapter, entity groups, rules, patterns and patients.

    Args:
        settings: With located models.

    Returns:
        SHA-256 of contents by name.
    """
    tagger = settings.tagger
    paths = {name: Path(path) for name, path in asdict(settings.models).items() if path != NONE}
    if adapters := paths.pop("adapters", None):
        groups = [group.name for group in entity_groups.load_entity_groups(tagger.groups_file)]
        paths |= {f"adapters.{name}": adapters / name for name in groups if (adapters / name).is_dir()}
    paths["groups"] = tagger.groups_file or entity_groups.BUILT_IN
    paths["rules"] = tagger.rules or rules.BUILT_IN
    paths["patterns"] = tagger.patterns or patterns.BUILT_IN
    paths["mentions"] = mention_forms.BUILT_IN
    if tagger.patients:
        paths["patients"] = tagger.patients
    with ThreadPoolExecutor() as threads:  # hashing large files leaves the interpreter free
        return dict(zip(paths, threads.map(sha256, paths.values()), strict=True))


def of_file(path: str) -> str | None:
    """Return size and time of a file, or what else its storage tells of its state; None if there is no such file.

    Args:
        path: A local path or an fsspec URI.
    """
    fs, target = filesystem(path)
    try:
        if "file" in fs.protocol:
            status = Path(target).stat()
            return f"{status.st_size} bytes, {status.st_mtime_ns} ns"
        return _of_object(fs, target, fs.info(target))
    except OSError:
        return None


def of_files(folder: str, paths: Collection[str]) -> dict[str, str | None]:
    """Return the same of files of a folder, by path; a storage that is no disk is asked for all of them at once.

    Args:
        folder: A local path or an fsspec URI.
        paths: Paths or URIs of files in it and in its subfolders.
    """
    fs, root = filesystem(folder)
    if "file" in fs.protocol:
        return {path: of_file(path) for path in paths}
    listed = fs.find(root, detail=True)
    there = {fs.unstrip_protocol(name): _of_object(fs, name, info) for name, info in listed.items()}
    return {path: there.get(path) for path in paths}


def _of_object(fs: AbstractFileSystem, target: str, info: Mapping[str, Any]) -> str:
    state = next((info[key] for key in _OF_OBJECTS if info.get(key)), None)
    return f"{info['size']} bytes, {state or fs.ukey(target)}"


def of_row(row: Mapping[str, Any]) -> str:
    """Hash a row, such as a transcript that is given."""
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
