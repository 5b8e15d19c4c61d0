"""The reference method's ``transcriptions.json`` to a table of transcripts, and back."""

import json
from typing import Any

import pyarrow as pa

from pipeline import tables
from pipeline.errors import UserError, reason
from pipeline.files import open_binary, write_json
from pipeline.ids import as_id, is_id
from pipeline.intervals import is_span
from pipeline.outputs.corrections import retime
from pipeline.run_folder import CORRECTED
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces
from pipeline.text_encoding import not_utf8

RECOGNIZER = "transcriptions.json"
"""Recognizer of the transcripts, since the file does not name the ASR model."""


def read_json(path: str) -> Any:
    """Read a JSON file in UTF-8.

    Raises:
        UserError: The file cannot be read or is not JSON.
    """
    try:
        with open_binary(path) as file:
            return json.loads(file.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UserError(not_utf8(path)) from None
    except (ValueError, RecursionError):  # the latter for lists in lists without end
        raise UserError(f"{path} is not JSON: give the file as it was exported.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {reason(error)}.") from None


def as_seconds(value: Any) -> float:
    """Return a number of a JSON file as seconds.

    Raises:
        TypeError, ValueError: It is none.
    """
    if isinstance(value, bool):
        raise TypeError("true and false are no numbers")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a number beyond all others") from None


def is_writable(value: Any) -> bool:
    """Say whether all text in a value of a JSON file is text: JSON can hold half a character (a lone surrogate)."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def read(path: str) -> pa.Table:
    """Read transcripts with their timed words, in the file's order.

    Args:
        path: A file that holds ``{"<id>.wav": {"language", "text", "words": [{"word", "start", "end"}]}}``, with times
            in seconds.

    Returns:
        A table of ``tables.TRANSCRIPTS``. A word without times, which aligners leave where they cannot place it, has
        those that a word has that a corrector adds.

    Raises:
        UserError: The file or an entry does not have that form, or two entries are for the same recording.
    """
    content = read_json(path)
    if content == {}:
        raise UserError(f"{path} is empty: it holds no transcript.")
    if not isinstance(content, dict):
        raise UserError(f'{path} is no transcriptions.json: it should hold {{"<id>.wav": {{"text", "words", …}}}}.')
    rows: dict[str, dict[str, Any]] = {}
    for name, entry in content.items():
        stem, dot, suffix = name.rpartition(".")
        recording_id = as_id(stem if dot and stem else suffix)
        if not is_id(recording_id):
            raise UserError(f"{path}: the name of entry {len(rows) + 1} cannot be that of a recording's file.")
        if recording_id in rows:
            raise UserError(f"{path}: two entries are of recording {recording_id}: leave one out.")
        if not is_writable(entry):
            raise UserError(f"{path}: the entry {name} has half a character (such as \\ud800): export it anew.")
        try:
            transcript = _transcript(entry)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise UserError(
                f"{path}: the entry {name} lacks text, or words with word, start and end in seconds."
            ) from None
        rows[recording_id] = {"recording_id": recording_id} | transcript.to_row()
    return tables.from_rows(rows.values(), tables.TRANSCRIPTS)


def write_transcriptions_json(run: str) -> None:
    """Write a run's transcripts to ``transcriptions_corrected.json`` in its folder, in the form that ``read`` takes.

    Args:
        run: Folder with the tables recordings and transcripts.
    """
    recordings = tables.read(f"{run}/recordings", tables.RECORDINGS)
    names = dict(zip(recordings["recording_id"].to_pylist(), recordings["path"].to_pylist(), strict=True))
    transcripts = {
        (names.get(row["recording_id"]) or f"{row['recording_id']}.wav").rpartition("/")[2]: {
            "language": row["language"],
            "text": row["text"],
            "words": [{"word": word["text"], "start": word["start_s"], "end": word["end_s"]} for word in row["words"]],
        }
        for row in tables.read(f"{run}/transcripts", tables.TRANSCRIPTS).to_pylist()
    }
    write_json(f"{run}/{CORRECTED}", transcripts)


def _transcript(entry: dict[str, Any]) -> Transcript:
    if not all(isinstance(word["word"], str) for word in entry["words"]):
        raise TypeError("a word is no text")
    timed = [
        (word["word"], as_seconds(word["start"]), as_seconds(word["end"]))
        for word in entry["words"]
        if word.get("start") is not None or word.get("end") is not None
    ]
    if not all(is_span(start, end) for _, start, end in timed):
        raise ValueError("a word starts before 0 or after its end")
    end_s = max((end for _, _, end in timed), default=0.0)
    pieces = [Piece(f" {word}", start, end) for word, start, end in timed]
    return retime(transcript_from_pieces(pieces, end_s, RECOGNIZER), entry["text"])
