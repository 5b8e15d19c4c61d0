"""What a demo says about a run: its scores in a file, and a table of a few of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs.answer_folders import read_answers
from jobs.score import compare
from pipeline.run_folder import write_json

SCORES = "scores.json"

_PARTS = {"en": "English", "zh": "Mandarin", "all": "all"}
_ERROR_RATES = {"en": "wer_norm", "zh": "cer_norm", "all": "mer_norm"}
_RIGHT = {"type and text": "strict", "type and time": "iou50"}


def score_run(run: Path, reference: Path) -> dict[str, Any]:
    """Compare a run with a reference as jobs.score does, write all scores into the run's folder and return them."""
    scores = compare(read_answers("--reference", str(reference)), read_answers("--answers", str(run)))
    write_json(str(run / SCORES), scores)
    return scores


def print_scores(runs: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a few scores by language, those of several runs side by side.

    Args:
        runs: All scores of each run, by what stands over its columns. All have the same reference.
    """
    parts = [part for part in _PARTS if next(iter(runs.values()))["transcripts"][part]["clips"]]
    shown = [_shown(run, part) for part in parts for run in runs.values()]
    table = Table(box=None, pad_edge=False)
    table.add_column("rates in %", no_wrap=True)
    for part in parts:
        for name in runs:
            table.add_column(f"{_PARTS[part]}\n{name}".rstrip(), justify="right")
    for row in shown[0]:
        table.add_row(row, *(column[row] for column in shown))
    Console(highlight=False).print(table)
    print("Errors are counted in words (English), characters (Mandarin) or both (all), without case and punctuation.")
    print("A time is right if it overlaps by half. Leak recall is the share of the entities' time that was found.")


def _shown(scores: Mapping[str, Any], part: str) -> dict[str, str]:
    transcripts, entities = scores["transcripts"][part], scores["entities"]
    entities = entities if part == "all" else entities["by_language"][part]
    shown = {
        "recordings": str(transcripts["clips"]),
        "error rate of transcripts": _percent(transcripts[_ERROR_RATES[part]]),
        "entities": str(entities["reference"]),
        "entities found": str(entities["predicted"]),
    }
    for name, measure in _RIGHT.items():
        for rate in ("precision", "recall", "f1"):
            shown[f"{rate.replace('f1', 'F1')}, {name}"] = _percent(entities[measure]["micro"][rate])
    return shown | {"leak recall": _percent(entities["leak_recall"])}


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:.1f}"
