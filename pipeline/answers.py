"""The competition's text files, ``task1_answer.txt`` and ``task2_answer.txt``, to tables and back.

Task 1 holds a line ``id<TAB>transcript`` for each transcript, task 2 a line ``id<TAB>TYPE<TAB>start<TAB>end<TAB>text``
for each kept entity, with seconds to three decimals.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import fsspec
import pyarrow as pa

from pipeline import tables
from pipeline.errors import UserError

TASK1 = "task1_answer.txt"
TASK2 = "task2_answer.txt"


def id_order(recording_id: str) -> tuple[int, int, str]:
    """Sort key for recording ids: ids that are numbers come first and by their value, the others as text."""
    number = recording_id.isascii() and recording_id.isdigit()
    return (0, int(recording_id), recording_id) if number else (1, 0, recording_id)


def write_task1(transcripts: pa.Table, path: str) -> None:
    """Write one line for each transcript, sorted by id; one without speech has empty text."""
    rows = sorted(transcripts.select(["recording_id", "text"]).to_pylist(), key=lambda r: id_order(r["recording_id"]))
    _write(path, (f"{row['recording_id']}\t{row['text']}" for row in rows))


def write_task2(entities: pa.Table, path: str) -> None:
    """Write one line for each kept entity that has times, sorted by id, then start, end, type and text."""
    rows = [row for row in entities.to_pylist() if row["kept"] and row["start_s"] is not None]
    rows.sort(key=lambda r: (id_order(r["recording_id"]), r["start_s"], r["end_s"], r["type"], r["text"]))
    lines = (
        f"{row['recording_id']}\t{row['type']}\t{row['start_s']:.3f}\t{row['end_s']:.3f}\t{row['text']}" for row in rows
    )
    _write(path, dict.fromkeys(lines))


def read_task1(path: str) -> dict[str, str]:
    """Read transcripts by recording id.

    Raises:
        UserError: A line has no tab, or its id came before; the sentence names file and line.
    """
    transcripts: dict[str, str] = {}
    for number, line in _lines(path):
        recording_id, tab, text = line.partition("\t")
        if not tab:
            raise UserError(f"{path}, line {number}: no tab between id and transcript.")
        if recording_id in transcripts:
            raise UserError(f"{path}, line {number}: a second transcript for recording {recording_id}.")
        transcripts[recording_id] = text
    return transcripts


def read_task2(path: str) -> pa.Table:
    """Read entities as a table of gold entities with times and without spans.

    Raises:
        UserError: A line does not hold id, type, start, end and text; the sentence names file and line.
    """
    rows: list[Mapping[str, Any]] = []
    for number, line in _lines(path):
        fields = line.split("\t")
        try:
            recording_id, kind, start, end, text = fields
            times = {"start_s": float(start), "end_s": float(end)}
        except ValueError:
            raise UserError(f"{path}, line {number}: not id, type, start, end and text, separated by tabs.") from None
        rows.append(
            {
                "recording_id": recording_id,
                "type": kind,
                "group": "",
                "text": text,
                **times,
                "source": "gold",
                "kept": True,
            }
        )
    return tables.from_rows(rows, tables.ENTITIES)


def _lines(path: str) -> Iterator[tuple[int, str]]:
    with fsspec.open(path, "rt", encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            line = line.removesuffix("\n").removesuffix("\r")
            if line:
                yield number, line


def _write(path: str, lines: Iterable[str]) -> None:
    fs, target = fsspec.url_to_fs(path)
    with fs.open(f"{target}.tmp", "wt", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
    fs.mv(f"{target}.tmp", target)
