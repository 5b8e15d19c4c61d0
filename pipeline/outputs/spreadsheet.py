"""Tables of a run, and scores, as CSV or Excel files."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.errors import UserError

SUFFIXES = ".csv", ".xlsx"
_ROWS, _CHARACTERS = 1_048_576, 32_767  # what an Excel sheet and a cell of it hold


def encode(columns: Sequence[str], rows: Sequence[Sequence[Any]], suffix: str) -> bytes:
    """Write rows as a file.

    A text stays a text: one that begins with an equals sign is no formula, in Excel files as in CSV, where a character
    before it (') keeps programs from computing it.

    Args:
        columns: Names of the columns.
        rows: Values, of which None is an empty cell.
        suffix: One of ``SUFFIXES``.

    Raises:
        UserError: An Excel sheet does not hold so many rows or so long a text.
    """
    return _csv(columns, rows) if suffix == ".csv" else _xlsx(columns, rows)


def flat(scores: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Yield the names and values of scores, as in ``entities.micro.f1``; those of single recordings are left out."""
    for name, value in scores.items():
        if name == "worst":
            continue
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield from flat({str(number): each for number, each in enumerate(value, start=1)}, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_no_formula(value) if isinstance(value, str) else value for value in row])
    return file.getvalue().encode("utf-8-sig")  # by its mark Excel knows the encoding


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _xlsx(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if len(rows) >= _ROWS:
        raise UserError(f"{len(rows)} rows are more than a sheet of Excel holds: give a file with the suffix .csv.")
    book = Workbook()
    sheet = book.active
    sheet.append(list(columns))
    sheet.freeze_panes = "A2"
    for at, row in enumerate(rows, start=2):
        for column, value in enumerate(row, start=1):
            if isinstance(value, str):
                if len(value) > _CHARACTERS:
                    raise UserError("A text is longer than a cell of Excel holds: give a file with the suffix .csv.")
                cell = sheet.cell(at, column)
                cell.value, cell.data_type = ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", value), "s"
            elif value is not None:
                sheet.cell(at, column, value)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()
