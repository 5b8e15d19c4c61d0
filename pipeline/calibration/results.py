"""What a calibration leaves: the settings for jobs.predict, and its figures."""

from dataclasses import asdict
from typing import Any

import yaml

from pipeline.calibration.cross_validation import Calibrated
from pipeline.calibration.held_out import Operation
from pipeline.calibration.thresholds import ALL, SHARED, share


def as_yaml(calibrated: Calibrated, about: str) -> str:
    """Write the settings as ``pipeline.settings_file`` reads them.

    Args:
        calibrated: What was fitted.
        about: A line that says what the file is.
    """
    tagger = {
        "opening_bias": calibrated.opening_bias,
        "calibration": asdict(calibrated.calibration),
        "thresholds": calibrated.thresholds,
    }
    return f"# {about}\n" + yaml.safe_dump({"tagger": tagger}, sort_keys=False, allow_unicode=True)


def figures(calibrated: Calibrated) -> dict[str, Any]:
    """Return all figures, without text.

    Returns:
        ``aim``, the share that the fit kept covered; ``confidences``, ``ece`` and ``brier`` before and after;
        ``time``, by type with a reference entity, ``other types`` (those that share a threshold) and ``all``: the
        threshold, and recall and precision with everything kept and, cross-validated, with the thresholds; and
        ``opening_bias``, by entity group: what was ``chosen``, and ``each`` bias with the same rates of the group.
    """
    rows: dict[str, dict[str, float | None]] = {}
    for name in [*calibrated.dials.own, SHARED, ALL, *calibrated.dials.sharing]:
        if share(calibrated.everything.recall, name) is not None:
            rates = _rates(calibrated.everything, calibrated.held_out, name)
            rows[name] = {"threshold": _threshold(calibrated, name)} | rates
    return {
        "aim": calibrated.aim,
        "confidences": {"before": calibrated.before, "after": calibrated.after},
        "time": rows,
        "opening_bias": {
            group: {
                "chosen": bias,
                "each": [
                    {"bias": other} | _rates(one.everything, one.held_out, ALL)
                    for other, one in calibrated.judgement.get(group, {}).items()
                ],
            }
            for group, bias in calibrated.opening_bias.items()
        },
    }


def _rates(everything: Operation, held_out: Operation, name: str) -> dict[str, float | None]:
    return {
        f"{rate}_{what}": share(times, name)
        for what, operation in (("everything", everything), ("held_out", held_out))
        for rate, times in (("recall", operation.recall), ("precision", operation.precision))
    }


def _threshold(calibrated: Calibrated, name: str) -> float | None:
    shared = calibrated.dials.sharing
    return calibrated.thresholds.get(shared[0] if name == SHARED and shared else name)
