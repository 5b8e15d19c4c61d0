"""Which of several overlapping entities stays."""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import replace

from pipeline.tagging.entities import Entity

OVERLAP = "overlap"
"""Cause of an entity that lost to one that it overlaps."""


def resolve_overlaps(entities: Sequence[Entity]) -> list[Entity]:
    """Let one of the kept entities that overlap stay.

    The surer one wins, then the longer, then the one that starts first, then the one whose type, group and source
    come first in the alphabet; without a confidence an entity is the least sure. The winner of a pair may lose to a
    third; what only the loser overlapped then stays.

    Args:
        entities: The entities of one transcript.

    Returns:
        The entities in the order given. A loser has ``kept=False`` and the cause ``overlap``. Kept entities of one
        type and span are one entity: the surest is returned alone.
    """
    order = sorted((index for index, entity in enumerate(entities) if entity.kept), key=lambda i: _rank(entities[i]))
    starts: list[int] = []  # of the winners, which do not overlap, in the order of the text
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
