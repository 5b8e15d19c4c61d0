"""Fit confidences that are probabilities, and measure how far they are from being so.

The error is measured on recordings that took no part in the fit:

* ``ece``: expected calibration error after Guo et al., "On calibration of modern neural networks", ICML 2017: the mean
  distance of confidence and share of right entities over ten bins of equal width, weighted by their entities.
* ``brier``: mean square of the distance between the confidence and 1 (right) or 0 (wrong).
"""

from collections.abc import Sequence

import numpy as np

from pipeline.calibration.candidates import Candidate
from pipeline.settings import CalibrationSettings
from pipeline.tagging.calibration import logit, shift_of

_BINS = 10
_FIRM = {"slope": 100.0, "intercept": 10.0, "shift": 0.5}
"""How firmly each value stays at that which changes nothing: 1 / variance of a normal prior, in logits. Confidences are
products of probabilities, so on the whole they are nearly right, and types differ more."""
_STEPS = 50
_LEAST_SLOPE = 0.05


def fit(found: Sequence[Candidate]) -> CalibrationSettings:
    """Fit slope, intercept and shifts by penalised maximum likelihood (Newton's method).

    With Platt's targets, which lie a little within 0 and 1, so that few entities that are all right do not claim
    certainty. A type with few entities keeps a shift near 0, and with it the line of all types.

    Args:
        found: Candidates with confidences, at least one.
    """
    names = sorted({shift_of(one.entity.group, one.found_as) for one in found})
    values = np.zeros((len(found), 2 + len(names)))
    values[:, 0] = [logit(one.entity.confidence or 0.0) for one in found]
    values[:, 1] = 1.0
    for row, one in enumerate(found):
        values[row, 2 + names.index(shift_of(one.entity.group, one.found_as))] = 1.0
    right = np.array([one.right for one in found], float)
    positive, negative = right.sum(), len(right) - right.sum()
    targets = np.where(right > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    prior = np.zeros(values.shape[1])
    prior[0] = 1.0
    penalty = np.diag([_FIRM["slope"], _FIRM["intercept"], *[_FIRM["shift"]] * len(names)])
    weights = prior.copy()
    for _ in range(_STEPS):
        probabilities = 1 / (1 + np.exp(-np.clip(values @ weights, -30, 30)))
        slope = values.T @ (probabilities - targets) + penalty @ (weights - prior)
        curvature = (values.T * (probabilities * (1 - probabilities))) @ values + penalty
        step = np.linalg.solve(curvature, slope)
        weights -= step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-8:
            break
    rounded = [round(float(weight), 4) for weight in weights]
    return CalibrationSettings(max(rounded[0], _LEAST_SLOPE), rounded[1], dict(zip(names, rounded[2:], strict=True)))


def errors(confidences: Sequence[float], right: Sequence[bool]) -> dict[str, float]:
    """Return ``ece`` and ``brier`` of confidences in 0..1, at least one."""
    given, truth = np.array(confidences, float), np.array(right, float)
    bins = np.minimum((given * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weights=given - truth, minlength=_BINS)
    return {"ece": float(np.abs(gaps).sum() / len(given)), "brier": float(((given - truth) ** 2).mean())}
