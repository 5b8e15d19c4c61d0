"""Transcripts that are there already, to be tagged without their sound."""

from typing import Any

import pyarrow as pa

from pipeline import tables
from pipeline.errors import UserError
from pipeline.files import absolute, filesystem
from pipeline.fingerprints import of_row
from pipeline.ids import fault
from pipeline.run_parts import RESULT
from pipeline.speech.language import language_of
from pipeline.submission import read_submission, read_table, read_task1
from pipeline.unfinished import refuse_unfinished

GIVEN = "given"
"""Recognizer of a transcript of which nothing is known but its text."""

_OF_TRANSCRIPT = ("language", "text", "words", "recognizer")
_OF_RECORDING = ("path", "duration_s", "sample_rate", "channels", "note")
SCHEMA = pa.schema([RESULT.field(name) for name in ("recording_id", "fingerprint", *_OF_RECORDING, *_OF_TRANSCRIPT)])


def read(path: str, option: str = "--transcripts") -> dict[str, dict[str, Any]]:
    """Read transcripts, with their word times and what is known of their recordings where they have it.

    Args:
        path: A task 1 file; or a folder with one, or with the table ``transcripts``, such as the out folder of a run.
        option: Command-line option that gave the path, for error messages.

    Returns:
        Rows of ``SCHEMA`` by recording id. Without known words, ``words`` is empty.

    Raises:
        UserError: There is nothing such, or an id cannot name a file.
    """
    folder = absolute(path)
    fs, root = filesystem(folder)
    about: dict[str, dict[str, Any]] = {}
    if fs.isfile(root):
        rows = {key: _of_text(text) for key, text in read_task1(folder).items()}
    elif tables.is_there(f"{folder}/transcripts"):
        refuse_unfinished(option, path)
        about, found = (_by_id(option, folder, name) for name in ("recordings", "transcripts"))
        rows = {key: {name: row[name] for name in _OF_TRANSCRIPT} for key, row in found.items()}
    else:
        rows = {key: _of_text(text) for key, text in (read_submission(option, path).transcripts or {}).items()}
    if not rows:
        raise UserError(f"{option} {path} holds no transcripts: give a task 1 file or the out folder of jobs.predict.")
    for recording_id in rows:
        if why := fault(recording_id):
            raise UserError(f"{option} {path}: {recording_id!a} cannot be a recording's id, as {why}: rename it.")
    known = {key: {name: about.get(key, {}).get(name) for name in _OF_RECORDING} for key in rows}
    given = {key: known[key] | row for key, row in rows.items()}
    return {key: {"recording_id": key, "fingerprint": of_row(row)} | row for key, row in given.items()}


def _of_text(text: str) -> dict[str, Any]:
    return {"language": language_of(text), "text": text, "words": [], "recognizer": GIVEN}


def _by_id(option: str, folder: str, name: str) -> dict[str, dict[str, Any]]:
    rows = read_table(option, f"{folder}/{name}", tables.SCHEMAS[name]).to_pylist()
    return {row["recording_id"]: row for row in rows}
