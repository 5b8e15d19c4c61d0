"""Confidences and thresholds that hold on recordings that they were not fitted on, as cross-validation finds them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.calibration import confidences, thresholds
from pipeline.calibration.candidates import Candidate, Recording, first_found
from pipeline.calibration.thresholds import ALL, Dials, Times
from pipeline.errors import UserError
from pipeline.settings import CalibrationSettings

_MARGINS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
"""Parts of what may be lost that a fit gives up, so that recordings that it does not know lose no more than asked."""


@dataclass(frozen=True)
class Operation:
    """Time that is covered, and time that is rightly so, with certain thresholds.

    Attributes:
        recall: Covered and all time of the reference entities, by name.
        precision: Reference entities' and all time of the kept entities, by name.
    """

    recall: Times
    precision: Times


@dataclass(frozen=True)
class Calibrated:
    """What was fitted, and what it does.

    Attributes:
        recordings: With confidences as probabilities.
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
    dials: Dials
    calibration: CalibrationSettings
    thresholds: dict[str, float]
    aim: float
    everything: Operation
    held_out: Operation
    before: dict[str, float]
    after: dict[str, float]


def calibrate(recordings: Sequence[Recording], recall: float, folds: int, seed: int) -> Calibrated:
    """Fit probabilities, then thresholds.

    The thresholds of each fold are fitted on the others, for aims from the wanted share up to 1. The lowest aim with
    which the folds together reach the share, or else the highest, is taken for the thresholds from all recordings.

    Args:
        recordings: What run and reference share.
        recall: Share of the reference entities' time to cover, 0 to 1.
        folds: Number of parts of the recordings.
        seed: Random seed of the parts.

    Raises:
        UserError: There are fewer recordings than folds, or too few with an entity that was found.
    """
    part = np.random.default_rng(seed).permutation(len(recordings)) % folds
    found = first_found(recordings)
    turns = []
    for fold in range(folds):
        known = [one for row, some in enumerate(found) if part[row] != fold for one in some]
        if not known or fold not in part:
            raise UserError(f"--folds {folds}: {len(recordings)} recordings are too few for as many parts.")
        turns.append(confidences.fit(known))
    calibration = confidences.fit([one for some in found for one in some])
    new = [one.calibrated(turns[part[row]]) for row, some in enumerate(found) for one in some]
    dials = thresholds.dials(recordings, recall)

    views = [[recording.calibrated(turn) for recording in recordings] for turn in turns]
    aim, held_out = recall, None
    for margin in _MARGINS:
        aim = recall + margin * (1 - recall)
        held_out = _held_out(views, part, dials, aim)
        if (thresholds.share(held_out.recall, ALL) or 0.0) >= recall:
            break
    assert held_out is not None
    all_of_them = [recording.calibrated(calibration) for recording in recordings]
    return Calibrated(
        all_of_them,
        dials,
        calibration,
        dials.by_type(thresholds.fit(all_of_them, dials, aim)),
        aim,
        operation([(recording, {}) for recording in all_of_them], dials),
        held_out,
        _errors([one for some in found for one in some]),
        _errors(new),
    )


def operation(recordings: Sequence[tuple[Recording, dict[str, float]]], dials: Dials) -> Operation:
    """Add up recordings, each with its thresholds by type."""
    return Operation(
        thresholds.total(thresholds.recalls(one, of_types, dials) for one, of_types in recordings),
        thresholds.total(thresholds.precisions(one, of_types, dials) for one, of_types in recordings),
    )


def _held_out(views: Sequence[Sequence[Recording]], part: np.ndarray, dials: Dials, aim: float) -> Operation:
    """Judge each fold by thresholds from the others, on recordings as the probabilities of the others have them."""
    new: list[tuple[Recording, dict[str, float]]] = []
    for fold, view in enumerate(views):
        known = [recording for recording, of in zip(view, part, strict=True) if of != fold]
        of_types = dials.by_type(thresholds.fit(known, dials, aim))
        new += [(recording, of_types) for recording, of in zip(view, part, strict=True) if of == fold]
    return operation(new, dials)


def _errors(found: Sequence[Candidate]) -> dict[str, float]:
    return confidences.errors([one.entity.confidence or 0.0 for one in found], [one.right for one in found])
