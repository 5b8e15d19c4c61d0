"""Opening biases, confidences and thresholds that hold on recordings that they were not fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.calibration import confidences, thresholds
from pipeline.calibration.candidates import Candidate, Recording, first_found
from pipeline.calibration.held_out import Operation, held_out, operation, parts
from pipeline.calibration.opening_bias import Judgement, choose, judge
from pipeline.calibration.runs import Runs
from pipeline.calibration.thresholds import Dials
from pipeline.errors import UserError
from pipeline.settings import CalibrationSettings


@dataclass(frozen=True)
class Calibrated:
    """What was fitted, and what it does.

    Attributes:
        recordings: As found with the chosen biases, with confidences as probabilities.
        opening_bias: The chosen ones, by entity group.
        judgement: What each bias does, where runs differ in it.
        dials: Which types have a threshold of their own.
        calibration: What makes confidences probabilities.
        thresholds: By type, on these.
        aim: Share of the time that the fit keeps covered in the recordings that it knows.
        everything: With everything kept.
        held_out: Each fold with what the others gave.
        before: ``ece`` and ``brier`` of the confidences as they were found.
        after: The same of the probabilities, each fold with what the others gave.
    """

    recordings: Sequence[Recording]
    opening_bias: dict[str, float]
    judgement: Judgement
    dials: Dials
    calibration: CalibrationSettings
    thresholds: dict[str, float]
    aim: float
    everything: Operation
    held_out: Operation
    before: dict[str, float]
    after: dict[str, float]


def calibrate(runs: Runs, recall: float, folds: int, seed: int) -> Calibrated:
    """Choose opening biases, fit probabilities, then thresholds.

    Each fold is judged by what the others alone gave: the choice of the biases, the probabilities and the thresholds.
    These are fitted for aims from the wanted share up to 1. The lowest aim with which the folds together reach the
    share, or else the highest, is taken for the thresholds from all recordings.

    Args:
        runs: What runs found in the recordings that they share with the reference.
        recall: Share of the reference entities' time to cover, 0 to 1.
        folds: Number of parts of the recordings.
        seed: Random seed of the parts.

    Raises:
        UserError: There are fewer recordings than folds, or too few with an entity that was found.
    """
    number = len(runs.recordings[0])
    part = parts(number, folds, seed)
    views, new, old = [], [], []
    for fold in range(folds):
        others = runs.known([row for row in range(number) if part[row] != fold])
        view = runs.mixed(choose(others, judge(others, recall, folds, seed), recall))
        found = first_found(view)
        known = [one for row, some in enumerate(found) if part[row] != fold for one in some]
        if not known or fold not in part:
            raise UserError(f"--folds {folds}: {number} recordings are too few for as many parts.")
        turn = confidences.fit(known)
        views.append([recording.calibrated(turn) for recording in view])
        unknown = [one for row, some in enumerate(found) if part[row] == fold for one in some]
        old += unknown
        new += [one.calibrated(turn) for one in unknown]

    judgement = judge(runs, recall, folds, seed)
    opening_bias = choose(runs, judgement, recall)
    recordings = runs.mixed(opening_bias)
    calibration = confidences.fit([one for some in first_found(recordings) for one in some])
    all_of_them = [recording.calibrated(calibration) for recording in recordings]
    dials = thresholds.dials(recordings, recall)
    aim, judged = held_out(views, part, dials, recall)
    return Calibrated(
        all_of_them,
        opening_bias,
        judgement,
        dials,
        calibration,
        dials.by_type(thresholds.fit(all_of_them, dials, aim)),
        aim,
        operation([(recording, {}) for recording in all_of_them], dials),
        judged,
        _errors(old),
        _errors(new),
    )


def _errors(found: Sequence[Candidate]) -> dict[str, float]:
    return confidences.errors([one.entity.confidence or 0.0 for one in found], [one.right for one in found])
