"""Confidences that are probabilities: Platt scaling on the logit, with one slope for all types and a shift for each.

After Platt, "Probabilistic outputs for support vector machines", 1999. ``pipeline.calibration`` fits the values.
"""

import math
from dataclasses import replace

from pipeline.settings import CalibrationSettings
from pipeline.tagging.entities import Entity
from pipeline.tagging.patterns import GROUP

_EDGE = 1e-6  # a confidence nearer to 0 or 1 has the logit of this one
_AS_IT_IS = CalibrationSettings()


def calibrated(calibration: CalibrationSettings, entity: Entity) -> Entity:
    """Return an entity with its confidence as a probability. One without a confidence stays as it is.

    Args:
        calibration: The values.
        entity: As an adapter or a pattern found it.
    """
    if entity.confidence is None or calibration == _AS_IT_IS:
        return entity
    shift = calibration.shifts.get(shift_of(entity.group, entity.type), 0.0)
    score = calibration.slope * logit(entity.confidence) + calibration.intercept + shift
    return replace(entity, confidence=1 / (1 + math.exp(-score)) if score > -700 else 0.0)


def shift_of(group: str, type_: str) -> str:
    """Return the name of the shift of an entity: its type, or ``patterns`` for all that patterns found."""
    return GROUP if group == GROUP else type_


def logit(confidence: float) -> float:
    """Return the logarithm of the odds of a confidence in 0..1, which is finite for all."""
    edged = min(max(confidence, _EDGE), 1 - _EDGE)
    return math.log(edged / (1 - edged))
