"""How much of the reference entities' time is redacted, and how much of what is redacted is theirs.

The times of predicted entities are what is redacted, whatever their types. In each recording they are joined where they
overlap or touch. Times are in whole milliseconds, and an entity without length has nothing to cover and is left out.

``clean_recordings`` is the share of the recordings with an entity in which nothing is left: every reference entity is
covered whole. Covered is what :mod:`pipeline.scoring.entities` means by it in ``leak_recall``, but for a tolerance:
each redacted interval first grows by ``TOLERANCE_MS`` on both sides, as ``jobs.redact`` lets it unless told otherwise.

The curves follow the coverage metric of Cohn et al., "Audio De-identification: A New Entity Recognition Task", NAACL
2019 (industry track). For each threshold ρ of ``SHARES``:

* ``recall``: share of the reference entities of which at least the share ρ of the time is redacted.
* ``precision``: share of the redacted intervals of which at least the share ρ of the time is that of reference entities
  of any type.

Nothing grows there. Both fall with ρ. A share of nothing is undefined (None).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.intervals import Interval, covered, covered_parts, shared, union
from pipeline.scoring import bootstrap
from pipeline.scoring.matching import TimedEntity

TOLERANCE_MS = 100
STEPS = 20
SHARES = [step / STEPS for step in range(1, STEPS + 1)]
"""Thresholds of the curves: 0.05, 0.1, ... 1."""

Entities = Mapping[str, Sequence[TimedEntity]]
"""Entities by recording id."""

_RECALL, _PRECISION = slice(STEPS), slice(STEPS, None)


def clean_recordings(recordings: Sequence[str], reference: Entities, predicted: Entities) -> dict[str, Any]:
    """Count the recordings in which nothing is left.

    Args:
        recordings: Ids of the recordings to score.
        reference: The reference entities.
        predicted: The predicted entities.

    Returns:
        ``count``; ``total``, the recordings with an entity; ``share``; and ``interval``, its 95 % interval.
    """
    counts = np.zeros((len(recordings), 2), dtype=np.int64)
    for row, recording_id in enumerate(recordings):
        if times := _times(reference.get(recording_id, ())):
            redacted = _times(predicted.get(recording_id, ()))
            grown = [(max(0, start - TOLERANCE_MS), end + TOLERANCE_MS) for start, end in redacted]
            counts[row] = shared(times, grown) == covered(times), 1
    return bootstrap.share(counts)


def curves(recordings: Sequence[str], reference: Entities, predicted: Entities) -> dict[str, Any]:
    """Compute recall and precision at each threshold, with 95 % bootstrap intervals over recordings.

    Args:
        recordings: Ids of the recordings to score.
        reference: The reference entities.
        predicted: The predicted entities.

    Returns:
        ``shares``, the thresholds; ``recall`` and ``precision`` at each; ``entities`` and ``redacted``, the numbers of
        reference entities and of redacted intervals; ``by_type``, ``entities`` and ``recall`` of each reference type;
        and ``intervals``, lower and upper end of each ``recall`` and ``precision``.
    """
    counts = np.zeros((len(recordings), 2 * STEPS, 2), dtype=np.int64)
    by_type: dict[str, np.ndarray] = {}
    for row, recording_id in enumerate(recordings):
        wanted = reference.get(recording_id, ())
        redacted = union(_times(predicted.get(recording_id, ())))
        counts[row, _PRECISION] = _reached(redacted, _times(wanted))
        for kind in {entity.type for entity in wanted}:
            of_type = _reached(_times(entity for entity in wanted if entity.type == kind), redacted)
            counts[row, _RECALL] += of_type
            by_type[kind] = by_type.get(kind, 0) + of_type
    values, ends = bootstrap.shares(counts)
    return {
        "shares": SHARES,
        "recall": values[_RECALL],
        "precision": values[_PRECISION],
        "entities": int(counts[:, _RECALL][:, 0, 1].sum()),
        "redacted": int(counts[:, _PRECISION][:, 0, 1].sum()),
        "by_type": {
            kind: {"entities": int(of_type[0, 1]), "recall": bootstrap.numbers(bootstrap.ratio(of_type))}
            for kind, of_type in sorted(by_type.items())
        },
        "intervals": {"recall": ends[_RECALL], "precision": ends[_PRECISION]},
    }


def _times(entities: Iterable[TimedEntity]) -> list[Interval]:
    return [entity[:2] for entity in entities if entity.start_ms < entity.end_ms]


def _reached(intervals: Sequence[Interval], cover: Sequence[Interval]) -> np.ndarray:
    """Count the intervals that are covered up to each threshold, and all of them, shape (STEPS, 2)."""
    lengths = np.array([end - start for start, end in intervals], dtype=np.int64)
    parts = covered_parts(intervals, cover)
    reached = [int((STEPS * parts >= step * lengths).sum()) for step in range(1, STEPS + 1)]
    return np.array([(number, len(intervals)) for number in reached])
