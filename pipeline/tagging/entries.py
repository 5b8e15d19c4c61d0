"""Lists of entries in YAML files: the built-in files, and files of users that can include them."""

from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.tagging.entity_groups import read_yaml

Entry = tuple[str, dict[str, Any]]


def read_entries(path: Path, built_in: Path, what: str) -> list[Entry]:
    """Read a list of named entries. The entry ``include: built-in`` is replaced by the built-in entries.

    Args:
        path: The file.
        built_in: The file with the built-in entries.
        what: Singular noun for an entry, for error messages.

    Returns:
        The location of each entry, for error messages, and the entry.

    Raises:
        UserError: The file cannot be read, is not a list of mappings, or has two entries with the same name.
    """
    data = read_yaml(path)
    if not isinstance(data, list):
        raise UserError(f"{path} holds no list of {what}s: begin each with `- name:`, or write [] for no {what}s.")
    entries: list[Entry] = []
    for number, body in enumerate(data, 1):
        where = f"{path}, {what} {number}"
        if not isinstance(body, dict):
            raise UserError(f"{where}: write it as `name:`, `languages:` and so on.")
        if "include" in body and path != built_in:
            entries += _included(where, body, built_in, what)
        else:
            entries.append((f"{where} ({body.get('name')})", body))
    names = [body.get("name") for _, body in entries]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: two {what}s are called {name!r}; rename one.")
    return entries


def check_keys(where: str, body: Mapping[str, Any], needed: Set[str], optional: Set[str] = frozenset()) -> None:
    """Raise a UserError if a key of an entry is missing or unknown."""
    wrong = sorted(str(key) for key in (needed - set(body)) | (set(body) - needed - optional))
    if wrong:
        keys = ", ".join(sorted(needed | optional))
        raise UserError(f"{where}: the keys are {keys}; missing or unknown: {', '.join(wrong)}.")


def check_texts(where: str, body: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Raise a UserError if the value of one of these keys is there and is not a non-empty text."""
    for key in keys:
        if key in body and (not isinstance(body[key], str) or not body[key]):
            raise UserError(f"{where}: `{key}:` is a text; put it in quotes if YAML reads it as something else.")


def check_languages(where: str, languages: Any) -> None:
    """Raise a UserError if languages are not a non-empty list of en and zh."""
    if not is_texts(languages) or not languages or set(languages) - {"en", "zh"}:
        raise UserError(f"{where}: `languages:` is a list of en, zh or both, such as [en, zh].")


def is_texts(value: Any) -> bool:
    """Return whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _included(where: str, body: dict[str, Any], built_in: Path, what: str) -> list[Entry]:
    excepted = body.get("except", [])
    if body["include"] != "built-in" or set(body) - {"include", "except"} or not is_texts(excepted):
        raise UserError(f"{where}: write `include: built-in`, and perhaps `except:` with a list of names.")
    entries = read_entries(built_in, built_in, what)
    unknown = set(excepted) - {name for _, entry in entries for name in (entry["name"], entry.get("type"))}
    if unknown:
        raise UserError(f"{where}: no built-in {what} is called {min(unknown)!r}.")
    return [entry for entry in entries if not {entry[1]["name"], entry[1].get("type")} & set(excepted)]
