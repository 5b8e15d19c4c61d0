"""The Arrow schemas that every step shares, and Parquet in and out.

Times are seconds (float64), spans are characters of the transcript, half open. Paths are local or fsspec URIs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


WORD = pa.struct(
    [
        _required("text", pa.string()),
        _required("char_start", pa.int32()),
        _required("char_end", pa.int32()),
        _required("start_s", pa.float64()),
        _required("end_s", pa.float64()),
        pa.field("confidence", pa.float64()),
    ]
)

RECORDINGS = pa.schema(
    [
        _required("recording_id", pa.string()),
        pa.field("path", pa.string()),
        pa.field("split", pa.string()),
        pa.field("phase", pa.string()),
        pa.field("duration_s", pa.float64()),
        pa.field("sample_rate", pa.int32()),
        pa.field("channels", pa.int32()),
    ]
)

TRANSCRIPTS = pa.schema(
    [
        _required("recording_id", pa.string()),
        _required("language", pa.string()),
        _required("text", pa.string()),
        _required("words", pa.list_(WORD)),
        _required("recognizer", pa.string()),
    ]
)

ENTITIES = pa.schema(
    [
        _required("recording_id", pa.string()),
        _required("type", pa.string()),
        _required("group", pa.string()),
        _required("text", pa.string()),
        pa.field("char_start", pa.int32()),
        pa.field("char_end", pa.int32()),
        pa.field("start_s", pa.float64()),
        pa.field("end_s", pa.float64()),
        pa.field("confidence", pa.float64()),
        _required("source", pa.string()),
        pa.field("match", pa.string()),
        pa.field("cause", pa.string()),
        _required("kept", pa.bool_()),
    ]
)

FAILURES = pa.schema(
    [
        _required("recording_id", pa.string()),
        _required("stage", pa.string()),
        _required("error", pa.string()),
    ]
)

SCHEMAS: dict[str, pa.Schema] = {
    "recordings": RECORDINGS,
    "transcripts": TRANSCRIPTS,
    "entities": ENTITIES,
    "failures": FAILURES,
}


def from_rows(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Make a table from rows; columns that a row lacks are null.

    Raises:
        pyarrow.ArrowInvalid: A row lacks a required column or holds a value of another kind.
    """
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    table.validate(full=True)
    return _complete(table)


def write(table: pa.Table, folder: str, name: str = "part-0") -> None:
    """Write a table as ``<folder>/<name>.parquet``; the file appears whole or not at all."""
    fs, root = fsspec.url_to_fs(folder)
    fs.makedirs(root, exist_ok=True)
    target = f"{root}/{name}.parquet"
    pq.write_table(table, f"{target}.tmp", filesystem=fs, compression="zstd")
    fs.mv(f"{target}.tmp", target)


def read(folder: str, schema: pa.Schema) -> pa.Table:
    """Read all Parquet files of a folder as one table; a folder that is missing or empty gives no rows.

    Raises:
        pyarrow.ArrowInvalid: A file's columns do not fit the schema, or a required one is missing.
    """
    fs, root = fsspec.url_to_fs(folder)
    found = fs.find(root, maxdepth=1) if fs.isdir(root) else []
    files = sorted(file for file in found if file.endswith(".parquet"))
    return _complete(
        pa.concat_tables([schema.empty_table(), *(pq.read_table(file, filesystem=fs, schema=schema) for file in files)])
    )


def _complete(table: pa.Table) -> pa.Table:
    for field in table.schema:
        if not field.nullable and table[field.name].null_count:
            raise pa.ArrowInvalid(f"column {field.name} has rows without a value")
    return table
