"""Which patient each recording is of."""

import csv
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import UserError, reason
from pipeline.ids import as_id
from pipeline.text_encoding import not_utf8

_COLUMNS = ("recording_id", "patient_id")


def read_patients(path: Path) -> Mapping[str, str]:
    """Read which patient each recording is of, by recording id.

    Args:
        path: A table in UTF-8 with the columns recording_id and patient_id, separated by commas or tabs.

    Raises:
        UserError: The file cannot be read, or is no such table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            dialect = csv.excel_tab if "\t" in file.readline() else csv.excel
            file.seek(0)
            rows = list(csv.DictReader(file, dialect=dialect))
    except UnicodeDecodeError:
        raise UserError(f"--tagger.patients {not_utf8(str(path))}") from None
    except (OSError, csv.Error) as error:
        why = reason(error) if isinstance(error, OSError) else "it is no table"
        raise UserError(f"--tagger.patients {path} cannot be read: {why}.") from None
    if not rows or not set(_COLUMNS) <= set(rows[0]):
        raise UserError(f"--tagger.patients {path}: give a table with the columns {' and '.join(_COLUMNS)}.")
    patients: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        recording_id, patient_id = (as_id((row[name] or "").strip()) for name in _COLUMNS)
        if not recording_id or not patient_id or patients.get(recording_id, patient_id) != patient_id:
            raise UserError(f"--tagger.patients {path}, line {number}: give each recording one patient.")
        patients[recording_id] = patient_id
    return patients
