"""Read and write the competition's submission files, ``task1_answer.txt`` and ``task2_answer.txt``.

Task 1 has a line ``id<TAB>transcript`` for each transcript, task 2 a line ``id<TAB>TYPE<TAB>start<TAB>end<TAB>text``
for each kept entity, with times in seconds to three decimals.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

import fsspec
import pyarrow as pa

from pipeline import tables
from pipeline.errors import UserError

TASK1 = "task1_answer.txt"
TASK2 = "task2_answer.txt"

TYPE = re.compile(r"[A-Z][A-Z0-9_-]*")
"""Pattern of the name of an entity type."""

_ID = re.compile(r"[^\s\x00-\x1f\x7f/\\](?:[^\x00-\x1f\x7f/\\\x85\u2028\u2029]*[^\s\x00-\x1f\x7f/\\])?")


def id_order(recording_id: str) -> tuple[int, int, str]:
    """Return the sort key of a recording id: numeric ids come first, by value, then the others as text."""
    number = recording_id.isascii() and recording_id.isdigit()
    return (0, int(recording_id), recording_id) if number else (1, 0, recording_id)


def write_task1(transcripts: pa.Table, path: str) -> None:
    """Write one line for each transcript, sorted by id; without speech, its text is empty."""
    rows = sorted(transcripts.select(["recording_id", "text"]).to_pylist(), key=lambda r: id_order(r["recording_id"]))
    _write(path, (f"{row['recording_id']}\t{row['text']}" for row in rows))


def write_task2(entities: pa.Table, path: str) -> None:
    """Write one line for each kept entity that has times, sorted by id, start, end, type and text; equal lines once."""
    rows = [row for row in entities.to_pylist() if row["kept"] and row["start_s"] is not None]
    rows.sort(key=lambda r: (id_order(r["recording_id"]), r["start_s"], r["end_s"], r["type"], r["text"]))
    lines = (
        f"{row['recording_id']}\t{row['type']}\t{row['start_s']:.3f}\t{row['end_s']:.3f}\t{row['text']}" for row in rows
    )
    _write(path, dict.fromkeys(lines))


def read_task1(path: str, malformed: list[str] | None = None) -> dict[str, str]:
    """Read transcripts by recording id, in file order. Tabs at the end of a line are removed.

    Args:
        path: A file in UTF-8, with or without BOM, with LF or CRLF.
        malformed: Collects a message with file and line number for each malformed line. None: raise an error instead.

    Raises:
        UserError: The file cannot be read, or a line has no tab, no id, or the id of an earlier line.
    """
    transcripts: dict[str, str] = {}
    for number, line in _lines(path):
        recording_id, tab, text = line.partition("\t")
        recording_id = recording_id.strip()
        if not tab or not recording_id or "\r" in text:
            _report_malformed(f"{path}, line {number}: not an id and a transcript with a tab between them.", malformed)
        elif recording_id in transcripts:
            _report_malformed(f"{path}, line {number}: a second transcript for recording {recording_id}.", malformed)
        else:
            transcripts[recording_id] = text.rstrip("\t")
    return transcripts


def read_task2(path: str, malformed: list[str] | None = None) -> pa.Table:
    """Read entities as a table, with times and without spans.

    A missing text is read as empty. Spaces and tabs around a text are removed.

    Args:
        path: A file in UTF-8, with or without BOM, with LF or CRLF.
        malformed: Collects a message with file and line number for each malformed line. None: raise an error instead.

    Raises:
        UserError: The file cannot be read, or a line does not have the fields id, type, start, end and optionally text.
    """
    rows: list[dict[str, Any]] = []
    for number, line in _lines(path):
        try:
            rows.append(_entity(line))
        except ValueError as error:
            _report_malformed(f"{path}, line {number}: {error}.", malformed)
    return tables.from_rows(rows, tables.ENTITIES)


def is_id(recording_id: str) -> bool:
    """Return whether a text is a valid recording id: a file name without its suffix that fits on a line."""
    return bool(_ID.fullmatch(recording_id)) and recording_id not in (".", "..")


def _entity(line: str) -> dict[str, Any]:
    fields = [field.strip() for field in line.rstrip("\t ").split("\t")]
    if not 4 <= len(fields) <= 5 or "\r" in line:
        raise ValueError("not id, type, start, end and text, separated by tabs")
    recording_id, kind, start, end, text = [*fields, ""][:5]
    if not recording_id or not TYPE.fullmatch(kind):
        raise ValueError("no id, or a type that is not made of capital letters, digits, _ and -")
    try:
        start_s, end_s = float(start), float(end)
    except ValueError:
        raise ValueError("start and end are not numbers of seconds") from None
    if not 0 <= start_s <= end_s < math.inf:
        raise ValueError("it starts before 0 or after its end")
    row = {"recording_id": recording_id, "type": kind, "group": "", "text": text}
    return row | {"start_s": start_s, "end_s": end_s, "source": tables.GOLD, "kept": True}


def _report_malformed(message: str, malformed: list[str] | None) -> None:
    if malformed is None:
        raise UserError(message)
    malformed.append(message)


def _lines(path: str) -> Iterator[tuple[int, str]]:
    try:
        with fsspec.open(path, "rt", encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                line = line.removesuffix("\n").removesuffix("\r")
                if line.strip():
                    yield number, line
    except UnicodeDecodeError:
        raise UserError(f"{path} is not in UTF-8: save it as UTF-8 text.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or type(error).__name__}.") from None


def _write(path: str, lines: Iterable[str]) -> None:
    fs, target = fsspec.url_to_fs(path)
    with fs.open(f"{target}.tmp", "wt", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
    fs.mv(f"{target}.tmp", target)
