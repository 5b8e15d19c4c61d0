"""What thresholds do on recordings that they were not fitted on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.calibration import thresholds
from pipeline.calibration.candidates import Recording
from pipeline.calibration.thresholds import ALL, Dials, Times

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


def operation(recordings: Iterable[tuple[Recording, dict[str, float]]], dials: Dials) -> Operation:
    """Add up recordings, each with its thresholds by type."""
    given = list(recordings)
    return Operation(
        thresholds.total(thresholds.recalls(one, of_types, dials) for one, of_types in given),
        thresholds.total(thresholds.precisions(one, of_types, dials) for one, of_types in given),
    )


def parts(recordings: int, folds: int, seed: int) -> np.ndarray:
    """Draw the fold of each recording, 0 to ``folds`` - 1, shape (recordings,)."""
    return np.random.default_rng(seed).permutation(recordings) % folds


def held_out(
    views: Sequence[Sequence[Recording]], part: np.ndarray, dials: Dials, recall: float
) -> tuple[float, Operation]:
    """Judge each fold by thresholds that are fitted on the others, for aims from the wanted share up to 1.

    Args:
        views: For each fold, all recordings as what was fitted on the others has them.
        part: The fold of each recording.
        dials: Which types have a threshold of their own.
        recall: Share of the reference entities' time to cover, 0 to 1.

    Returns:
        The lowest aim with which the folds together reach the share, or else the highest, and what they do with it.
    """
    aim, done = recall, Operation({}, {})
    for margin in _MARGINS:
        aim = recall + margin * (1 - recall)
        done = _with_aim(views, part, dials, aim)
        if (thresholds.share(done.recall, ALL) or 0.0) >= recall:
            break
    return aim, done


def _with_aim(views: Sequence[Sequence[Recording]], part: np.ndarray, dials: Dials, aim: float) -> Operation:
    new: list[tuple[Recording, dict[str, float]]] = []
    for fold, view in enumerate(views):
        known = [recording for recording, of in zip(view, part, strict=True) if of != fold]
        of_types = dials.by_type(thresholds.fit(known, dials, aim))
        new += [(recording, of_types) for recording, of in zip(view, part, strict=True) if of == fold]
    return operation(new, dials)
