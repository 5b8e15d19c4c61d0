"""Read the transcripts and entities of a folder that holds submission files or the tables of a run."""

from dataclasses import dataclass

import fsspec
import pyarrow as pa

from pipeline import submission, tables
from pipeline.errors import UserError
from pipeline.files import absolute


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


def read_submission(option: str, path: str, prefer_tables: bool = False) -> Submission:
    """Read ``task1_answer.txt`` and ``task2_answer.txt``, or the tables ``transcripts/`` and ``entities/``.

    Args:
        option: Command-line option that gave the folder, for error messages.
        path: A local path or an fsspec URI.
        prefer_tables: If the folder holds both, read the tables and not the text files.

    Raises:
        UserError: The folder does not exist, holds neither, or has a file that cannot be read.
    """
    folder = absolute(path)
    fs, root = fsspec.url_to_fs(folder)
    if not fs.isdir(root):
        raise UserError(f"{option} {path}: there is no such folder.")
    texts = {name for name in (submission.TASK1, submission.TASK2) if fs.exists(f"{root}/{name}")}
    parquet = {name for name in ("transcripts", "entities") if fs.glob(f"{root}/{name}/*.parquet")}
    if not texts and not parquet:
        raise UserError(
            f"{option} {path} holds neither {submission.TASK1} nor {submission.TASK2}, nor the tables of a run: "
            "give a folder with submission files."
        )

    transcripts = None
    if "transcripts" in parquet and (prefer_tables or submission.TASK1 not in texts):
        table = _read_table(option, f"{folder}/transcripts", tables.TRANSCRIPTS)
        transcripts = dict(zip(table["recording_id"].to_pylist(), table["text"].to_pylist(), strict=True))
    elif submission.TASK1 in texts:
        transcripts = submission.read_task1(f"{folder}/{submission.TASK1}")

    entities, has_tables = None, False
    if "entities" in parquet and (prefer_tables or submission.TASK2 not in texts):
        entities, has_tables = _read_table(option, f"{folder}/entities", tables.ENTITIES), True
    elif submission.TASK2 in texts:
        entities = submission.read_task2(f"{folder}/{submission.TASK2}")
    return Submission(path, transcripts, entities, has_tables)


def _read_table(option: str, path: str, schema: pa.Schema) -> pa.Table:
    try:
        return tables.read(path, schema)
    except (pa.ArrowException, OSError):
        raise UserError(f"{option}: {path} is not the table that jobs.predict writes: give its out folder.") from None
