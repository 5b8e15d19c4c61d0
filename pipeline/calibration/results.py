"""What a calibration leaves: the settings for jobs.predict, and its figures."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import yaml

from pipeline.calibration.cross_validation import Calibrated
from pipeline.calibration.thresholds import ALL, SHARED, Times, share


def as_yaml(calibrated: Calibrated, opening_bias: Mapping[str, float], about: str) -> str:
    """Write the settings as ``pipeline.settings_file`` reads them.

    Args:
        calibrated: What was fitted.
        opening_bias: That of the run, by entity group: the thresholds go with what it found.
        about: A line that says what the file is.
    """
    tagger = {
        "opening_bias": dict(opening_bias),
        "calibration": asdict(calibrated.calibration),
        "thresholds": calibrated.thresholds,
    }
    return f"# {about}\n" + yaml.safe_dump({"tagger": tagger}, sort_keys=False, allow_unicode=True)


def figures(calibrated: Calibrated) -> dict[str, Any]:
    """Return all figures, without text.

    Returns:
        ``aim``, the share that the fit kept covered; ``confidences``, ``ece`` and ``brier`` before and after; and
        ``time``, by type with a reference entity, ``other types`` (those that share a threshold) and ``all``: the
        threshold, and recall and precision with everything kept and, cross-validated, with the thresholds.
    """
    rows: dict[str, dict[str, float | None]] = {}
    for name in [*calibrated.dials.own, SHARED, ALL, *calibrated.dials.sharing]:
        if share(calibrated.everything.recall, name) is not None:
            rows[name] = {"threshold": _threshold(calibrated, name)} | {
                f"{rate}_{what}": share(times, name)
                for what, operation in (("everything", calibrated.everything), ("held_out", calibrated.held_out))
                for rate, times in _rates(operation.recall, operation.precision)
            }
    return {
        "aim": calibrated.aim,
        "confidences": {"before": calibrated.before, "after": calibrated.after},
        "time": rows,
    }


def _rates(recall: Times, precision: Times) -> list[tuple[str, Times]]:
    return [("recall", recall), ("precision", precision)]


def _threshold(calibrated: Calibrated, name: str) -> float | None:
    shared = calibrated.dials.sharing
    return calibrated.thresholds.get(shared[0] if name == SHARED and shared else name)
