"""The figures of a calibration on the terminal."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.calibration.thresholds import ALL, SHARED
from pipeline.tagging.entity_groups import load_entity_groups

_MORE = 2.0
"""What is added to the opening bias of an entity group that found too little, in logits."""


def print_biases(found: Mapping[str, Any]) -> None:
    """Print what each opening bias gives of each entity group, if there were several, and which was chosen.

    Args:
        found: As ``pipeline.calibration.results.figures`` returns them.
    """
    judged = {group: of for group, of in found["opening_bias"].items() if of["each"]}
    if not judged:
        return
    table = _table("share of time (%)", "opening\nbias")
    for group, of in judged.items():
        for bias, *rates in (one.values() for one in of["each"]):
            table.add_row(group, "* " * (bias == of["chosen"]) + f"{bias:g}", *_percentages(rates))
    Console(highlight=False).print(table)
    print("*: chosen. Each bias has thresholds of its own here, and only what has a type of the entity group counts.")
    print()


def print_figures(found: Mapping[str, Any]) -> None:
    """Print recall and precision of each threshold, and the error of the confidences.

    Args:
        found: As ``pipeline.calibration.results.figures`` returns them.
    """
    table = _table("share of time (%)", "threshold")
    for name in _dials(found):
        threshold, *rates = found["time"][name].values()
        table.add_row(name, "" if threshold is None else f"{threshold:.4f}", *_percentages(rates))
    Console(highlight=False).print(table)
    errors = found["confidences"]
    for name, title in (("ece", "expected calibration error"), ("brier", "Brier score")):
        before, after = errors["before"][name], errors["after"][name]
        print(f"{title} of the confidences, held out: {before:.4f} before, {after:.4f} after")


def print_unreached(found: Mapping[str, Any], highest: Mapping[str, float], groups_file: Path | None) -> None:
    """Say where the wanted recall is out of reach, and what to do.

    Args:
        found: As ``pipeline.calibration.results.figures`` returns them, with the wanted ``recall``.
        highest: Highest opening bias of the runs by entity group.
        groups_file: The entity groups of the run. None: the built-in ones.
    """
    recall, rows, dials = found["recall"], found["time"], _dials(found)
    low = {name: row["recall_everything"] for name, row in rows.items() if row["recall_everything"] < recall}
    low_dials = [name for name in dials if name in low]
    if low_dials:
        types = low.keys() if {SHARED, ALL} & {*low_dials} else {*low_dials}
        groups = [group.name for group in load_entity_groups(groups_file) if types & {*group.types}]
        bias = {group: of["chosen"] for group, of in found["opening_bias"].items()}
        lower = [group for group in groups if group in bias and bias[group] < highest[group]]
        spent = [group for group in lower if not _reaches(found, group)]  # else it was chosen for its precision
        more = [f"{group} {bias.get(group, 0.0) + _MORE:g}" for group in groups if group not in lower]
        print(
            f"A recall of {recall:g} is out of reach even with everything kept, which covers "
            f"{', '.join(f'{100 * low[name]:.1f} % of {name}' for name in low_dials)}."
        )
        if more:
            print(f"To find more, run again with --tagger.opening-bias {' '.join(more)}.")
        if spent:
            print(f"A higher opening bias finds no more of {', '.join(spent)}: see how much was transcribed wrong.")
        if not groups:
            print("Patterns alone find these types.")
        if not found["padding_s"]:
            print("Where words were timed a little off, edges are not covered: see what --padding-s 0.1 says.")
    elif rows[ALL]["recall_held_out"] < recall:
        print(f"A recall of {recall:g} was not quite reached in recordings that were not fitted on.")


def _reaches(found: Mapping[str, Any], group: str) -> bool:
    """Return whether an entity group reaches the wanted recall with its chosen bias, held out."""
    of = found["opening_bias"][group]
    (recall,) = (one["recall_held_out"] for one in of["each"] if one["bias"] == of["chosen"])
    return recall is not None and recall >= found["recall"]


def _table(title: str, setting: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(title, no_wrap=True)
    for column in (
        setting,
        *(f"{rate},\n{what}" for what in ("all kept", "held out") for rate in ("recall", "precision")),
    ):
        table.add_column(column, justify="right")
    return table


def _percentages(rates: Iterable[float | None]) -> list[str]:
    return ["" if rate is None else f"{100 * rate:.1f}" for rate in rates]


def _dials(found: Mapping[str, Any]) -> list[str]:
    """Return the names of the types with a threshold of their own, ``other types`` and ``all``."""
    return list(found["time"])[: list(found["time"]).index(ALL) + 1]
