"""What stands in the rows of a table from elsewhere: times, places and paths that there can be."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UserError
from pipeline.intervals import LONGEST_S

_PAIRS = (
    ("start_s", "end_s", LONGEST_S, "times in a recording"),
    ("char_start", "char_end", 2**31, "a place in a text"),
)


def check_rows(table: pa.Table, where: str, paired: bool = True) -> None:
    """Refuse a row with a value that there cannot be.

    Args:
        table: Any of the tables of a run.
        where: The option and the path that gave it, for the message.
        paired: Whether there is no start without its end either.

    Raises:
        UserError: A time or a confidence is not finite, negative or beyond sense, a start lacks its end, or a path has
            a character that none has; the message names the first such row, counted from 1.
    """
    faults = list(_faults(table, paired))
    if "words" in table.column_names:
        words = table["words"].combine_chunks()
        rows = pc.list_parent_indices(words).to_numpy()
        faults += [(rows[bad], f"of a word {what}") for bad, what in _faults(_columns(pc.list_flatten(words)), paired)]
    if faults:
        row, what = min((int(rows[0]), what) for rows, what in faults)
        raise UserError(f"{where}, row {row + 1}: {what}.")


def _columns(words: pa.StructArray) -> pa.Table:
    return pa.table({field.name: pc.struct_field(words, field.name) for field in words.type})


def _faults(table: pa.Table, paired: bool) -> Iterator[tuple[np.ndarray, str]]:
    """Yield the rows, of which there are some, that have a fault, and the fault."""
    for start, end, most, what in _PAIRS:
        if {start, end} <= set(table.column_names):
            bad = _beyond(table[start], most) | _beyond(table[end], most)
            bad |= paired & (_known(table[start]) != _known(table[end]))
            if bad.any():
                yield np.flatnonzero(bad), f"{start} and {end} are not {what}"
    for name, most, what in (
        ("duration_s", LONGEST_S, "the length of a recording"),
        ("confidence", 1e6, "a probability or a sum of votes"),
    ):
        if name in table.column_names and (bad := _beyond(table[name], most)).any():
            yield np.flatnonzero(bad), f"{name} is not {what}"
    if "path" in table.column_names:
        bad = pc.fill_null(pc.match_substring(table["path"], "\0"), False).to_numpy()
        if bad.any():
            yield np.flatnonzero(bad), "path is not that of a file"


def _known(column: pa.ChunkedArray) -> np.ndarray:
    return column.is_valid().to_numpy()


def _beyond(column: pa.ChunkedArray, most: float) -> np.ndarray:
    """Say of each value whether it is known and not between 0 and the most; NaN is not."""
    values = column.cast(pa.float64()).to_numpy()
    return _known(column) & ~((values >= 0) & (values <= most))
