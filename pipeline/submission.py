"""Read and write the competition's submission files, ``task1_answer.txt`` and ``task2_answer.txt``.

Task 1 has a line ``id<TAB>transcript`` for each transcript, task 2 a line ``id<TAB>TYPE<TAB>start<TAB>end<TAB>text``
for each kept entity, with times in seconds to three decimals.
"""

import io
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline import tables
from pipeline.errors import UserError, nearest, reason
from pipeline.files import absolute, filesystem, no_folder, open_binary, write_text
from pipeline.ids import as_id, id_order
from pipeline.intervals import is_span
from pipeline.table_rows import check_rows
from pipeline.text_encoding import not_utf8
from pipeline.unfinished import refuse_unfinished

TASK1 = "task1_answer.txt"
TASK2 = "task2_answer.txt"

TYPE = re.compile(r"[A-Z][A-Z0-9_-]*")
"""Pattern of the name of an entity type."""

_MOST_SHOWN = 60  # characters of a type that there is not


def unknown_type(type_: str, known: Collection[str]) -> str:
    """Say that there is no such type, and which is the nearest."""
    shown = type_ if type_.isprintable() and len(type_) <= _MOST_SHOWN else ascii(type_)[:_MOST_SHOWN]
    return f"there is no type {shown}; the nearest is {nearest(type_.upper(), known)}"


def write_task1(transcripts: pa.Table, path: str) -> None:
    """Write one line for each transcript, sorted by id; without speech, its text is empty."""
    rows = sorted(transcripts.select(["recording_id", "text"]).to_pylist(), key=lambda r: id_order(r["recording_id"]))
    write_text(path, "".join(f"{row['recording_id']}\t{row['text']}\n" for row in rows))


def write_task2(entities: pa.Table, path: str) -> None:
    """Write one line for each kept entity that has times, sorted by id, start, end, type and text; equal lines once."""
    rows = [row for row in entities.to_pylist() if in_task2(row)]
    rows.sort(key=lambda r: (id_order(r["recording_id"]), r["start_s"], r["end_s"], r["type"], r["text"]))
    lines = (
        f"{row['recording_id']}\t{row['type']}\t{row['start_s']:.3f}\t{row['end_s']:.3f}\t{row['text']}\n"
        for row in rows
    )
    write_text(path, "".join(dict.fromkeys(lines)))


def in_task2(entity: Mapping[str, Any]) -> bool:
    """Return whether task 2 holds an entity, a row of the table: it is kept and has times."""
    return entity["kept"] and entity["start_s"] is not None


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
        recording_id = as_id(recording_id)
        if not tab or not recording_id or "\r" in text:
            _report_malformed(f"{path}, line {number}: not an id and a transcript with a tab between them.", malformed)
        elif recording_id in transcripts:
            _report_malformed(f"{path}, line {number}: a second transcript for recording {recording_id}.", malformed)
        else:
            transcripts[recording_id] = text.rstrip("\t")
    return transcripts


def read_task2(path: str, malformed: list[str] | None = None, types: Collection[str] | None = None) -> pa.Table:
    """Read entities as a table, with times and without spans.

    A missing text is read as empty. Spaces and tabs around a text are removed.

    Args:
        path: A file in UTF-8, with or without BOM, with LF or CRLF.
        malformed: Collects a message with file and line number for each malformed line. None: raise an error instead.
        types: The types that there are; another is an error. None: any are.

    Raises:
        UserError: The file cannot be read, a type is unknown, or a line does not have the fields id, type, start, end
            and optionally text.
    """
    rows: list[dict[str, Any]] = []
    for number, line in _lines(path):
        try:
            rows.append(_entity(line))
        except ValueError as error:
            _report_malformed(f"{path}, line {number}: {error}.", malformed)
        else:
            if types is not None and (type_ := rows[-1]["type"]) not in types:
                unknown = unknown_type(type_, types)
                raise UserError(f"{path}, line {number}: {unknown}. Types of your own are known by --groups-file.")
    return tables.from_rows(rows, tables.ENTITIES)


@dataclass(frozen=True)
class Submission:
    """Transcripts and entities of a folder.

    Attributes:
        path: The folder.
        transcripts: Texts by recording id, or None if the folder has none.
        entities: The entities, or None if the folder has none. Task 2 only contains those that are kept and timed.
        has_tables: Whether the entities were read from a table, with all its columns.
    """

    path: str
    transcripts: dict[str, str] | None
    entities: pa.Table | None
    has_tables: bool


def read_submission(
    option: str, path: str, prefer_tables: bool = False, types: Collection[str] | None = None
) -> Submission:
    """Read ``task1_answer.txt`` and ``task2_answer.txt``, or the tables ``transcripts/`` and ``entities/``.

    Args:
        option: Command-line option that gave the folder, for error messages.
        path: A local path or an fsspec URI.
        prefer_tables: If the folder holds both, read the tables and not the text files.
        types: The types that a text file may hold. None: any.

    Raises:
        UserError: The folder does not exist, holds neither or an unfinished run, or has a file that cannot be read.
    """
    folder = absolute(path)
    fs, root = filesystem(folder)
    if not fs.isdir(root):
        raise UserError(f"{option} {path}{no_folder(folder)}")
    refuse_unfinished(option, path)
    texts = {name for name in (TASK1, TASK2) if fs.exists(f"{root}/{name}")}
    parquet = {name for name in ("transcripts", "entities") if tables.is_there(f"{folder}/{name}")}
    if not texts and not parquet:
        raise UserError(
            f"{option} {path} holds neither {TASK1} nor {TASK2}, nor the tables of a run: "
            "give a folder with submission files."
        )

    transcripts = None
    if "transcripts" in parquet and (prefer_tables or TASK1 not in texts):
        table = read_table(option, f"{folder}/transcripts", tables.TRANSCRIPTS)
        transcripts = dict(zip(table["recording_id"].to_pylist(), table["text"].to_pylist(), strict=True))
    elif TASK1 in texts:
        transcripts = read_task1(f"{folder}/{TASK1}")

    entities, has_tables = None, False
    if TASK2 in texts and not ("entities" in parquet and prefer_tables):
        entities = read_task2(f"{folder}/{TASK2}", types=types)
    if "entities" in parquet and not entities:  # entities without times are in the table alone
        entities, has_tables = read_table(option, f"{folder}/entities", tables.ENTITIES), True
    return Submission(path, transcripts, entities, has_tables)


def read_table(option: str, path: str, schema: pa.Schema) -> pa.Table:
    """Read a table of a run; a UserError, which names the option, says where it is none or has an impossible row."""
    try:
        table = tables.read(path, schema)
    except (pa.ArrowException, OSError, ValueError):
        raise UserError(f"{option}: {path} is not the table that jobs.predict writes: give its out folder.") from None
    check_rows(table, f"{option}: {path}")
    return table


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
    if not is_span(start_s, end_s):
        raise ValueError("it starts before 0 or after its end, or ends beyond any recording")
    row = {"recording_id": as_id(recording_id), "type": kind, "group": "", "text": text}
    return row | {"start_s": start_s, "end_s": end_s, "source": tables.GOLD, "kept": True}


def _report_malformed(message: str, malformed: list[str] | None) -> None:
    if malformed is None:
        raise UserError(message)
    malformed.append(message)


def _lines(path: str) -> Iterator[tuple[int, str]]:
    try:
        with open_binary(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                line = line.removesuffix("\n").removesuffix("\r")
                if line.strip():
                    yield number, line
    except UnicodeDecodeError:
        raise UserError(not_utf8(path)) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {reason(error)}.") from None
