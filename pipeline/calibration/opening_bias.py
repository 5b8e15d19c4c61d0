"""The choice of an opening bias for each entity group, among those of runs.

The least bias is chosen at which the wanted share of the time of the group's reference entities can be held with the
highest precision, as cross-validation says; where none can hold it, the least that covers nearly as much as any. An
entity group is judged by what was found of its own types alone, so its choice does not depend on that of the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.calibration import confidences, thresholds
from pipeline.calibration.candidates import Recording, first_found
from pipeline.calibration.held_out import Operation, held_out, operation, parts
from pipeline.calibration.runs import Runs
from pipeline.calibration.thresholds import ALL, Times

_PRECISION, _RECALL = 0.001, 0.01
"""Gains that are worth a higher bias. One of recall costs precision, and a smaller one may be of one entity alone."""


@dataclass(frozen=True)
class Judged:
    """What an entity group's types cover with an opening bias.

    Attributes:
        everything: With everything kept.
        held_out: Each fold with thresholds from the others; with everything kept if even that covers too little.
    """

    everything: Operation
    held_out: Operation


Judgement = Mapping[str, Mapping[float, Judged]]
"""By entity group and opening bias, ascending; of groups whose bias differs between the runs."""


def judge(runs: Runs, recall: float, folds: int, seed: int) -> Judgement:
    """Judge each bias of each entity group whose bias differs between the runs.

    Args:
        runs: The runs.
        recall: Share of the reference entities' time to cover, 0 to 1.
        folds: Number of parts of the recordings.
        seed: Random seed of the parts.
    """
    options = {group: runs.options(group) for group in runs.biased if len(runs.options(group)) > 1}
    if not options:
        return {}
    likely = Runs([_as_probabilities(run) for run in runs.recordings], runs.biases, runs.groups)
    return {
        group: {bias: _judged(likely.of_group(group, bias), recall, folds, seed) for bias in biases}
        for group, biases in options.items()
    }


def choose(runs: Runs, judgement: Judgement, recall: float) -> dict[str, float]:
    """Return the chosen bias of each entity group of which a run says one."""
    return {
        group: _best(judgement[group], recall) if group in judgement else next(iter(runs.options(group)))
        for group in runs.biased
    }


def _as_probabilities(recordings: Sequence[Recording]) -> list[Recording]:
    found = [one for some in first_found(recordings) for one in some]
    if not found:
        return list(recordings)
    calibration = confidences.fit(found)
    return [recording.calibrated(calibration) for recording in recordings]


def _judged(recordings: list[Recording], recall: float, folds: int, seed: int) -> Judged:
    dials = thresholds.dials(recordings, recall)
    everything = operation([(recording, {}) for recording in recordings], dials)
    if _share(everything.recall) < recall:
        return Judged(everything, everything)
    _, new = held_out([recordings] * folds, parts(len(recordings), folds, seed), dials, recall)
    return Judged(everything, new)


def _best(judged: Mapping[float, Judged], recall: float) -> float:
    held = {bias: _share(one.held_out.precision) for bias, one in judged.items() if _reaches(one, recall)}
    if held:
        return _least(held, _PRECISION)
    return _least({bias: _share(one.everything.recall) for bias, one in judged.items()}, _RECALL)


def _least(shares: Mapping[float, float], gain: float) -> float:
    """Return the least bias to the share of which no other adds as much as the gain."""
    return min(bias for bias, of in shares.items() if max(shares.values()) - of < gain)


def _reaches(one: Judged, recall: float) -> bool:
    return _share(one.held_out.recall) >= recall


def _share(times: Times) -> float:
    return thresholds.share(times, ALL) or 0.0
