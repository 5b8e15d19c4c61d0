"""Compare answers with a reference: error rates of the transcripts, and how well entities were found.

python -m jobs.score --reference FOLDER --answers FOLDER [--json FILE]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from jobs.answer_folders import Answers, languages, read_answers
from jobs.command_line import absolute, run_job
from jobs.folders import check_file
from pipeline.errors import UserError
from pipeline.run_folder import write_json
from pipeline.scoring import entities, transcripts


@dataclass(frozen=True)
class Score:
    """Compare answers with a reference: error rates of the transcripts, and how well entities were found.

    Both folders hold task1_answer.txt, task2_answer.txt or both, or the tables of a run; what both have is compared.
    The recordings of the reference count: one that the answers lack is taken to be empty, and what the answers have
    of others is not scored. A reference without transcripts has only the recordings with an entity. The scores go to
    the terminal, and all of them with their 95 % bootstrap intervals to a JSON file, which never holds a text.
    """

    reference: str
    """Folder with the transcripts and entities of people."""

    answers: str
    """Folder with the transcripts and entities to judge."""

    json: str | None = None
    """File for all scores."""

    show_text: bool = False
    """Show the texts of the worst recordings on the terminal. Without it, they are shown by id alone."""


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.score --help``."""
    job = tyro.cli(Score, prog="python -m jobs.score", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    if job.json:
        check_file("--json", job.json, over=True)
    reference = read_answers("--reference", job.reference)
    answered = read_answers("--answers", job.answers)
    scores = compare(reference, answered)
    console = Console(markup=False, highlight=False)
    if "transcripts" in scores:
        _print_transcripts(console, scores["transcripts"])
        _print_extra(reference, answered)
    if "entities" in scores:
        _print_entities(console, scores["entities"])
    _print_worst(console, scores["worst"], {"reference": reference, "answer": answered} if job.show_text else {})
    if job.json:
        write_json(absolute(job.json), scores)
        print(f"All scores: {job.json}")


def compare(reference: Answers, answered: Answers) -> dict[str, Any]:
    """Score what two folders both have.

    Returns:
        ``reference`` and ``answers``, the folders; ``transcripts`` and ``entities`` as ``pipeline.scoring`` returns
        them, where both have them; and the ``worst`` recordings of each.

    Raises:
        UserError: One holds transcripts, the other entities.
    """
    scores: dict[str, Any] = {"reference": reference.path, "answers": answered.path}
    worst: dict[str, list[dict[str, Any]]] = {}
    if reference.transcripts is not None and answered.transcripts is not None:
        edits = transcripts.count(reference.transcripts, answered.transcripts)
        scores["transcripts"] = transcripts.scores(edits)
        worst["transcripts"] = transcripts.worst(edits)
    if reference.entities is not None and answered.entities is not None:
        counts = entities.count(languages(reference), reference.entities, answered.entities)
        scores["entities"] = entities.scores(counts)
        worst["entities"] = entities.worst(counts)
    if not worst:
        raise UserError(
            f"--reference {reference.path} and --answers {answered.path} have nothing in common: "
            "one holds transcripts, the other entities."
        )
    return scores | {"worst": worst}


def _print_transcripts(console: Console, scores: Mapping[str, Mapping[str, Any]]) -> None:
    table = _table("transcripts (%)", *scores)
    for name in ("clips", "missing"):
        table.add_row(name, *(str(found[name]) for found in scores.values()))
    for name in (rate + form for rate in ("wer", "cer", "mer", "mer_per_file") for form in ("", "_norm")):
        table.add_row(name, *(_with_range(found.get(name), found["intervals"].get(name)) for found in scores.values()))
    console.print(table)


def _print_extra(reference: Answers, answered: Answers) -> None:
    extra = len((answered.transcripts or {}).keys() - (reference.transcripts or {}).keys())
    if extra:
        print(f"{extra} transcripts of recordings that the reference lacks are not scored.")


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
    _print_confusion(console, scores["confusion"])


def _print_confusion(console: Console, confusion: Mapping[str, Mapping[str, int]]) -> None:
    """Print each reference type with its predicted types, most frequent first: the full square is mostly empty."""
    table = Table("reference type", "was predicted as", box=None, pad_edge=False)
    for row, columns in confusion.items():
        order = sorted(columns.items(), key=lambda item: (-item[1], item[0]))
        table.add_row(row, ", ".join(f"{column} {number}" for column, number in order))
    console.print(table)


def _print_worst(
    console: Console, worst: Mapping[str, Sequence[Mapping[str, Any]]], folders: Mapping[str, Answers]
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


def _text(folder: Answers, what: str, recording_id: str) -> str:
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


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"


def _with_range(value: float | None, ends: Sequence[float] | None) -> str:
    return _percent(value) + (f" ({100 * ends[0]:.1f}–{100 * ends[1]:.1f})" if ends else "")


if __name__ == "__main__":
    run_job(main)
