"""Arrow schemas of the tables that all steps share, and reading and writing them as Parquet.

Times are in seconds (float64). Spans are half-open character ranges of the transcript. Paths are local or fsspec URIs.
"""

import io
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.files import filesystem, write_bytes
from pipeline.ids import as_id

GOLD = "gold"
"""Source of reference labels and transcripts in the tables."""

REVIEW = "review"
"""Source of entities that a person corrected or added, and cause of those that a person rejected."""


def schema(columns: str, **types: pa.DataType) -> pa.Schema:
    """Make a schema of columns written as ``name: type``; a type followed by ``?`` is nullable.

    Args:
        columns: Columns in order, with a comma between them; types are Arrow's aliases, such as ``int32``.
        types: Further types by name.
    """
    fields = []
    for column in columns.split(","):
        name, kind = column.strip().split(": ")
        alias = kind.removesuffix("?")
        fields.append(pa.field(name, types.get(alias) or pa.type_for_alias(alias), nullable=kind.endswith("?")))
    return pa.schema(fields)


_TIMES = "start_s: float64, end_s: float64, confidence: float64?"
WORD = pa.struct(list(schema(f"text: string, char_start: int32, char_end: int32, {_TIMES}")))

RECORDINGS = schema(
    "recording_id: string, path: string?, fingerprint: string?, split: string?, phase: string?, duration_s: float64?, "
    "sample_rate: int32?, channels: int32?, note: string?"
)

TRANSCRIPTS = schema(
    "recording_id: string, language: string, text: string, words: words, recognizer: string", words=pa.list_(WORD)
)

ENTITIES = schema(
    "recording_id: string, type: string, group: string, text: string, char_start: int32?, char_end: int32?, "
    "start_s: float64?, end_s: float64?, confidence: float64?, source: string, match: string?, cause: string?, "
    "kept: bool"
)

FAILURES = schema("recording_id: string, stage: string, error: string")

SCHEMAS = {"recordings": RECORDINGS, "transcripts": TRANSCRIPTS, "entities": ENTITIES, "failures": FAILURES}


def from_rows(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Create a table from rows; missing columns become null.

    Raises:
        pyarrow.ArrowInvalid: A row lacks a required column or has a value of another type.
    """
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    table.validate(full=True)
    return _complete(table)


def fit(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Cast a table to a schema; missing columns become null, and extra columns are dropped."""
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def write(table: pa.Table, folder: str, name: str = "part-0") -> None:
    """Write a table atomically as ``<folder>/<name>.parquet``."""
    content = io.BytesIO()
    pq.write_table(table, content, compression="zstd")
    write_bytes(f"{folder}/{name}.parquet", content.getvalue())


def read(folder: str, schema: pa.Schema) -> pa.Table:
    """Read all Parquet files of a folder as one table, which is empty if the folder is missing or empty.

    Raises:
        pyarrow.ArrowInvalid: A file does not match the schema, or a required column has nulls.
    """
    return _complete(pa.concat_tables([schema.empty_table(), *(read_file(file, schema) for file in files(folder))]))


def read_file(path: str, schema: pa.Schema) -> pa.Table:
    """Read a Parquet file; see ``read``.

    Args:
        path: A local path or an fsspec URI.
        schema: Its columns; those that it lacks are null.
    """
    fs, file = filesystem(path)
    table = _complete(pq.read_table(file, filesystem=fs, schema=schema))
    if "recording_id" not in schema.names:
        return table
    ids = pa.array(map(as_id, table["recording_id"].to_pylist()), pa.string())
    return table.set_column(schema.get_field_index("recording_id"), schema.field("recording_id"), ids)


def is_there(folder: str) -> bool:
    """Say whether a folder holds a table, which may be empty."""
    return bool(files(folder))


def files(folder: str) -> list[str]:
    """Return the paths or URIs of a folder's Parquet files, sorted."""
    fs, root = filesystem(folder)
    found = fs.find(root, maxdepth=1) if fs.isdir(root) else []
    return sorted(f"{folder}/{PurePosixPath(file).name}" for file in found if file.endswith(".parquet"))


def _complete(table: pa.Table) -> pa.Table:
    for field in table.schema:
        if not field.nullable and table[field.name].null_count:
            raise pa.ArrowInvalid(f"column {field.name} has rows without a value")
    return table
