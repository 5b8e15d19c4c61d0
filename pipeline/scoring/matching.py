"""Match predicted entities with those of the reference by time."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.intervals import Interval, iou, milliseconds


class TimedEntity(NamedTuple):
    """A timed entity of one recording. Entities sort by time, then type, then text.

    Attributes:
        start_ms: Start in milliseconds.
        end_ms: End in milliseconds.
        type: The type, such as DATE.
        text: The text as written.
        slots: Index of the first 10 ms slot and index after the last.
    """

    start_ms: int
    end_ms: int
    type: str
    text: str
    slots: Interval

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "TimedEntity":
        """Create an entity from a table row with times."""
        start, end = round(row["start_s"], 3), round(row["end_s"], 3)
        slots = (round(100 * start), round(100 * end))
        return cls(milliseconds(start), milliseconds(end), row["type"], row["text"], slots)


class Pair(NamedTuple):
    """Indices of a matched reference entity and predicted entity, and their IoU."""

    reference: int
    predicted: int
    iou: float


def match(reference: Sequence[TimedEntity], predicted: Sequence[TimedEntity], typed: bool) -> list[Pair]:
    """Match overlapping entities of one recording one to one, greedily by descending IoU.

    Pairs with equal IoU are ordered by reference entity, then by predicted entity, so the result does not depend on the
    order of the entities. Entities that only touch do not overlap. An entity without length overlaps only entities with
    the same times.

    Args:
        reference: The reference entities.
        predicted: The predicted entities.
        typed: Only match entities of the same type.

    Returns:
        Pairs by descending IoU. Those above a threshold are the matches at that threshold.
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


def match_typed_first(reference: Sequence[TimedEntity], predicted: Sequence[TimedEntity]) -> list[Pair]:
    """Match entities of the same type first, then the remaining ones of any type; see ``match``.

    Pairs of the same type are equal to those of ``match`` with ``typed``. The other pairs have different types.
    """
    pairs = match(reference, predicted, typed=True)
    rows = sorted(set(range(len(reference))) - {pair.reference for pair in pairs})
    columns = sorted(set(range(len(predicted))) - {pair.predicted for pair in pairs})
    others = match([reference[row] for row in rows], [predicted[column] for column in columns], typed=False)
    return pairs + [Pair(rows[other.reference], columns[other.predicted], other.iou) for other in others]
