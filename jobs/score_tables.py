"""Scores as tables on the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.scoring import entities
from pipeline.submission import Submission

_PARTS = {"en": "English", "zh": "Mandarin", "all": "all"}
_ERROR_RATES = {"en": "wer_norm", "zh": "cer_norm", "all": "mer_norm"}
_COVERED = (0.5, 0.8, 1.0)
_RIGHT = {"type and text": "strict", "type and time": "iou50"}


def print_all(scores: Mapping[str, Any], reference: Submission, judged: Submission, show_text: bool) -> None:
    """Print all scores of a submission.

    Args:
        scores: As ``pipeline.scoring.comparison.compare`` returns them.
        reference: The reference.
        judged: The submission.
        show_text: Show the texts of the worst recordings too.
    """
    console = Console(markup=False, highlight=False)
    if "transcripts" in scores:
        _print_transcripts(console, scores["transcripts"])
        extra = len((judged.transcripts or {}).keys() - (reference.transcripts or {}).keys())
        if extra:
            print(f"{extra} transcripts of recordings that the reference lacks are not scored.")
    if "entities" in scores:
        _print_entities(console, scores["entities"])
        _print_redaction(console, scores["redaction"])
    _print_worst(console, scores["worst"], {"reference": reference, "submission": judged} if show_text else {})


def print_few(runs: Mapping[str, Mapping[str, Any]]) -> None:
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
    transcripts, found = scores["transcripts"][part], scores["entities"]
    found = found if part == "all" else found["by_language"][part]
    shown = {
        "recordings": str(transcripts["clips"]),
        "error rate of transcripts": _percent(transcripts[_ERROR_RATES[part]], 1),
        "entities": str(found["reference"]),
        "entities found": str(found["predicted"]),
    }
    for name, measure in _RIGHT.items():
        for rate in ("precision", "recall", "f1"):
            shown[f"{rate.replace('f1', 'F1')}, {name}"] = _percent(found[measure]["micro"][rate], 1)
    return shown | {"leak recall": _percent(found["leak_recall"], 1)}


def _print_transcripts(console: Console, scores: Mapping[str, Mapping[str, Any]]) -> None:
    table = _table("transcripts (%)", *scores)
    for name in ("clips", "missing"):
        table.add_row(name, *(str(found[name]) for found in scores.values()))
    for name in (rate + form for rate in ("wer", "cer", "mer", "mer_per_file") for form in ("", "_norm")):
        table.add_row(name, *(_with_range(found.get(name), found["intervals"].get(name)) for found in scores.values()))
    console.print(table)


def _print_entities(console: Console, scores: Mapping[str, Any]) -> None:
    console.print()
    table = _table("entities (%)", "precision", "recall", "f2", "f1", "macro f1")
    for measure in entities.MEASURES:
        micro, macro = scores[measure]["micro"], scores[measure]["macro"]
        between = scores["intervals"].get(measure, {}).get("micro", {}).get("f1")
        rates = (micro["precision"], micro["recall"], scores["f2"][measure]["micro"])
        table.add_row(measure, *map(_percent, rates), _with_range(micro["f1"], between), _percent(macro["f1"]))
    leaks = _with_range(scores["leak_recall"], scores["intervals"].get("leak_recall"))
    console.print(table)
    print(f"leak_recall (the share of entities' time that any predicted entity covers): {leaks} %")
    if scores["not_scored"]["entities"]:
        print(f"{scores['not_scored']['entities']} entities of recordings that the reference lacks are not scored.")

    for name, title in (("by_language", "f1 by language"), ("by_type", "f1 by type")):
        console.print()
        table = _table(title, "reference", "predicted", *(m.replace("_", "\n") for m in entities.TYPED), "leak\nrecall")
        for key, found in scores[name].items():
            f1 = [found[measure].get("micro", found[measure])["f1"] for measure in entities.TYPED]
            numbers = [str(found["reference"]), str(found["predicted"])]
            table.add_row(key, *numbers, *map(_percent, f1), _percent(found["leak_recall"]))
        console.print(table)
    console.print()
    table = Table("reference type", "was predicted as", box=None, pad_edge=False)  # the full square is mostly empty
    for row, columns in scores["confusion"].items():
        order = sorted(columns.items(), key=lambda item: (-item[1], item[0]))
        table.add_row(row, ", ".join(f"{column} {number}" for column, number in order))
    console.print(table)


def _print_redaction(console: Console, scores: Mapping[str, Any]) -> None:
    console.print()
    curves = scores["coverage"]
    table = _table("covered share (%)", *(f"from {100 * share:.0f}" for share in _COVERED))
    for name in ("recall", "precision"):
        by_share = dict(zip(curves["shares"], zip(curves[name], curves["intervals"][name], strict=True), strict=True))
        table.add_row(name, *(_with_range(*by_share[share]) for share in _COVERED))
    console.print(table)
    print(f"These are shares of {curves['entities']} entities and of {curves['redacted']} redacted intervals.")
    print(f"clean_recordings (every entity's time is covered): {_counted(scores['clean_recordings'])}")
    for what, found in scores.get("text_leak", {}).items():
        print(f"text_leak ({what} that still stand in the redacted transcripts): {_counted(found)}")


def _counted(share: Mapping[str, Any]) -> str:
    of_all = f"{share['count']} of {share['total']}"
    return f"{of_all}, {_with_range(share['share'], share['interval'])} %" if share["total"] else of_all


def _print_worst(
    console: Console, worst: Mapping[str, Sequence[Mapping[str, Any]]], folders: Mapping[str, Submission]
) -> None:
    for what, rows in worst.items():
        if not rows:
            continue
        console.print()
        table = _table(f"worst {what}", *(key for key in rows[0] if key != "recording_id"))
        for row in rows:
            table.add_row(*map(_cell, row.values()))
        console.print(table)
        for row in rows if folders else ():
            for name, folder in folders.items():
                print(f"{row['recording_id']} {name}: {_text(folder, what, row['recording_id'])}")


def _text(folder: Submission, what: str, recording_id: str) -> str:
    if what == "transcripts":
        return (folder.transcripts or {}).get(recording_id, "")
    assert folder.entities is not None
    rows = [row for row in folder.entities.to_pylist() if row["recording_id"] == recording_id and row["kept"]]
    timed = sorted(
        (row["start_s"], row["end_s"], row["type"], row["text"]) for row in rows if row["start_s"] is not None
    )
    return " · ".join(f"{start:.3f}–{end:.3f} {kind} {text}" for start, end, kind, text in timed)


def _cell(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _table(title: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column(title, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _percent(value: float | None, decimals: int = 2) -> str:
    return "" if value is None else f"{100 * value:.{decimals}f}"


def _with_range(value: float | None, ends: Sequence[float] | None) -> str:
    return _percent(value) + (f" ({100 * ends[0]:.1f}–{100 * ends[1]:.1f})" if ends else "")
