"""Entities of several runs made into one: types taken from another run, or what most runs agree on.

Tables go in and come out. In the result rows are sorted by recording, start, end, type and text, and no two of the kept
ones have the same line in task 2.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import answers, tables
from pipeline.intervals import iou, milliseconds

Row = dict[str, Any]


def replace_types(base: pa.Table, source: pa.Table, types: Collection[str]) -> pa.Table:
    """Take all entities of some types from the source, and all others from the base.

    That is the reference method's rule: it looks at types alone, so recordings that only one of them has take part too,
    and entities that overlap across types stay side by side.

    Args:
        base: Entities of one run.
        source: Entities of another.
        types: Types to take from the source; the base loses those it has, even where the source has none.
    """
    rows = [row for row in base.to_pylist() if row["type"] not in types]
    rows += [row for row in source.to_pylist() if row["type"] in types]
    return _table(rows)


def vote(
    runs: Sequence[pa.Table], votes: float = 2.0, least_iou: float = 0.5, weights: Sequence[float] | None = None
) -> pa.Table:
    """Keep the entities that runs agree on.

    Two entities of one recording agree if their type is the same and the IoU of their times is at least
    ``least_iou``. An entity has the votes of its own run and of every other that has an entity agreeing with it, once
    for each run. Again and again the winner among what is left of a recording and type is kept as it is, with its
    times and its text, and everything that agrees with it goes, until nothing left has enough votes. The winner has

    1. the most votes;
    2. of these, the highest weight of its run × confidence (where there is no confidence, 1);
    3. of these, the highest sum of IoU × weight with the entities that agree with it: it lies amid the others;
    4. of these, the run that was given first, then the earliest start, end, and the first text in the alphabet.

    Entities that are not kept have no part in this; those that are but have no times cannot agree with any, and stay
    as they are, each text once. A kept entity's confidence becomes the sum of
    weight × confidence over the runs that voted for it, of each its closest entity, divided by the sum of all runs'
    weights: a run that does not have it says 0. It stays empty where none of these entities has a confidence.

    Args:
        runs: Entities of each run.
        votes: Sum of weights that an entity needs.
        least_iou: Intersection over union of two times, above 0 to 1.
        weights: Votes of each run; without them, each has one.
    """
    weights = weights or [1.0] * len(runs)
    ballots: dict[tuple[str, str], list[tuple[int, Row]]] = defaultdict(list)
    untimed: dict[tuple[Any, ...], Row] = {}
    for run, table in enumerate(runs):
        for row in table.to_pylist():
            if row["kept"] and row["start_s"] is not None:
                ballots[row["recording_id"], row["type"]].append((run, row))
            elif row["kept"]:
                untimed.setdefault(tuple(row[name] for name in ("recording_id", "type", "text", "char_start")), row)
    winners = [row for ballot in ballots.values() for row in _winners(ballot, weights, votes, least_iou)]
    return _table([*winners, *untimed.values()])


def without_foreign_spans(
    entities: pa.Table, own: Mapping[str, str] | None, others: Mapping[str, str] | None
) -> pa.Table:
    """Empty the character spans of entities whose recording has another transcript, or none, in the result.

    Args:
        entities: Entities of one run.
        own: That run's transcripts by recording id.
        others: The transcripts that the result will have.
    """
    if own is None or others is None:
        own, others = {}, {}
    same = {recording_id for recording_id in own if own[recording_id] == others.get(recording_id)}
    rows = entities.to_pylist()
    for row in rows:
        if row["recording_id"] not in same:
            row |= {"char_start": None, "char_end": None}
    return tables.from_rows(rows, tables.ENTITIES)


def _winners(
    ballot: Sequence[tuple[int, Row]], weights: Sequence[float], votes: float, least_iou: float
) -> Iterable[Row]:
    """Yield the winners among the entities of one recording and type, each given with the place of its run."""
    times = [(milliseconds(row["start_s"]), milliseconds(row["end_s"])) for _, row in ballot]
    ious = iou(times, times)
    agreeing = [set(np.flatnonzero(row >= least_iou).tolist()) for row in ious]
    left = set(range(len(ballot)))
    changed = left
    supporters: dict[int, dict[int, int]] = {}
    ranks: dict[int, tuple[Any, ...]] = {}
    while left:
        for i in changed:
            supporters[i] = _closest_by_run(i, agreeing[i] & left, ballot, ious)
            ranks[i] = _rank(i, supporters[i], ballot, weights, ious)
        winner = min(left, key=lambda i: ranks[i])
        if -ranks[winner][0] < votes:
            return
        yield ballot[winner][1] | {"confidence": _confidence(supporters[winner], ballot, weights)}
        left -= agreeing[winner]
        changed = {i for i in left if agreeing[i] & agreeing[winner]}


def _closest_by_run(
    entity: int, agreeing: Collection[int], ballot: Sequence[tuple[int, Row]], ious: np.ndarray
) -> dict[int, int]:
    """Choose, of the entities that agree with one, each run's closest; of its own run, the entity itself."""
    closest: dict[int, int] = {}
    for other in sorted(agreeing, key=lambda j: (j != entity, -ious[entity, j], _order(ballot[j][1]))):
        closest.setdefault(ballot[other][0], other)
    return closest


def _rank(
    entity: int,
    closest: Mapping[int, int],
    ballot: Sequence[tuple[int, Row]],
    weights: Sequence[float],
    ious: np.ndarray,
) -> tuple[Any, ...]:
    """Return what the winner has the least of, the votes first, all of them negative where more is better."""
    run, row = ballot[entity]
    sureness = 1.0 if row["confidence"] is None else row["confidence"]
    ordered = sorted(closest)
    total = sum(weights[r] for r in ordered)
    closeness = sum(weights[r] * ious[entity, closest[r]] for r in ordered)
    return (-round(total, 9), -weights[run] * sureness, -round(closeness, 9), run, *_order(row))


def _confidence(
    closest: Mapping[int, int], ballot: Sequence[tuple[int, Row]], weights: Sequence[float]
) -> float | None:
    confidences = {run: ballot[entity][1]["confidence"] for run, entity in closest.items()}
    if all(confidence is None for confidence in confidences.values()):
        return None
    said = (weights[run] * (1.0 if confidences[run] is None else confidences[run]) for run in sorted(confidences))
    return float(sum(said) / sum(weights))


def _order(row: Row) -> tuple[Any, ...]:
    """Sort key of entities of one recording; those without times come last."""
    times = (row["start_s"] is None, row["start_s"] or 0.0, row["end_s"] or 0.0)
    return (*times, row["type"], row["text"], row["char_start"] is None, row["char_start"] or 0, row["source"])


def _table(rows: Iterable[Row]) -> pa.Table:
    """Sort, and keep one of the rows that would be the same line of task 2: the surest, dropped rows all."""
    found: dict[tuple[Any, ...], Row] = {}
    for number, row in enumerate(rows):
        key: tuple[Any, ...] = (number,)
        if row["kept"] and row["start_s"] is not None:
            times = (milliseconds(row["start_s"]), milliseconds(row["end_s"]))
            key = (row["recording_id"], row["type"], *times, row["text"])
        best = found.setdefault(key, row)
        if (row["confidence"] or 0.0) > (best["confidence"] or 0.0):
            found[key] = row
    ordered = sorted(found.values(), key=lambda row: (answers.id_order(row["recording_id"]), *_order(row)))
    return tables.from_rows(ordered, tables.ENTITIES)
