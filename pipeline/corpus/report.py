"""Report of a preparation, as ``prepare_report.json`` and as an HTML page: what was used and what was left out."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import jinja2
import pyarrow as pa

from pipeline.corpus.folders import Folder
from pipeline.files import write_text
from pipeline.speech.language import CJK

MATCHES = ("exact", "normalised", "fuzzy", "not_found")

_IDEOGRAPHS = re.compile(rf"[{CJK}]")
_WORDS = re.compile(rf"[^\W{CJK}]+(?:['’-][^\W{CJK}]+)*")


def folders(some: Iterable[Folder]) -> dict[str, dict[str, Any]]:
    """Count the contents of each folder."""
    return {
        folder.name: {
            "split": folder.split,
            "recordings": len(folder.ids),
            "with_audio": len(folder.audio),
            "with_transcript": len(folder.transcripts),
            "dropped_by_on_clash": len(folder.dropped),
            "labels_dropped_by_on_clash": folder.dropped_labels,
            "malformed_lines": len(folder.malformed),
        }
        for folder in some
    }


def labels(entities: pa.Table, some: Iterable[Folder]) -> dict[str, Any]:
    """Count the labels of each folder by how they were found, and by the cause if not by their text."""
    rows = entities.to_pylist()
    counted: dict[str, Any] = {}
    for folder in some:
        ids = set(folder.ids)
        here = [row for row in rows if row["recording_id"] in ids]
        found = Counter(row["match"] for row in here)
        counted[folder.name] = {"total": len(here)} | {match: found[match] for match in MATCHES}
        counted[folder.name]["causes"] = dict(Counter(row["cause"] for row in here if row["cause"]))
    return counted


def languages(recordings: pa.Table, transcripts: pa.Table) -> dict[str, dict[str, dict[str, float]]]:
    """Count recordings, hours (only of those with audio), words and ideographs by split and language."""
    known = {row["recording_id"]: row for row in recordings.to_pylist()}
    counted: dict[str, dict[str, dict[str, float]]] = {}
    for row in transcripts.to_pylist():
        recording = known[row["recording_id"]]
        empty = {"recordings": 0, "hours": 0.0, "words": 0, "ideographs": 0}
        here = counted.setdefault(recording["split"], {}).setdefault(row["language"], empty)
        here["recordings"] += 1
        here["hours"] = round(here["hours"] + (recording["duration_s"] or 0.0) / 3600, 6)
        here["words"] += len(_WORDS.findall(row["text"]))
        here["ideographs"] += len(_IDEOGRAPHS.findall(row["text"]))
    return counted


def types(entities: pa.Table, transcripts: pa.Table) -> dict[str, dict[str, int]]:
    """Count the labels of each type by the language of the recording, with the most frequent type first."""
    language_of = dict(zip(*(transcripts[name].to_pylist() for name in ("recording_id", "language")), strict=True))
    counted: dict[str, Counter[str]] = {}
    for row in entities.to_pylist():
        counted.setdefault(row["type"], Counter())[language_of.get(row["recording_id"], "none")] += 1
    return {type_: dict(counted[type_]) for type_ in sorted(counted, key=lambda t: (-counted[t].total(), t))}


def write_page(path: str, report: Mapping[str, Any]) -> None:
    """Write the report as a self-contained HTML file without text of recordings."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files(__package__).joinpath("report.html").read_text(encoding="utf-8"))
    write_text(path, template.render(report=report, matches=MATCHES))
