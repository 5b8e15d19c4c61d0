"""Recall against precision as a picture."""

import io
from collections.abc import Sequence

from pipeline.calibration.cross_validation import Calibrated
from pipeline.calibration.held_out import operation
from pipeline.calibration.thresholds import ALL, SHARED, share

_POINTS = 40
_COLOURS = 19  # of matplotlib's tab20; more types go round again
_NAMED = 20  # types that the legend has room for


def curve(calibrated: Calibrated, name: str) -> list[tuple[float, float]]:
    """Compute recall and precision while one dial turns and the others stay where they were set.

    Args:
        calibrated: What was fitted.
        name: A type with a threshold of its own, ``other types``, or ``all``: every threshold is the same then.

    Returns:
        Recall and precision at up to 40 thresholds from 0 up.
    """
    dials, chosen = calibrated.dials, calibrated.thresholds
    turned = [type_ for type_ in chosen if name in (ALL, dials.of(type_))]
    confidences = sorted(
        {
            candidate.entity.confidence
            for recording in calibrated.recordings
            for candidate in recording.candidates
            if candidate.found_as in turned and candidate.entity.confidence is not None
        }
    )
    points = []
    for threshold in [0.0, *confidences[:: max(1, len(confidences) // _POINTS)]]:
        of_types = chosen | dict.fromkeys(turned, threshold)
        there = operation([(recording, of_types) for recording in calibrated.recordings], dials)
        recall, precision = share(there.recall, name), share(there.precision, name)
        if recall is not None and precision is not None:
            points.append((recall, precision))
    return points


def draw(calibrated: Calibrated, recall: float) -> bytes:
    """Draw a curve for each dial, with the chosen point marked.

    Args:
        calibrated: What was fitted.
        recall: The wanted recall, 0 to 1.

    Returns:
        A PNG.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title="Share of the entities' time, on what was fitted", xlabel="recall", ylabel="precision")
    here = operation([(recording, calibrated.thresholds) for recording in calibrated.recordings], calibrated.dials)
    shared = [SHARED] * bool(calibrated.dials.sharing and calibrated.dials.own)
    names: Sequence[str] = [ALL, *calibrated.dials.own, *shared]
    for place, name in enumerate(names):
        colour = "black" if name == ALL else colormaps["tab20"](place % _COLOURS)
        axes.plot(
            *zip(*curve(calibrated, name), strict=True),
            color=colour,
            linewidth=2 if name == ALL else 1,
            label=name if place < _NAMED else None,
        )
        at, precision = share(here.recall, name), share(here.precision, name)
        if at is not None and precision is not None:
            axes.plot(at, precision, color=colour, marker="o", markersize=7, linestyle="none")
    axes.axvline(recall, color="grey", linestyle="--", label=f"wanted: {recall:g}")
    axes.legend(loc="lower left", fontsize="small")
    axes.grid(alpha=0.3)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()
