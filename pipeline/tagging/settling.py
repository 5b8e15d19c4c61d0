"""What becomes of the entities that adapters and patterns found in a transcript."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipeline.tagging.entities import Entity
from pipeline.tagging.overlaps import resolve_overlaps
from pipeline.tagging.rules import Rule, apply_rules


def settle(
    entities: Sequence[Entity], language: str, rules: Iterable[Rule], thresholds: Mapping[str, float]
) -> list[Entity]:
    """Drop what is not sure enough, apply the rules, then let one of those that overlap stay.

    Args:
        entities: What the adapters and patterns found in one transcript.
        language: The transcript's language, ``en`` or ``zh``.
        rules: The rules, in their order.
        thresholds: The least confidence in 0..1 by type; a type that is not in it has none.

    Returns:
        All entities, sorted by where they start. What was dropped has ``kept=False`` and its cause; the kept ones do
        not overlap.
    """
    settled = resolve_overlaps(apply_rules(rules, apply_thresholds(thresholds, entities), language))
    return sorted(settled, key=lambda entity: (entity.char_start, entity.char_end))


def apply_thresholds(thresholds: Mapping[str, float], entities: Iterable[Entity]) -> list[Entity]:
    """Drop the entities below their type's threshold.

    Args:
        thresholds: The least confidence in 0..1 by type; a type that is not in it has none.
        entities: The entities; one without a confidence stays.

    Returns:
        All entities in their order; a dropped one has ``kept=False`` and the cause ``threshold``.
    """
    return [
        replace(entity, kept=False, cause="threshold")
        if entity.kept and entity.confidence is not None and entity.confidence < thresholds.get(entity.type, 0.0)
        else entity
        for entity in entities
    ]
