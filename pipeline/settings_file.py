"""Settings from a YAML file, which has the shape of ``pipeline.settings.Settings``: ``tagger: {batch_size: 8}``."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pipeline.errors import UserError, nearest
from pipeline.settings import Settings, check


def read_settings(path: Path, settings: Settings) -> Settings:
    """Read a YAML file of settings.

    Args:
        path: The file. What it has by entity group or type adds to what the settings have.
        settings: The values that the file does not name.

    Raises:
        UserError: The file cannot be read, or a key or a value in it is none of a setting.
    """
    from pipeline.tagging.entity_groups import read_yaml

    new: Settings = _over(f"--settings {path}", "", read_yaml(path), settings)
    try:
        check(new)
    except UserError as error:
        raise UserError(f"--settings {path}: {error}") from None
    return new


def without_mappings(settings: Any) -> Any:
    """Return settings with those by entity group or type empty."""
    return replace(
        settings,
        **{
            name: without_mappings(value) if is_dataclass(value) else {}
            for name, value in vars(settings).items()
            if is_dataclass(value) or isinstance(value, dict)
        },
    )


def with_mappings(settings: Any, others: Any) -> Any:
    """Return settings that have by entity group or type what others have too, where they lack it."""
    merged: dict[str, Any] = {}
    for name, value in vars(settings).items():
        if is_dataclass(value):
            merged[name] = with_mappings(value, getattr(others, name))
        elif isinstance(value, dict):
            merged[name] = getattr(others, name) | value
    return replace(settings, **merged)


def _over(file: str, prefix: str, content: Any, settings: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError

    where = f"{file}, {prefix.removesuffix('.')}".removesuffix(", ")
    known = [each.name for each in fields(settings)]
    if not isinstance(content, Mapping):
        raise UserError(f"{where}: give settings by name, such as `{known[-1]}:`.")
    types = get_type_hints(type(settings))
    new: dict[str, Any] = {}
    for key, value in content.items():
        if key not in known:
            best = nearest(str(key), known)
            raise UserError(f"{file}: there is no setting {prefix}{key}; the nearest is {prefix}{best}.")
        before = getattr(settings, key)
        if is_dataclass(before):
            new[key] = _over(file, f"{prefix}{key}.", value, before)
            continue
        try:
            new[key] = TypeAdapter(types[key]).validate_python(value, strict=Path not in get_args(types[key]))
        except ValidationError as error:
            reason = error.errors()[0]["msg"].replace("Input", "it")
            raise UserError(f"{file}: {prefix}{key} {value!r:.60}: {reason}.") from None
        if isinstance(before, dict):
            new[key] = before | new[key]
    return replace(settings, **new)
