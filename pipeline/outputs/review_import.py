"""The corrections file of a review, read and checked against its run."""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from pipeline import submission
from pipeline.errors import UserError
from pipeline.outputs.review import Corrections, Decision, Row, by_recording, digest, overlap, place_of
from pipeline.outputs.transcriptions import is_writable, read_json
from pipeline.tagging.known_types import known_types

_HAS_TO_BE = {
    "checked": "true or false",
    "entities": "a list",
    "decision": "accept, reject, change or add",
    "entity": "a number from 0",
    "type": "a type",
    "char_start": "a number from 0",
    "char_end": "a number from 0",
}
_TAKES = {
    "accept": {"entity"},
    "reject": {"entity"},
    "change": {"entity", "type", "char_start", "char_end"},
    "add": {"type", "char_start", "char_end"},
}
_PLACE = {"char_start", "char_end"}


def known_to(run: Mapping[str, pa.Table]) -> Collection[str]:
    """Return the types that a reviewer of a run may choose: those that are built in, and those of its entities."""
    return known_types() | set(run["entities"]["type"].to_pylist())


def read(path: str, run: Mapping[str, pa.Table]) -> Corrections:
    """Read a corrections file.

    Args:
        path: A file that the page of ``jobs.report --show-text`` saved, a local path or an fsspec URI.
        run: The tables of the run that the page shows.

    Raises:
        UserError: The file cannot be read, is none, or is of another run; or a decision cannot be of this run, or
            overlaps another. The message names the recording and the decision, counted from 1, without any text.
    """
    content = read_json(path)
    if not is_writable(content):
        raise UserError(f"{path} has half a character (such as \\ud800): save the corrections anew.")
    texts = dict(zip(*(run["transcripts"][name].to_pylist() for name in ("recording_id", "text")), strict=True))
    try:
        corrections = Corrections.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}{_malformed(error, content, texts)}") from None
    if corrections.corrections_of != digest(run):
        raise UserError(
            f"{path} is of another run, or the run has changed since: make the report again, and review that."
        )
    rows, types = by_recording(run), known_to(run)
    for place, (recording_id, reviewed) in enumerate(corrections.recordings.items(), start=1):
        if recording_id not in texts:
            raise UserError(f"{path}: its recording number {place} has no transcript in the run.")
        where = f"{path}: recording {recording_id}"
        decided: set[int | None] = set()
        for number, decision in enumerate(reviewed.entities, start=1):
            fault = _fault(decision, rows[recording_id], texts[recording_id], types)
            if decision.entity is not None and decision.entity in decided:
                fault = f"it is a second one on entity {decision.entity}"
            if fault:
                raise UserError(f"{where}, decision {number}: {fault}.")
            decided.add(decision.entity)
        if clash := _clash(reviewed.entities, rows[recording_id]):
            raise UserError(f"{where}: what decisions {clash[0]} and {clash[1]} keep overlaps: reject or move one.")
    return corrections


def _malformed(error: ValidationError, content: Any, ids: Collection[str]) -> str:
    """Say behind the path what is wrong with the form of a file."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = first["loc"]
    if len(place) < 2:
        return " is no corrections file: give one that the page of jobs.report --show-text has saved."
    where = f": its recording number {list(content['recordings']).index(place[1]) + 1}"
    if place[1] in ids:
        where = f": recording {place[1]}"
    if len(place) > 3 and isinstance(place[3], int):
        where += f", decision {place[3] + 1}"
    if first["type"] == "extra_forbidden":
        return f"{where} has a key that does not belong there."
    names = [name for name in place[2:] if name in _HAS_TO_BE]
    if not names or (names[-1] == "entities" and len(place) > 3):
        return f"{where} is no object in braces."
    return f"{where}: {names[-1]} has to be {_HAS_TO_BE[str(names[-1])]}."


def _fault(decision: Decision, rows: Sequence[Row], text: str, types: Collection[str]) -> str | None:
    """Say why a decision cannot be one on an entity of a recording."""
    number = decision.entity
    if number is not None and number >= len(rows):
        return f"there is no entity {number}, as the recording has {len(rows)}"
    wanted = _TAKES[decision.decision]
    if decision.decision == "change" and number is not None and rows[number]["char_start"] is None:
        wanted = wanted - _PLACE
    given = {name for name, value in decision if value is not None} - {"decision"}
    if given != wanted:
        return f"{decision.decision} takes {', '.join(sorted(wanted))} here, and nothing else"
    if decision.type is not None and not submission.TYPE.fullmatch(decision.type):
        return "its type is none in capitals, as PATIENT"
    if decision.type is not None and decision.type not in types:
        return submission.unknown_type(decision.type, types)
    if decision.char_start is not None and decision.char_end is not None:
        said = text[decision.char_start : decision.char_end]
        if decision.char_end > len(text) or not said or said != said.strip():
            return f"char_start and char_end are not those of words in the {len(text)} characters of the transcript"
    return None


def _clash(decisions: Sequence[Decision], rows: Sequence[Row]) -> tuple[int, int] | None:
    """Return the numbers, from 1, of two decisions that keep entities which overlap."""
    kept = [(place, number) for number, each in enumerate(decisions, start=1) if (place := place_of(each, rows))]
    for (one, first), (other, second) in pairwise(sorted(kept)):
        if overlap(one, other):
            return min(first, second), max(first, second)
    return None
