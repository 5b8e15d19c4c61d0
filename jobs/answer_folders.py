"""Transcripts and entities from a folder, whether it holds the competition's text files or a run's tables."""

from dataclasses import dataclass

import fsspec
import pyarrow as pa

from jobs.command_line import absolute, check_paths
from pipeline import answers, tables
from pipeline.errors import UserError
from pipeline.speech.language import Language, language_of


@dataclass(frozen=True)
class Answers:
    """What a folder holds.

    Attributes:
        path: The folder.
        transcripts: Texts by recording id, or None where the folder has none.
        entities: The entities, or None where the folder has none. Only those kept and timed would be in task 2.
        has_tables: Whether the entities were read from a table, with all its columns.
    """

    path: str
    transcripts: dict[str, str] | None
    entities: pa.Table | None
    has_tables: bool


def read_answers(option: str, path: str, prefer_tables: bool = False) -> Answers:
    """Read ``task1_answer.txt`` and ``task2_answer.txt``, or the tables ``transcripts/`` and ``entities/``.

    Args:
        option: The option that gives the folder, for messages.
        path: A local path or an fsspec URI.
        prefer_tables: Read the tables where a folder holds both; without it, the text files.

    Raises:
        UserError: There is no such folder, it holds neither, or a file in it cannot be read.
    """
    check_paths({option: path})
    folder = absolute(path)
    fs, root = fsspec.url_to_fs(folder)
    if not fs.isdir(root):
        raise UserError(f"{option} {path}: there is no such folder.")
    texts = {name for name in (answers.TASK1, answers.TASK2) if fs.exists(f"{root}/{name}")}
    parquet = {name for name in ("transcripts", "entities") if fs.glob(f"{root}/{name}/*.parquet")}
    if not texts and not parquet:
        raise UserError(
            f"{option} {path} holds neither {answers.TASK1} nor {answers.TASK2}, nor the tables of a run: "
            "give a folder with answers."
        )

    transcripts = None
    if "transcripts" in parquet and (prefer_tables or answers.TASK1 not in texts):
        table = _read_table(option, f"{folder}/transcripts", tables.TRANSCRIPTS)
        transcripts = dict(zip(table["recording_id"].to_pylist(), table["text"].to_pylist(), strict=True))
    elif answers.TASK1 in texts:
        transcripts = answers.read_task1(f"{folder}/{answers.TASK1}")

    entities, has_tables = None, False
    if "entities" in parquet and (prefer_tables or answers.TASK2 not in texts):
        entities, has_tables = _read_table(option, f"{folder}/entities", tables.ENTITIES), True
    elif answers.TASK2 in texts:
        entities = answers.read_task2(f"{folder}/{answers.TASK2}")
    return Answers(path, transcripts, entities, has_tables)


def languages(reference: Answers) -> dict[str, Language]:
    """Tell the language of each recording of the reference by its transcript, or without one by its entities' texts."""
    texts: dict[str, str] = {}
    if reference.entities is not None:
        for row in reference.entities.select(["recording_id", "text"]).to_pylist():
            texts[row["recording_id"]] = texts.get(row["recording_id"], "") + row["text"]
    return {recording_id: language_of(text) for recording_id, text in (texts | (reference.transcripts or {})).items()}


def _read_table(option: str, path: str, schema: pa.Schema) -> pa.Table:
    try:
        return tables.read(path, schema)
    except (pa.ArrowException, OSError):
        raise UserError(f"{option}: {path} is not the table that jobs.predict writes: give its out folder.") from None
