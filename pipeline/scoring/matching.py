"""Which predicted entity stands for which of the reference, by time."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.intervals import Interval, iou, milliseconds


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

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Entity":
        """Make one of a row of the table that has times."""
        start, end = round(row["start_s"], 3), round(row["end_s"], 3)
        slots = (round(100 * start), round(100 * end))
        return cls(milliseconds(start), milliseconds(end), row["type"], row["text"], slots)


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


def match_typed_first(reference: Sequence[Entity], predicted: Sequence[Entity]) -> list[Pair]:
    """Match entities of the same type, and then of what is left any two; see ``match``.

    Pairs of the same type are those that ``match`` finds with ``typed``; the others have found a wrong type.
    """
    pairs = match(reference, predicted, typed=True)
    rows = sorted(set(range(len(reference))) - {pair.reference for pair in pairs})
    columns = sorted(set(range(len(predicted))) - {pair.predicted for pair in pairs})
    others = match([reference[row] for row in rows], [predicted[column] for column in columns], typed=False)
    return pairs + [Pair(rows[other.reference], columns[other.predicted], other.iou) for other in others]
