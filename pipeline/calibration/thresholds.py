"""The highest thresholds at which a share of the reference entities' time is still covered.

Time is covered as ``leak_recall`` has it (:mod:`pipeline.scoring.entities`): by kept entities of any type. A type with
so many reference entities that one may be lost has a threshold of its own; all others share one, which calibrated
confidences allow. A type that the reference lacks has none: all of it is kept.

Candidates are dropped in order of their calibrated confidence, the least likely first, as long as what the reference
has of each type with its own threshold, of all other types together, and of all types, stays covered up to the aim. The
first candidate that has to stay sets its type's threshold.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.calibration.candidates import Recording
from pipeline.intervals import covered, shared

ALL, SHARED = "all", "other types"
"""Names, beside those of types, of all types and of those that share a threshold."""

_DECIMALS = 4

Times = dict[str, tuple[int, int]]
"""Part and whole in milliseconds, by name."""


@dataclass(frozen=True)
class Dials:
    """Which types have a threshold of their own.

    Attributes:
        own: These, sorted.
        sharing: Those that share one, sorted.
    """

    own: Sequence[str]
    sharing: Sequence[str]

    def of(self, type_: str) -> str | None:
        """Return the name of a type's dial, or None if it has none."""
        return type_ if type_ in self.own else SHARED if type_ in self.sharing else None

    def by_type(self, thresholds: Mapping[str, float]) -> dict[str, float]:
        """Return thresholds by type from those by dial."""
        return {type_: thresholds[self.of(type_) or ""] for type_ in sorted([*self.own, *self.sharing])}


def dials(recordings: Iterable[Recording], recall: float) -> Dials:
    """Count the reference entities, and give each type with at least 1 / (1 - recall) a threshold of its own."""
    numbers = Counter(entity.type for recording in recordings for entity in recording.reference)
    own = sorted(type_ for type_, number in numbers.items() if number * (1 - recall) >= 1 - 1e-9)
    return Dials(own, sorted(numbers.keys() - set(own)))


def recalls(recording: Recording, thresholds: Mapping[str, float], dials: Dials) -> Times:
    """Return the reference entities' time that is covered, and all of it: by type, by dial and of all types."""
    cover = [candidate.cover for candidate in recording.kept(thresholds)]
    times = defaultdict(list)
    for entity in recording.reference:
        for name in {entity.type, dials.of(entity.type) or ALL, ALL}:
            times[name].append(entity[:2])
    return {name: (shared(some, cover), covered(some)) for name, some in times.items()}


def precisions(recording: Recording, thresholds: Mapping[str, float], dials: Dials) -> Times:
    """Return the time of kept entities that is reference entities', of any type, and all of it, named as in recalls."""
    wanted = [entity[:2] for entity in recording.reference]
    times = defaultdict(list)
    for candidate in recording.kept(thresholds):
        for name in {candidate.entity.type, dials.of(candidate.entity.type) or ALL, ALL}:
            times[name].append(candidate.time)
    return {name: (shared(some, wanted), covered(some)) for name, some in times.items()}


def total(parts: Iterable[Times]) -> Times:
    """Add the times of recordings."""
    sums: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for times in parts:
        for name, (part, whole) in times.items():
            sums[name] = (sums[name][0] + part, sums[name][1] + whole)
    return dict(sums)


def share(times: Mapping[str, tuple[int, int]], name: str) -> float | None:
    """Return a share, or None where there is no time."""
    part, whole = times.get(name, (0, 0))
    return part / whole if whole else None


def fit(recordings: Sequence[Recording], dials: Dials, aim: float) -> dict[str, float]:
    """Find the thresholds by dial.

    A dial that cannot reach the aim keeps all that was found. Where all types together cannot, nothing that covers
    reference time is dropped; where the reference has nothing, all is kept.

    Args:
        recordings: With calibrated confidences.
        dials: Which types have a threshold of their own.
        aim: Share of the time that has to stay covered, 0 to 1.
    """
    thresholds = dict.fromkeys([*dials.own, SHARED], 0.0)
    by_type = dials.by_type(thresholds)
    parts = [recalls(recording, by_type, dials) for recording in recordings]
    sums = total(parts)
    if ALL not in sums:
        return thresholds
    least = {name: aim * sums[name][1] for name in thresholds if name in sums}
    turning = {name for name in least if sums[name][0] >= least[name]}
    least = {name: least[name] for name in turning} | {ALL: min(aim * sums[ALL][1], sums[ALL][0])}
    last = dict(thresholds)
    for confidence, name, rows in _in_order(recordings, dials):
        if name not in turning:
            continue
        last[name], before = math.nextafter(confidence, math.inf), last[name]
        by_type = dials.by_type(last)
        new = {row: recalls(recordings[row], by_type, dials) for row in rows}
        after = {
            key: sums[key][0] + sum(new[row].get(key, (0, 0))[0] - parts[row].get(key, (0, 0))[0] for row in rows)
            for key in sums
        }
        if any(after[key] < part for key, part in least.items()):
            last[name] = before
            turning.remove(name)
            thresholds[name] = max(math.floor(confidence * 10**_DECIMALS) / 10**_DECIMALS, 0.0)
            continue
        sums = {key: (after[key], whole) for key, (_, whole) in sums.items()}
        for row, times in new.items():
            parts[row] = times
    return thresholds | {name: min(last[name], 1.0) for name in turning}


def _in_order(recordings: Sequence[Recording], dials: Dials) -> Iterator[tuple[float, str, list[int]]]:
    """Yield confidences in ascending order, each with its dial and the recordings that have it."""
    rows: defaultdict[tuple[float, str], set[int]] = defaultdict(set)
    for row, recording in enumerate(recordings):
        for candidate in recording.candidates:
            name = dials.of(candidate.found_as)
            if name is not None and candidate.entity.confidence is not None:
                rows[candidate.entity.confidence, name].add(row)
    for (confidence, name), some in sorted(rows.items()):
        yield confidence, name, sorted(some)
