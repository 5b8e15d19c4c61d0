"""The coverage curves as a picture."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np


def draw(curves: Mapping[str, Any]) -> bytes:
    """Draw recall and precision over the covered share, with their 95 % intervals as bands.

    Args:
        curves: As ``pipeline.scoring.coverage.curves`` returns them.

    Returns:
        A PNG.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set(
        title="Coverage of time", xlabel="least covered share of an entity, or of what is redacted", ylabel="share"
    )
    shown = {
        "recall": (f"recall: {curves['entities']} entities", "tab:blue"),
        "precision": (f"precision: {curves['redacted']} redacted intervals", "tab:orange"),
    }
    for name, (label, colour) in shown.items():
        ends = np.array([each or (np.nan, np.nan) for each in curves["intervals"][name]])
        axes.plot(curves["shares"], np.array(curves[name], float), label=label, color=colour, marker=".")
        axes.fill_between(curves["shares"], *ends.T, color=colour, alpha=0.15, linewidth=0)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(loc="lower left")
    axes.grid(alpha=0.3)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()
