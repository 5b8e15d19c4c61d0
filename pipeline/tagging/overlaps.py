"""Resolution of overlaps between entities."""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import replace

from pipeline.tagging.entities import Entity

OVERLAP = "overlap"
"""Cause of entities that were dropped because of an overlap."""


def resolve_overlaps(entities: Sequence[Entity]) -> list[Entity]:
    """Drop kept entities until no two of them overlap.

    Entities are kept greedily in this order: highest confidence (None is lowest), longest, earliest start, then type,
    group and source in alphabetical order. An entity is dropped if it overlaps one that was kept before.

    Args:
        entities: The entities of one transcript.

    Returns:
        The entities in the given order. Dropped ones have ``kept=False`` and the cause ``overlap``. Of kept entities
        with the same type and span, only the one with the highest confidence is returned.
    """
    order = sorted((index for index, entity in enumerate(entities) if entity.kept), key=lambda i: _rank(entities[i]))
    starts: list[int] = []  # of the winners, which do not overlap, in text order
    winners: list[Entity] = []
    result: list[Entity | None] = list(entities)
    seen = set()
    for index in order:
        entity = entities[index]
        same = (entity.type, entity.char_start, entity.char_end)
        place = bisect(starts, entity.char_start)
        if same in seen:
            result[index] = None
        elif (place and winners[place - 1].char_end > entity.char_start) or (
            place < len(winners) and winners[place].char_start < entity.char_end
        ):
            result[index] = replace(entity, kept=False, cause=OVERLAP)
        else:
            starts.insert(place, entity.char_start)
            winners.insert(place, entity)
        seen.add(same)
    return [entity for entity in result if entity is not None]


def _rank(entity: Entity) -> tuple[float, int, int, str, str, str]:
    return (
        1.0 if entity.confidence is None else -entity.confidence,
        entity.char_start - entity.char_end,
        entity.char_start,
        entity.type,
        entity.group,
        entity.source,
    )
