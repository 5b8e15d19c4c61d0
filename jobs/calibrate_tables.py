"""The figures of a calibration on the terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.calibration.thresholds import ALL, SHARED
from pipeline.tagging.entity_groups import load_entity_groups

_MORE = 2.0
"""What is added to the opening bias of an entity group that found too little, in logits."""


def print_figures(found: Mapping[str, Any]) -> None:
    """Print recall and precision of each threshold, and the error of the confidences.

    Args:
        found: As ``pipeline.calibration.results.figures`` returns them.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("share of time (%)", no_wrap=True)
    for column in (
        "threshold",
        "recall,\nall kept",
        "precision,\nall kept",
        "recall,\nheld out",
        "precision,\nheld out",
    ):
        table.add_column(column, justify="right")
    for name in _dials(found):
        threshold, *rates = found["time"][name].values()
        cells = ("" if rate is None else f"{100 * rate:.1f}" for rate in rates)
        table.add_row(name, "" if threshold is None else f"{threshold:.4f}", *cells)
    Console(highlight=False).print(table)
    errors = found["confidences"]
    for name, title in (("ece", "expected calibration error"), ("brier", "Brier score")):
        before, after = errors["before"][name], errors["after"][name]
        print(f"{title} of the confidences, held out: {before:.4f} before, {after:.4f} after")


def print_unreached(found: Mapping[str, Any], bias: Mapping[str, float], groups_file: Path | None) -> None:
    """Say where the wanted recall is out of reach, and what to do.

    Args:
        found: As ``pipeline.calibration.results.figures`` returns them, with the wanted ``recall``.
        bias: Opening bias of the run by entity group.
        groups_file: The entity groups of the run. None: the built-in ones.
    """
    recall, rows, dials = found["recall"], found["time"], _dials(found)
    low = {name: row["recall_everything"] for name, row in rows.items() if row["recall_everything"] < recall}
    low_dials = [name for name in dials if name in low]
    if low_dials:
        types = low.keys() if {SHARED, ALL} & {*low_dials} else {*low_dials}
        groups = [group.name for group in load_entity_groups(groups_file) if types & {*group.types}]
        more = " ".join(f"{group} {bias.get(group, 0.0) + _MORE:g}" for group in groups)
        advice = f"run again with --tagger.opening-bias {more}" if more else "patterns alone find these types"
        print(
            f"A recall of {recall:g} is out of reach even with everything kept, which covers "
            f"{', '.join(f'{100 * low[name]:.1f} % of {name}' for name in low_dials)}: {advice}."
        )
        if not found["padding_s"]:
            print("Where words were timed a little off, edges are not covered: see what --padding-s 0.1 says.")
    elif rows[ALL]["recall_held_out"] < recall:
        print(f"A recall of {recall:g} was not quite reached in recordings that were not fitted on.")


def _dials(found: Mapping[str, Any]) -> list[str]:
    """Return the names of the types with a threshold of their own, ``other types`` and ``all``."""
    return list(found["time"])[: list(found["time"]).index(ALL) + 1]
