"""Rules that drop or retype entities after the adapters, as data."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.tagging.entities import Entity
from pipeline.tagging.groups import read_yaml

BUILT_IN = Path(__file__).with_name("rules.yaml")

_KEYS = {"name", "languages", "types", "pattern", "case", "action", "examples"}


@dataclass(frozen=True)
class Rule:
    """What happens to some entities.

    Attributes:
        name: Says what the rule is for.
        languages: Languages of the transcripts that it looks at.
        types: Types of the entities that it looks at.
        pattern: Searched for in the entity's text.
        to: The new type; None drops the entity.
        hits: Texts that the pattern hits.
        spares: Texts that it does not.
    """

    name: str
    languages: frozenset[str]
    types: frozenset[str]
    pattern: re.Pattern[str]
    to: str | None
    hits: tuple[str, ...]
    spares: tuple[str, ...]


def load_rules(path: Path | None = None) -> tuple[Rule, ...]:
    """Read rules from a YAML file of the same shape as the built-in one.

    Args:
        path: The file; None reads the rules built in. A file with an empty list gives no rules.

    Raises:
        UserError: The file cannot be read, or a rule in it is malformed.
    """
    path = path or BUILT_IN
    data = read_yaml(path)
    if not isinstance(data, list):
        raise UserError(f"{path} holds no list of rules: begin each with `- name:`, or write [] for no rules.")
    rules = tuple(_rule(path, number, body) for number, body in enumerate(data, 1))
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: two rules are called {name!r}; rename one.")
    return rules


def apply_rules(rules: Iterable[Rule], entities: Sequence[Entity], language: str) -> list[Entity]:
    """Apply rules, in their order, to the entities of one transcript.

    A dropped entity stays with ``kept=False``. A retyped one does too, and beside it stands a new one with the new
    type and source ``rule``, unless there already is an entity of that type with that span.

    Args:
        rules: The rules.
        entities: The transcript's entities.
        language: The transcript's language, ``en`` or ``zh``.

    Returns:
        All entities in their order, each retyped one followed by what became of it.
    """
    result = list(entities)
    for rule in rules:
        if language not in rule.languages:
            continue
        kept = {(entity.type, entity.char_start, entity.char_end) for entity in result if entity.kept}
        after: list[Entity] = []
        for entity in result:
            if not entity.kept or entity.type not in rule.types or not rule.pattern.search(entity.text):
                after.append(entity)
                continue
            after.append(replace(entity, kept=False))
            if rule.to is not None and (rule.to, entity.char_start, entity.char_end) not in kept:
                after.append(replace(entity, type=rule.to, source="rule"))
                kept.add((rule.to, entity.char_start, entity.char_end))
        result = after
    return result


def _rule(path: Path, number: int, body: Any) -> Rule:
    where = f"{path}, rule {number}"
    if not isinstance(body, dict):
        raise UserError(f"{where}: write it as `name:`, `languages:` and so on.")
    where = f"{where} ({body.get('name')})"
    if body.get("action") not in ("drop", "retype"):
        raise UserError(f"{where}: `action:` is drop or retype.")
    expected = _KEYS | {"to"} if body["action"] == "retype" else _KEYS
    if set(body) != expected:
        wrong = ", ".join(sorted(str(key) for key in set(body) ^ expected))
        raise UserError(f"{where}: the keys are {', '.join(sorted(expected))}; missing or unknown: {wrong}.")
    if body["case"] not in ("ignore", "match"):
        raise UserError(f"{where}: `case:` is ignore or match.")
    for key in ("name", "pattern", *(["to"] if "to" in body else [])):
        if not isinstance(body[key], str) or not body[key]:
            raise UserError(f"{where}: `{key}:` is a text; put it in quotes if YAML reads it as something else.")
    for key in ("languages", "types"):
        if not _texts(body[key]) or not body[key]:
            raise UserError(f"{where}: `{key}:` is a list such as [{'en, zh' if key == 'languages' else 'DATE'}].")
    if set(body["languages"]) - {"en", "zh"}:
        raise UserError(f"{where}: `languages:` are en and zh.")
    examples = body["examples"]
    if not isinstance(examples, dict) or set(examples) != {"hits", "spares"} or not all(map(_texts, examples.values())):
        raise UserError(f"{where}: `examples:` has the lists of texts `hits:` and `spares:`; put numbers in quotes.")
    try:
        pattern = re.compile(body["pattern"], re.IGNORECASE if body["case"] == "ignore" else 0)
    except re.error as error:
        raise UserError(f"{where}: `pattern:` is no regular expression: {error}.") from error
    return Rule(
        body["name"],
        frozenset(body["languages"]),
        frozenset(body["types"]),
        pattern,
        body.get("to"),
        tuple(examples["hits"]),
        tuple(examples["spares"]),
    )


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
