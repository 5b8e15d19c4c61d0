"""Scores of predicted entities: their texts, types and times.

Only recordings of the reference are scored. Each measure counts, for each recording and type, the entities (or time
slots) of the reference, the predicted ones, and the right ones:

* ``strict``: same type and text, without spaces at the edges. Entities are compared as multisets: an entity that the
  reference has twice must be predicted twice.
* ``strict_norm``: the same on texts normalised by :func:`pipeline.scoring.normalise.normalise_entity`.
* ``overlap``: same type and overlapping times, matched one to one (:func:`pipeline.scoring.matching.match`).
* ``iou50``: matches of ``overlap`` with an intersection of at least half of their union.
* ``overlap_untyped``, ``iou50_untyped``: the same, as if all entities had the same type. Micro and macro are equal.
* ``duration``: slots of 10 ms, from round(100 · start) up to round(100 · end), that the entities of a type cover in the
  reference and in the prediction. A slot that several entities of a type cover counts once.

Precision is right / predicted, recall is right / reference, and F1 and F2 are their weighted harmonic means, where F2
weighs recall four times as much as precision. If a denominator is 0, the score is 1 if both reference and prediction
are empty, else 0. *Micro* scores are computed from the counts of all types together. *Macro* scores are means over the
types in the reference, or the micro scores if it has none.

``leak_recall`` is the share of the reference entities' time that predicted entities of any type cover. Time in several
entities counts once. The score is 1 if the reference has no such time.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import submission
from pipeline.ids import id_order
from pipeline.intervals import covered, shared
from pipeline.scoring import bootstrap
from pipeline.scoring.matching import TimedEntity, match, match_typed_first
from pipeline.scoring.normalise import normalise_entity

MEASURES = ("strict", "strict_norm", "iou50", "overlap", "iou50_untyped", "overlap_untyped", "duration")
TYPED = ("strict", "strict_norm", "iou50", "overlap", "duration")
MISSED, SPURIOUS = "missed", "spurious"

_SCORES = ("precision", "recall", "f1", "f2")
_RIGHT, _PREDICTED, _REFERENCE = range(3)
_STRICT, _STRICT_NORM, _IOU50, _OVERLAP, _IOU50_UNTYPED, _OVERLAP_UNTYPED, _DURATION = range(len(MEASURES))
_ANY = 0  # index of the untyped counts among those of the types


@dataclass(frozen=True)
class Counts:
    """Counts for each recording from which the scores are computed.

    Attributes:
        ids: Sorted ids of the recordings of the reference.
        languages: ``en`` or ``zh`` of each recording, shape (recordings,).
        types: Sorted types in the reference or the prediction.
        entities: Right, predicted and reference counts, shape (recordings, measures, types, 3). Untyped measures have
            all their counts at the first type.
        leaks: Milliseconds of the reference entities that predicted ones cover, and their total, for all entities and
            for each type, shape (recordings, 1 + types, 2).
        confusion: Number of matches by reference type and predicted type, see ``match_typed_first``. Entities without
            a match are in the column ``missed`` or the row ``spurious``.
        extra_recordings: Number of recordings with entities that only the submission has.
        extra_entities: Number of their entities, which are not scored.
    """

    ids: list[str]
    languages: np.ndarray
    types: list[str]
    entities: np.ndarray
    leaks: np.ndarray
    confusion: Counter[tuple[str, str]]
    extra_recordings: int
    extra_entities: int


def count(languages: Mapping[str, str], reference: pa.Table, predicted: pa.Table) -> Counts:
    """Compare the entities of all recordings of the reference. Only entities that are part of task 2 count.

    Args:
        languages: ``en`` or ``zh`` of each recording of the reference, by id.
        reference: Table of the reference entities.
        predicted: Table of the predicted entities.
    """
    ids = sorted(languages, key=id_order)
    wanted, found = timed(reference), timed(predicted)
    extra = [entities for recording_id, entities in found.items() if recording_id not in languages]
    pairs = [(wanted.get(i, []), found.get(i, [])) for i in ids]
    types = sorted({entity.type for pair in pairs for entities in pair for entity in entities})
    confusion: Counter[tuple[str, str]] = Counter()
    counts = np.zeros((len(ids), len(MEASURES), max(1, len(types)), 3), dtype=np.int64)
    leaks = np.zeros((len(ids), 1 + len(types), 2), dtype=np.int64)
    for row, pair in enumerate(pairs):
        if any(pair):
            _count_entities(*pair, types, counts[row], confusion)
            _count_leaks(*pair, types, leaks[row])
    of_ids = np.array([languages[i] for i in ids], dtype="U2")
    return Counts(ids, of_ids, types, counts, leaks, confusion, len(extra), sum(map(len, extra)))


def scores(counts: Counts) -> dict[str, Any]:
    """Compute all scores, with 95 % bootstrap intervals over recordings.

    Returns:
        The measures, each with ``precision``, ``recall`` and ``f1`` as ``micro`` and ``macro``; ``leak_recall``; ``f2``
        by measure, micro and macro; the same ``by_language``; the typed measures and ``leak_recall`` ``by_type``;
        ``confusion``, the predicted types of each reference type; ``intervals``, lower and upper end of each score; the
        numbers of ``recordings``, of ``reference`` and ``predicted`` entities; and ``not_scored``, those of recordings
        that the reference lacks.
    """
    found = _numbers(counts.entities) | _summary(counts.entities, counts.leaks)
    found["not_scored"] = {"recordings": counts.extra_recordings, "entities": counts.extra_entities}
    found["by_type"] = {kind: _of_type(counts, place) for place, kind in enumerate(counts.types)}
    by_language = {}
    for language in sorted(set(counts.languages.tolist())):
        chosen = counts.languages == language
        some = counts.entities[chosen]
        by_language[language] = _numbers(some) | _summary(some, counts.leaks[chosen])
    found["by_language"] = by_language
    found["confusion"] = _nested(counts.confusion)
    found["intervals"] = _intervals(counts)
    return found


def by_recording(counts: Counts) -> list[dict[str, Any]]:
    """Count the errors of each recording.

    Returns:
        For each: ``recording_id``, ``leaked_s`` (seconds of the reference entities that no predicted one covers), and
        the numbers of ``missed`` and ``spurious`` entities by ``strict``.
    """
    leaked = counts.leaks[:, 0, 1] - counts.leaks[:, 0, 0]
    right, predicted, reference = counts.entities[:, _STRICT].sum(axis=1).T
    numbers = zip(counts.ids, leaked.tolist(), (reference - right).tolist(), (predicted - right).tolist(), strict=True)
    return [
        {"recording_id": recording_id, "leaked_s": leaked_ms / 1000, "missed": missed, "spurious": spurious}
        for recording_id, leaked_ms, missed, spurious in numbers
    ]


def worst(counts: Counts, most: int = 10) -> list[dict[str, Any]]:
    """Return the recordings with errors that leak the longest or, if equal, have the most wrong entities."""
    wrong = [row for row in by_recording(counts) if row["leaked_s"] or row["missed"] or row["spurious"]]
    return sorted(wrong, key=lambda row: (-row["leaked_s"], -row["missed"] - row["spurious"]))[:most]


def timed(entities: pa.Table) -> dict[str, list[TimedEntity]]:
    """Return the entities of a table that are part of task 2, by recording id.

    Where none has a time, as transcripts were tagged without their sound, all are taken, each at 0 s: then measures of
    texts alone say something.
    """
    found: dict[str, list[TimedEntity]] = defaultdict(list)
    rows = entities.select(["recording_id", "type", "text", "start_s", "end_s", "kept"]).to_pylist()
    without_times = all(row["start_s"] is None for row in rows)
    for row in rows:
        if without_times and row["kept"]:
            row |= {"start_s": 0.0, "end_s": 0.0}
        if submission.in_task2(row):
            found[row["recording_id"]].append(TimedEntity.from_row(row))
    return found


def _count_entities(
    reference: Sequence[TimedEntity],
    predicted: Sequence[TimedEntity],
    types: Sequence[str],
    counts: np.ndarray,
    confusion: Counter[tuple[str, str]],
) -> None:
    """Add the entities of one recording to ``counts``, shape (measures, types, 3), and to ``confusion``."""
    place = {kind: index for index, kind in enumerate(types)}
    for column, entities in ((_REFERENCE, reference), (_PREDICTED, predicted)):
        for entity in entities:
            counts[: _OVERLAP + 1, place[entity.type], column] += 1
        counts[[_IOU50_UNTYPED, _OVERLAP_UNTYPED], _ANY, column] = len(entities)

    forms: tuple[tuple[int, Callable[[str], str]], ...] = ((_STRICT, str.strip), (_STRICT_NORM, normalise_entity))
    for measure, form in forms:
        wanted = Counter((entity.type, form(entity.text)) for entity in reference)
        found = Counter((entity.type, form(entity.text)) for entity in predicted)
        for (kind, _), number in (wanted & found).items():
            counts[measure, place[kind], _RIGHT] += number

    pairs = match_typed_first(reference, predicted)
    for pair in pairs:
        kind = reference[pair.reference].type
        confusion[kind, predicted[pair.predicted].type] += 1
        if kind == predicted[pair.predicted].type:
            counts[_OVERLAP, place[kind], _RIGHT] += 1
            counts[_IOU50, place[kind], _RIGHT] += pair.iou >= 0.5
    rows, columns = {pair.reference for pair in pairs}, {pair.predicted for pair in pairs}
    confusion.update((entity.type, MISSED) for row, entity in enumerate(reference) if row not in rows)
    confusion.update((SPURIOUS, entity.type) for column, entity in enumerate(predicted) if column not in columns)
    untyped = match(reference, predicted, typed=False)
    counts[_OVERLAP_UNTYPED, _ANY, _RIGHT] = len(untyped)
    counts[_IOU50_UNTYPED, _ANY, _RIGHT] = sum(pair.iou >= 0.5 for pair in untyped)

    for kind in {entity.type for entity in (*reference, *predicted)}:
        slots = [[entity.slots for entity in some if entity.type == kind] for some in (reference, predicted)]
        counts[_DURATION, place[kind]] = shared(*slots), covered(slots[1]), covered(slots[0])


def _count_leaks(
    reference: Sequence[TimedEntity], predicted: Sequence[TimedEntity], types: Sequence[str], leaks: np.ndarray
) -> None:
    """Set the milliseconds of one recording in ``leaks``, shape (1 + types, 2)."""
    cover = [entity[:2] for entity in predicted]
    for row, kind in enumerate((None, *types)):
        times = [entity[:2] for entity in reference if kind in (None, entity.type)]
        if times:
            leaks[row] = shared(times, cover), covered(times)


def _score(counts: np.ndarray) -> np.ndarray:
    """Compute precision, recall, F1 and F2, shape (..., 4), from counts of shape (..., 3)."""
    right, predicted, reference = np.moveaxis(counts.astype(np.float64), -1, 0)
    empty = ((predicted == 0) & (reference == 0)).astype(np.float64)
    wholes = (predicted, reference, (reference + predicted) / 2, (4 * reference + predicted) / 5)
    return np.stack([np.divide(right, whole, out=empty.copy(), where=whole > 0) for whole in wholes], axis=-1)


def _micro_macro(counts: np.ndarray) -> np.ndarray:
    """Compute micro and macro scores, shape (..., measures, 2, 4), from counts of shape (..., measures, types, 3)."""
    micro = _score(counts.sum(axis=-2))
    in_reference = counts[..., _REFERENCE, None] > 0
    in_reference[..., _DURATION, :, :] = in_reference[..., _STRICT, :, :]  # an entity may be too short for a slot
    number = in_reference.sum(axis=-2)
    total = (_score(counts) * in_reference).sum(axis=-2)
    macro = np.divide(total, number, out=micro.copy(), where=number > 0)
    return np.stack([micro, macro], axis=-2)


def _leak_recall(leaks: np.ndarray) -> np.ndarray:
    return np.divide(leaks[..., 0], leaks[..., 1], out=np.ones(leaks.shape[:-1]), where=leaks[..., 1] > 0)


def _numbers(entities: np.ndarray) -> dict[str, int]:
    total = entities[:, _STRICT].sum(axis=(0, 1))
    return {"recordings": len(entities), "reference": int(total[_REFERENCE]), "predicted": int(total[_PREDICTED])}


def _summary(entities: np.ndarray, leaks: np.ndarray) -> dict[str, Any]:
    values = _micro_macro(entities.sum(axis=0))
    return _named(values, float) | {"leak_recall": float(_leak_recall(leaks.sum(axis=0)[0]))}


def _of_type(counts: Counts, place: int) -> dict[str, Any]:
    of_type = counts.entities[:, :, place].sum(axis=0)
    found: dict[str, Any] = {
        "reference": int(of_type[_STRICT, _REFERENCE]),
        "predicted": int(of_type[_STRICT, _PREDICTED]),
    }
    values = _score(of_type)
    for measure in TYPED:
        found[measure] = dict(zip(_SCORES, map(float, values[MEASURES.index(measure)]), strict=True))
    return found | {"leak_recall": float(_leak_recall(counts.leaks.sum(axis=0)[1 + place]))}


def _intervals(counts: Counts) -> dict[str, Any]:
    if not counts.ids:
        return {}
    values = _micro_macro(bootstrap.resample(counts.entities))
    leaks = _leak_recall(bootstrap.resample(counts.leaks[:, 0]))
    named = _named(np.moveaxis(values, 0, -1), bootstrap.interval)
    return named | {"leak_recall": bootstrap.interval(leaks), "samples": bootstrap.SAMPLES, "seed": bootstrap.SEED}


def _named(values: np.ndarray, form: Callable[[Any], Any]) -> dict[str, Any]:
    """Return scores of shape (measures, 2, 4, ...) by name, each converted by ``form``."""
    named: dict[str, Any] = {}
    f2: dict[str, Any] = {}
    for measure, of_measure in zip(MEASURES, values, strict=True):
        micro, macro = ({name: form(value) for name, value in zip(_SCORES, row, strict=True)} for row in of_measure)
        f2[measure] = {"micro": micro.pop("f2"), "macro": macro.pop("f2")}
        named[measure] = {"micro": micro, "macro": macro}
    return named | {"f2": f2}


def _nested(confusion: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    rows: Iterable[str] = sorted({row for row, _ in +confusion}, key=lambda row: (row == SPURIOUS, row))
    order = sorted(+confusion, key=lambda cell: (cell[1] == MISSED, cell[1]))
    return {row: {column: confusion[row, column] for of, column in order if of == row} for row in rows}
