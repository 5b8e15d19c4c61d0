"""Which predicted entity stands for which of the reference, by time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.intervals import Interval, iou


class Entity(NamedTuple):
    """A timed entity of one recording. Entities sort by time, then type, then text.

    Attributes:
        start_ms: Milliseconds.
        end_ms: Milliseconds.
        type: PATIENT, DATE, …
        text: As written.
        slots: First 10 ms slot, and the one behind the last.
    """

    start_ms: int
    end_ms: int
    type: str
    text: str
    slots: Interval


class Pair(NamedTuple):
    """An entity of the reference and the predicted one that stands for it, by their places, and their IoU."""

    reference: int
    predicted: int
    iou: float


def match(reference: Sequence[Entity], predicted: Sequence[Entity], typed: bool) -> list[Pair]:
    """Match entities of one recording one to one: of all pairs that overlap, the one with the highest IoU comes first.

    An entity that is matched is out of the game. Of pairs with equal IoU, the one comes first whose reference entity
    sorts first, then the one whose predicted entity does, so the order in which entities are given does not count.
    Entities that only touch do not overlap; an entity without length overlaps only one with the same times.

    Args:
        reference: Entities of people.
        predicted: Entities to judge.
        typed: Match entities of the same type only.

    Returns:
        Pairs by falling IoU, so that those above a threshold are the matches at that threshold.
    """
    ious = iou([entity[:2] for entity in reference], [entity[:2] for entity in predicted])
    if typed:
        ious *= np.array([[one.type == other.type for other in predicted] for one in reference]).reshape(ious.shape)
    rows, columns = (places.tolist() for places in np.nonzero(ious))
    order = sorted(
        zip(rows, columns, strict=True), key=lambda pair: (-ious[pair], reference[pair[0]], predicted[pair[1]], pair)
    )
    pairs: dict[int, Pair] = {}
    taken: set[int] = set()
    for row, column in order:
        if row not in pairs and column not in taken:
            pairs[row] = Pair(row, column, float(ious[row, column]))
            taken.add(column)
    return list(pairs.values())
