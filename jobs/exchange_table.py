"""A table of a run, or scores, for programs that read CSV or Excel."""

from pathlib import PurePosixPath
from typing import Literal

from jobs.command_line import check_paths
from pipeline.errors import UserError
from pipeline.files import absolute, check_file, write_bytes, writing
from pipeline.outputs.spreadsheet import SUFFIXES, encode, flat
from pipeline.outputs.transcriptions import read_json
from pipeline.run_folder import read_run


def to_table(
    out: str,
    run: str | None = None,
    scores: str | None = None,
    table: Literal["entities", "transcripts", "recordings", "failures"] = "entities",
    overwrite: bool = False,
) -> None:
    """Write a table of a run, or scores, as CSV or for Excel.

    The file of entities or transcripts holds patient text.

    Args:
        out: File to write, with the suffix .csv or .xlsx.
        run: Folder of a finished run of jobs.predict.
        scores: In place of a run, the JSON file of jobs.score: each score by its name.
        table: Which table of the run; of transcripts, without the times of their words.
        overwrite: Replace the file.
    """
    given = {option: path for option, path in (("--run", run), ("--scores", scores)) if path}
    if len(given) != 1:
        raise UserError("Give --run or --scores, one of them.")
    suffix = PurePosixPath(out).suffix
    if suffix not in SUFFIXES:
        raise UserError(f"--out {out}: give a file with the suffix {' or '.join(SUFFIXES)}.")
    check_paths(given | {"--out": out})
    if scores:
        told = read_json(absolute(scores))
        if not isinstance(told, dict) or not {"transcripts", "entities"} & told.keys():
            raise UserError(f"--scores {scores} is no file of jobs.score.")
        columns, rows = ["score", "value"], [*map(list, flat(told))]
    else:
        found = read_run(run or "")[table]
        columns = [name for name in found.column_names if name not in ("words", "fingerprint")]
        rows = [list(row.values()) for row in found.select(columns).to_pylist()]
    check_file("--out", out, overwrite)
    with writing(out):
        write_bytes(absolute(out), encode(columns, rows, suffix))
    print(f"{len(rows)} {'scores' if scores else table}: {absolute(out)}")
