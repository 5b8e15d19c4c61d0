"""Entities of several runs or submissions merged: types taken from another one, or what most of them agree on.

The rows of a result are sorted by recording, start, end, type and text, and no two kept ones have the same line in
task 2.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import submission, tables
from pipeline.files import absolute, filesystem
from pipeline.ids import id_order
from pipeline.intervals import iou, milliseconds
from pipeline.submission import Submission

Row = dict[str, Any]


def replace_types(base: pa.Table, source: pa.Table, types: Collection[str]) -> pa.Table:
    """Take all entities of some types from the source, and all others from the base.

    This is the reference method's rule. It considers types alone: entities of recordings that only one table has are
    included, and entities of different types may overlap.

    Args:
        base: Entities of one run.
        source: Entities of another.
        types: Types to take from the source. Those of the base are removed, even if the source has none.
    """
    rows = [row for row in base.to_pylist() if row["type"] not in types]
    rows += [row for row in source.to_pylist() if row["type"] in types]
    return _table(rows)


def vote(
    runs: Sequence[pa.Table], votes: float = 2.0, least_iou: float = 0.5, weights: Sequence[float] | None = None
) -> pa.Table:
    """Keep the entities that runs agree on.

    Two entities of a recording agree if they have the same type and the IoU of their times is at least ``least_iou``.
    An entity has the votes of its own run and of each other run with an entity that agrees with it. For each recording
    and type, the winner is kept with its times and text, and the entities that agree with it are removed. This repeats
    until no remaining entity has enough votes. The winner is the entity with

    1. the most votes;
    2. of these, the highest weight of its run × confidence (1 if it has none);
    3. of these, the highest sum of IoU × weight over the entities that agree with it;
    4. of these, the run that was given first, then the earliest start, the earliest end and the first text in order.

    Entities that are not kept are ignored. Kept entities without times cannot agree with others; they stay in the
    result, each text once. The confidence of a winner becomes the sum of weight × confidence over the runs that voted
    for it, using the closest entity of each, divided by the weights of all runs: a run without it counts as 0. It is
    null if none of these entities has a confidence.

    Args:
        runs: Entities of each run.
        votes: Sum of weights that an entity needs.
        least_iou: Least IoU of the times of agreeing entities, above 0 and at most 1.
        weights: Votes of each run; None gives each one vote.
    """
    weights = weights or [1.0] * len(runs)
    ballots: dict[tuple[str, str], list[tuple[int, Row]]] = defaultdict(list)
    untimed: dict[tuple[Any, ...], Row] = {}
    for run, table in enumerate(runs):
        for row in table.to_pylist():
            if submission.in_task2(row):
                ballots[row["recording_id"], row["type"]].append((run, row))
            elif row["kept"]:
                untimed.setdefault(tuple(row[name] for name in ("recording_id", "type", "text", "char_start")), row)
    winners = [row for ballot in ballots.values() for row in _winners(ballot, weights, votes, least_iou)]
    return _table([*winners, *untimed.values()])


def comparable_entities(folders: Sequence[Submission]) -> list[pa.Table]:
    """Return the entities of each folder; spans are null where its transcript is not that of the first folder."""
    transcripts = folders[0].transcripts
    return [without_foreign_spans(each.entities, each.transcripts, transcripts) for each in folders]


def without_foreign_spans(
    entities: pa.Table, own: Mapping[str, str] | None, others: Mapping[str, str] | None
) -> pa.Table:
    """Set the spans of entities to null where the result has another transcript, or none, of their recording.

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


def count(entities: pa.Table) -> int:
    """Count the kept entities with times, which task 2 holds."""
    return count_by_type(entities).total()


def count_by_type(entities: pa.Table) -> Counter[str]:
    """Count the kept entities with times by type."""
    rows = entities.select(["type", "kept", "start_s"]).to_pylist()
    return Counter(row["type"] for row in rows if submission.in_task2(row))


def overlapping(entities: pa.Table) -> int:
    """Count the kept entities that overlap one of another type in time."""
    by_recording: dict[str, list[Row]] = defaultdict(list)
    for row in entities.to_pylist():
        if submission.in_task2(row):
            by_recording[row["recording_id"]].append(row)
    return sum(
        any(
            row["type"] != other["type"] and row["start_s"] < other["end_s"] and other["start_s"] < row["end_s"]
            for other in rows
        )
        for rows in by_recording.values()
        for row in rows
    )


def write(merged: pa.Table, folders: Sequence[Submission], out: str) -> None:
    """Write merged entities, and copy what the first folder holds of the recordings.

    Args:
        merged: The merged entities.
        folders: The folders that were merged. Only if all of them hold tables, the table entities is written.
        out: A folder that exists.
    """
    source, out = absolute(folders[0].path), absolute(out)
    fs, root = filesystem(source)
    copied = ["transcripts"]
    if all(folder.has_tables for folder in folders):
        tables.write(merged, f"{out}/entities")
        copied += ["recordings", "failures"]
    for name in copied:
        if tables.is_there(f"{source}/{name}"):
            table = submission.read_table("The first folder", f"{source}/{name}", tables.SCHEMAS[name])
            tables.write(table, f"{out}/{name}")
    if fs.exists(f"{root}/{submission.TASK1}"):
        out_fs, out_root = filesystem(out)
        out_fs.pipe_file(f"{out_root}/{submission.TASK1}", fs.cat_file(f"{root}/{submission.TASK1}"))
    submission.write_task2(merged, f"{out}/{submission.TASK2}")


def _winners(
    ballot: Sequence[tuple[int, Row]], weights: Sequence[float], votes: float, least_iou: float
) -> Iterable[Row]:
    """Yield the winners among the entities of one recording and type, which are given with the index of their run."""
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
    """Return, by run, the closest of the entities that agree with an entity; of its own run, the entity itself."""
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
    """Return the sort key of an entity; the winner has the lowest. Values of which the highest wins are negated."""
    run, row = ballot[entity]
    confidence = 1.0 if row["confidence"] is None else row["confidence"]
    ordered = sorted(closest)
    total = sum(weights[r] for r in ordered)
    closeness = sum(weights[r] * ious[entity, closest[r]] for r in ordered)
    return (-round(total, 9), -weights[run] * confidence, -round(closeness, 9), run, *_order(row))


def _confidence(
    closest: Mapping[int, int], ballot: Sequence[tuple[int, Row]], weights: Sequence[float]
) -> float | None:
    confidences = {run: ballot[entity][1]["confidence"] for run, entity in closest.items()}
    if all(confidence is None for confidence in confidences.values()):
        return None
    weighted = (weights[run] * (1.0 if confidences[run] is None else confidences[run]) for run in sorted(confidences))
    return float(sum(weighted) / sum(weights))


def _order(row: Row) -> tuple[Any, ...]:
    """Sort key of entities of one recording; those without times come last."""
    times = (row["start_s"] is None, row["start_s"] or 0.0, row["end_s"] or 0.0)
    return (*times, row["type"], row["text"], row["char_start"] is None, row["char_start"] or 0, row["source"])


def _table(rows: Iterable[Row]) -> pa.Table:
    """Sort rows; of kept ones with the same line in task 2, keep the one with the highest confidence."""
    found: dict[tuple[Any, ...], Row] = {}
    for number, row in enumerate(rows):
        key: tuple[Any, ...] = (number,)
        if submission.in_task2(row):
            times = (milliseconds(row["start_s"]), milliseconds(row["end_s"]))
            key = (row["recording_id"], row["type"], *times, row["text"])
        best = found.setdefault(key, row)
        if (row["confidence"] or 0.0) > (best["confidence"] or 0.0):
            found[key] = row
    ordered = sorted(found.values(), key=lambda row: (id_order(row["recording_id"]), *_order(row)))
    return tables.from_rows(ordered, tables.ENTITIES)
