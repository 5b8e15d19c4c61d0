"""The reference method's ``transcriptions.json`` read as a table of transcripts."""

import json
import math
from typing import Any

import fsspec
import pyarrow as pa

from pipeline import answers, tables
from pipeline.errors import UserError
from pipeline.outputs.corrections import retime
from pipeline.speech.language import language_of
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces

RECOGNIZER = "transcriptions.json"
"""What the table names as the recogniser, which the file does not tell."""


def read_json(path: str) -> Any:
    """Read a JSON file in UTF-8.

    Raises:
        UserError: The file cannot be read or is not JSON.
    """
    try:
        with fsspec.open(path, "rb") as file:
            return json.loads(file.read().decode("utf-8-sig"))
    except ValueError:
        raise UserError(f"{path} is not JSON in UTF-8: give the file as it was exported.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or type(error).__name__}.") from None


def read(path: str) -> pa.Table:
    """Read transcripts with their timed words, in the file's order.

    Args:
        path: A file that holds ``{"<id>.wav": {"language", "text", "words": [{"word", "start", "end"}]}}``, times in
            seconds.

    Raises:
        UserError: The file or an entry of it is not of that form, or two entries are of one recording.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f'{path} is no transcriptions.json: it should hold {{"<id>.wav": {{"text", "words", …}}}}.')
    rows: dict[str, dict[str, Any]] = {}
    for name, entry in content.items():
        stem, dot, suffix = name.rpartition(".")
        recording_id = stem if dot and stem else suffix
        if not answers.is_id(recording_id):
            raise UserError(f"{path}: the name of entry {len(rows) + 1} cannot be that of a recording's file.")
        if recording_id in rows:
            raise UserError(f"{path}: two entries are of recording {recording_id}: leave one out.")
        try:
            transcript = _transcript(entry)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise UserError(
                f"{path}: the entry {name} lacks text, or words with word, start and end in seconds."
            ) from None
        rows[recording_id] = row(recording_id, transcript)
    return tables.from_rows(rows.values(), tables.TRANSCRIPTS)


def row(recording_id: str, transcript: Transcript) -> dict[str, Any]:
    """Return a transcript as a row of the table."""
    words = [vars(word) for word in transcript.words]
    about = {
        "recording_id": recording_id,
        "language": language_of(transcript.text),
        "recognizer": transcript.recognizer,
    }
    return about | {"text": transcript.text, "words": words}


def _transcript(entry: dict[str, Any]) -> Transcript:
    if not all(isinstance(word["word"], str) for word in entry["words"]):
        raise TypeError("a word is no text")
    timed = [(word["word"], float(word["start"]), float(word["end"])) for word in entry["words"]]
    if any(not 0 <= start <= end < math.inf for _, start, end in timed):
        raise ValueError("a word starts before 0 or after its end")
    end_s = max((end for _, _, end in timed), default=0.0)
    said = transcript_from_pieces([Piece(f" {word}", start, end) for word, start, end in timed], end_s, RECOGNIZER)
    return retime(said, entry["text"])
