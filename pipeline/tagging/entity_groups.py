"""Entity groups, read from YAML: the types that one adapter tags."""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UserError, reason
from pipeline.submission import TYPE
from pipeline.tagging.entities import parse
from pipeline.text_encoding import not_utf8

BUILT_IN = Path(__file__).with_name("entity_groups.yaml")

LONGEST = 64
"""Most characters of an entity whose type has no limit of its own."""

_GROUP = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class EntityGroup:
    """The types that one adapter tags.

    Attributes:
        name: Name of the entity group and of its adapter folder.
        types: The types in order, each with its description in the prompt.
        examples: Few-shot examples as tagged text.
        longest: Most characters of an entity of each type.
    """

    name: str
    types: Mapping[str, str]
    examples: tuple[str, ...]
    longest: Mapping[str, int]


def load_entity_groups(path: Path | None = None) -> tuple[EntityGroup, ...]:
    """Read entity groups from a YAML file in the format of the built-in one.

    Args:
        path: The file. None reads the six built-in entity groups.

    Raises:
        UserError: The file cannot be read, or an entity group in it is malformed.
    """
    path = path or BUILT_IN
    data = read_yaml(path)
    if not isinstance(data, dict) or not data:
        raise UserError(f"{path} holds no groups: write one as `name:` with `types:` and `examples:` under it.")
    groups = tuple(_group(path, name, body) for name, body in data.items())
    owner: dict[str, str] = {}
    for group in groups:
        for type_ in group.types:
            if type_ in owner:
                raise UserError(
                    f"{path}: type {type_} is in group {owner[type_]} and again in group {group.name}; "
                    "keep it in one of them."
                )
            owner[type_] = group.name
    return groups


def read_yaml(path: Path) -> Any:
    """Read a YAML file without duplicate keys.

    Raises:
        UserError: The file is missing, is not valid YAML, or has a duplicate key.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except UnicodeDecodeError:
        raise UserError(not_utf8(str(path))) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {reason(error)}.") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML{_what_is_wrong(error)}.") from None
    except (ValueError, AttributeError, RecursionError):  # of PyYAML, for what it takes to be a number, date or list
        raise UserError(f"{path} is not valid YAML: a number, a date or a nesting in it is beyond sense.") from None


def _what_is_wrong(error: yaml.YAMLError) -> str:
    """Say what is wrong and where, without the lines that PyYAML quotes: examples may be of patients."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return ""
    where = f", line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    names_no_text = isinstance(error, yaml.scanner.ScannerError | yaml.parser.ParserError | _TwiceError)
    return f"{where}: {error.problem}" if names_no_text else where


class _TwiceError(yaml.MarkedYAMLError):
    """A key stands twice."""


class _UniqueKeys(yaml.SafeLoader):
    """YAML loader that rejects duplicate keys, of which PyYAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise _TwiceError(problem=f"{key} is written twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def _group(path: Path, name: Any, body: Any) -> EntityGroup:
    where = f"{path}, group {name}"
    if not isinstance(name, str) or not _GROUP.fullmatch(name):
        raise UserError(f"{where}: a group's name is made of small letters, digits, _ and -.")
    if not isinstance(body, dict) or set(body) - {"longest"} != {"types", "examples"}:
        raise UserError(f"{where}: write `types:`, `examples:` and perhaps `longest:` under it, and nothing else.")

    types, examples = body["types"], body["examples"]
    if not isinstance(types, dict) or not types or not all(isinstance(line, str) for line in types.values()):
        raise UserError(f"{where}: write each type under `types:` as `NAME: one line that describes it`.")
    for type_ in types:
        if not isinstance(type_, str) or not TYPE.fullmatch(type_):
            raise UserError(f"{where}: type {type_} is not made of capital letters, digits, _ and -.")

    if not isinstance(examples, list) or not all(isinstance(example, str) for example in examples):
        raise UserError(f"{where}: `examples:` is a list of tagged sentences.")
    for number, example in enumerate(examples, 1):
        try:
            _, spans = parse(example)
        except ValueError as error:
            raise UserError(f"{where}, example {number}: {error}.") from error
        unknown = {span.type for span in spans} - set(types)
        if unknown:
            raise UserError(f"{where}, example {number}: no type of this group is called {min(unknown)}.")

    longest = body.get("longest", {})
    if not isinstance(longest, dict) or not all(isinstance(most, int) and most > 0 for most in longest.values()):
        raise UserError(f"{where}: write under `longest:` the most characters of an entity, as `NAME: 40`.")
    if unknown := set(longest) - set(types):
        raise UserError(f"{where}: `longest:` names {min(unknown)}, which is no type of this group.")
    return EntityGroup(name, types, tuple(examples), {type_: longest.get(type_, LONGEST) for type_ in types})
