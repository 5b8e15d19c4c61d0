"""Rules, read from YAML, that drop or retype the entities of the adapters."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.tagging.entities import Entity
from pipeline.tagging.entries import check_keys, check_languages, check_texts, is_texts, read_entries

BUILT_IN = Path(__file__).with_name("rules.yaml")

_KEYS = frozenset({"name", "languages", "types", "pattern", "case", "action", "examples"})


@dataclass(frozen=True)
class Rule:
    """A rule that drops or retypes entities.

    Attributes:
        name: Name that describes the rule.
        languages: Languages of the transcripts that it applies to.
        types: Types of the entities that it applies to.
        pattern: Regular expression that is searched for in the text of an entity.
        to: The new type, or None to drop the entity.
        positive: Examples of texts that match.
        negative: Examples of texts that do not match.
    """

    name: str
    languages: frozenset[str]
    types: frozenset[str]
    pattern: re.Pattern[str]
    to: str | None
    positive: tuple[str, ...]
    negative: tuple[str, ...]


def load_rules(path: Path | None = None) -> tuple[Rule, ...]:
    """Read rules from a YAML file in the format of the built-in one.

    Args:
        path: The file. None reads the built-in rules. An entry ``include: built-in`` adds them to those of the file,
            and an empty list gives no rules.

    Raises:
        UserError: The file cannot be read, or a rule in it is malformed or contradicts its examples.
    """
    return tuple(_rule(where, body) for where, body in read_entries(path or BUILT_IN, BUILT_IN, "rule"))


def apply_rules(rules: Iterable[Rule], entities: Sequence[Entity], language: str) -> list[Entity]:
    """Apply rules in order to the entities of one transcript.

    A dropped entity gets ``kept=False`` and the rule's name as its cause. So does a retyped one, and an entity with the
    new type and the source ``rule`` is added, unless one with this type and span is already kept. Entities found by
    patterns are not changed, as they have passed their own checks.

    Args:
        rules: The rules.
        entities: Entities of the transcript.
        language: Language of the transcript, ``en`` or ``zh``.

    Returns:
        All entities in order; a new one follows the entity that it replaces.
    """
    result = list(entities)
    for rule in rules:
        if language not in rule.languages:
            continue
        kept = {(entity.type, entity.char_start, entity.char_end) for entity in result if entity.kept}
        after: list[Entity] = []
        for entity in result:
            if not _applies_to(rule, entity):
                after.append(entity)
                continue
            after.append(replace(entity, kept=False, cause=f"rule: {rule.name}"))
            if rule.to is not None and (rule.to, entity.char_start, entity.char_end) not in kept:
                after.append(replace(entity, type=rule.to, source="rule"))
                kept.add((rule.to, entity.char_start, entity.char_end))
        result = after
    return result


def _applies_to(rule: Rule, entity: Entity) -> bool:
    if not entity.kept or entity.source == "pattern" or entity.type not in rule.types:
        return False
    return rule.pattern.search(entity.text) is not None


def _rule(where: str, body: dict[str, Any]) -> Rule:
    if body.get("action") not in ("drop", "retype"):
        raise UserError(f"{where}: `action:` is drop or retype.")
    check_keys(where, body, _KEYS | {"to"} if body["action"] == "retype" else _KEYS)
    check_texts(where, body, ("name", "pattern", "to"))
    check_languages(where, body["languages"])
    if body["case"] not in ("ignore", "match"):
        raise UserError(f"{where}: `case:` is ignore or match.")
    if not is_texts(body["types"]) or not body["types"]:
        raise UserError(f"{where}: `types:` is a list such as [DATE].")
    examples = body["examples"]
    if (
        not isinstance(examples, dict)
        or set(examples) != {"positive", "negative"}
        or not all(map(is_texts, examples.values()))
    ):
        raise UserError(f"{where}: `examples:` holds the lists `positive:` and `negative:`; put numbers in quotes.")
    try:
        pattern = re.compile(body["pattern"], re.ASCII | (re.IGNORECASE if body["case"] == "ignore" else 0))
    except re.error as error:
        raise UserError(f"{where}: `pattern:` is no regular expression: {error}.") from error
    for kind, texts in examples.items():
        for number, text in enumerate(texts, start=1):
            if bool(pattern.search(text)) != (kind == "positive"):
                raise UserError(f"{where}: example {number} under `{kind}:` is not what the pattern does.")
    return Rule(
        body["name"],
        frozenset(body["languages"]),
        frozenset(body["types"]),
        pattern,
        body.get("to"),
        tuple(examples["positive"]),
        tuple(examples["negative"]),
    )
