"""What a run has finished so far: Parquet files in ``parts/``, each with some recordings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline import tables
from pipeline.ids import id_order

_ENTITY, _FAILURE = (pa.struct(list(schema)[1:]) for schema in (tables.ENTITIES, tables.FAILURES))  # without the id
_TIMING = pa.struct(list(tables.schema("stage: string?, worker: string?, load_s: float64?, seconds: float64?")))

RESULT = tables.schema(
    "recording_id: string, path: string?, fingerprint: string?, duration_s: float64?, sample_rate: int32?, "
    "channels: int32?, note: string?, language: string?, text: string?, words: words?, recognizer: string?, "
    "confidence: float64?, entities: entities?, failure: failure?, timings: timings?",
    words=pa.list_(tables.WORD),
    entities=pa.list_(_ENTITY),
    failure=_FAILURE,
    timings=pa.list_(_TIMING),
)
"""One finished recording: its transcript and entities, or its failure, and the seconds that each stage took.
``fingerprint`` is the state of its file (see ``pipeline.fingerprints``). ``confidence`` is the mean token probability
of Whisper, or null if its library gives none."""

Rows = Mapping[str, Mapping[str, Any]]
"""Recordings by id, each with at least ``path`` and ``fingerprint``."""


@dataclass(frozen=True)
class Parts:
    """The results of the recordings that there are now.

    Attributes:
        results: One row of each, sorted by id; table of ``RESULT``.
        changed: Number of recordings with results of a file that has changed since then, and no others.
        gone: Number of recordings with results that are there no more.
        damaged: Number of files that cannot be read.
    """

    results: pa.Table
    changed: int
    gone: int
    damaged: int

    def ids(self, failed: bool = True) -> set[str]:
        """Return the ids of all results, or of those that did not fail."""
        results = self.results if failed else self.results.filter(self.results["failure"].is_null())
        return set(results["recording_id"].to_pylist())


def recordings_of(folder: str) -> dict[str, dict[str, Any]]:
    """Return all recordings that have results, whether they are there still or not: id, path and fingerprint, by id."""
    results, _ = _read_all(folder)
    return {row["recording_id"]: row for row in results.select(["recording_id", "path", "fingerprint"]).to_pylist()}


def read(folder: str, recordings: Rows) -> Parts:
    """Read the results of recordings.

    A recording may be there several times, as a task ran twice, or was to try it again: one that did not fail counts.

    Args:
        folder: The folder of the parts, a path or URI.
        recordings: Those that there are now.
    """
    results, damaged = _read_all(folder)
    columns = (results[name].to_pylist() for name in ("recording_id", "fingerprint"))
    row_of: dict[str, int] = {}
    others: set[str] = set()
    for row, (recording_id, fingerprint) in enumerate(zip(*columns, strict=True)):
        if recording_id not in recordings or recordings[recording_id].get("fingerprint") != fingerprint:
            others.add(recording_id)
        elif recording_id not in row_of or results["failure"][row_of[recording_id]].is_valid:
            row_of[recording_id] = row
    current = results.take(pa.array([row_of[each] for each in sorted(row_of, key=id_order)], pa.int64()))
    gone = len(others - recordings.keys())
    return Parts(current, len(others - row_of.keys()) - gone, gone, damaged)


def _read_all(folder: str) -> tuple[pa.Table, int]:
    """Return all results, and the number of files that cannot be read."""
    parts, damaged = [RESULT.empty_table()], 0
    for file in tables.files(folder):
        try:
            parts.append(tables.read_file(file, RESULT))
        except (pa.ArrowException, OSError, ValueError):
            damaged += 1
    return pa.concat_tables(parts), damaged
