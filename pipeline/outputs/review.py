"""Reviews of a run: what a person decided on its entities, and the run with these decisions.

The page of ``jobs.report --show-text`` saves a review as a corrections file, ``review_import`` reads it. Entities go by
their numbers among their recording's rows in the table, from 0.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from pipeline import tables
from pipeline.speech.words import Transcript
from pipeline.tagging.entities import Entity
from pipeline.tagging.overlaps import OVERLAP

Row = Mapping[str, Any]
Place = tuple[int, int]

_OF_ENTITY = ["recording_id", "type", "char_start", "char_end", "start_s", "end_s", "kept"]
_Number = Annotated[int, Field(ge=0, lt=2**31)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Decision(_Part):
    """What a person decided on an entity, or added.

    Attributes:
        decision: ``accept``: it is one, also where the run dropped it. ``reject``: it is none. ``change``: it has
            another type or place. ``add``: the run lacks it.
        entity: Its number; None if it is added.
        type: The new type, of what is changed or added.
        char_start: Index of the first character, of what is changed or added; None if it has no place in the text.
        char_end: Index after the last character.
    """

    decision: Literal["accept", "reject", "change", "add"]
    entity: _Number | None = None
    type: str | None = None
    char_start: _Number | None = None
    char_end: _Number | None = None


class Reviewed(_Part):
    """The review of one recording: whether all of it was checked, and the decisions."""

    checked: bool
    entities: list[Decision]


class Corrections(_Part):
    """A corrections file: the digest of its run, and the review of each recording by id."""

    corrections_of: str
    recordings: dict[str, Reviewed]

    @property
    def count(self) -> int:
        """Number of decisions."""
        return sum(len(reviewed.entities) for reviewed in self.recordings.values())


def digest(run: Mapping[str, pa.Table]) -> str:
    """Return the SHA-256 of a run's transcripts and of what a review can change of its entities."""
    reviewed = (run["transcripts"].select(["recording_id", "text"]), run["entities"].select(_OF_ENTITY))
    rows = [[list(row.values()) for row in table.to_pylist()] for table in reviewed]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def by_recording(run: Mapping[str, pa.Table]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each recording's entities, in the table's order."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in run["entities"].to_pylist():
        rows[row["recording_id"]].append(row)
    return rows


def corrected(run: Mapping[str, pa.Table], corrections: Corrections) -> dict[str, pa.Table]:
    """Apply a review to a run.

    What is accepted, changed or added is kept. Where it overlaps another kept entity that nobody decided on, that one
    is dropped; and with one that was rejected or changed goes what had lost to it and lies within its old place.

    Args:
        run: The tables of a run.
        corrections: A review of this run, see ``review_import.read``.

    Returns:
        The tables, of which entities is another. Changed and added entities have the source ``review``, no confidence,
        and the times of their words; rejected ones have the cause ``review``.
    """
    transcripts = {
        row["recording_id"]: Transcript.from_row(row)
        for row in run["transcripts"].to_pylist()
        if row["recording_id"] in corrections.recordings
    }
    rows = by_recording(run)
    for recording_id, reviewed in corrections.recordings.items():
        rows[recording_id] = _decided(recording_id, rows[recording_id], reviewed.entities, transcripts[recording_id])
    flat = [row for some in rows.values() for row in some]
    return {**run, "entities": tables.from_rows(flat, tables.ENTITIES)}


def labelled(run: Mapping[str, pa.Table], corrections: Corrections) -> dict[str, pa.Table]:
    """Return what a review says of the recordings that were marked as checked, as reference labels.

    Args:
        run: The tables of a run.
        corrections: A review of this run. What nobody decided on is accepted as it is.

    Returns:
        The tables recordings, transcripts and entities.
    """
    ids = {recording_id for recording_id, reviewed in corrections.recordings.items() if reviewed.checked}
    read = corrected(run, corrections)
    found = {name: [row for row in read[name].to_pylist() if row["recording_id"] in ids] for name in read}
    facts = ("recording_id", "path", "duration_s")
    gold = {"group": "", "confidence": None, "source": tables.GOLD}
    return {
        "recordings": tables.from_rows(
            [{key: row[key] for key in facts} for row in found["recordings"]], tables.RECORDINGS
        ),
        "transcripts": tables.from_rows(found["transcripts"], tables.TRANSCRIPTS),
        "entities": tables.from_rows(
            [
                row | gold | {"match": "not_found" if row["char_start"] is None else "exact"}
                for row in found["entities"]
                if row["kept"]
            ],
            tables.ENTITIES,
        ),
    }


def place_of(decision: Decision, rows: Sequence[Row]) -> Place | None:
    """Return where in the text a decision keeps an entity; None if it keeps none, or one without a place."""
    if decision.decision == "reject":
        return None
    if decision.decision == "accept":
        return _place(rows[decision.entity or 0])
    return _place(vars(decision))


def overlap(one: Place, other: Place) -> bool:
    """Say whether two places in a text share a character."""
    return one[0] < other[1] and other[0] < one[1]


def _place(row: Row) -> Place | None:
    start, end = row["char_start"], row["char_end"]
    return None if start is None or end is None else (start, end)


def _decided(
    recording_id: str, rows: Sequence[Row], decisions: Sequence[Decision], transcript: Transcript
) -> list[dict[str, Any]]:
    """Apply the decisions on a recording to its entities."""
    on = {decision.entity: decision for decision in decisions}
    taken = [place for decision in decisions if (place := place_of(decision, rows))]
    left = [
        place
        for number, decision in on.items()
        if number is not None and decision.decision in ("reject", "change") and (place := _place(rows[number]))
    ]
    made = []
    for number, row in enumerate(rows):
        if number in on:
            made.append(_applied(on[number], row, transcript))
        else:
            made.append({**row, **_beside(row, taken, left)})
    added = (_placed(each, transcript).to_row() for each in decisions if each.decision == "add")
    return made + [{"recording_id": recording_id} | row for row in added]


def _applied(decision: Decision, row: Row, transcript: Transcript) -> dict[str, Any]:
    if decision.decision == "accept":
        return {**row, "kept": True, "cause": None}
    if decision.decision == "reject":
        return {**row, "kept": False, "cause": tables.REVIEW}
    if decision.char_start is None:
        by_hand = {"group": "", "confidence": None, "source": tables.REVIEW}
        return {**row, **by_hand, "type": decision.type, "kept": True, "cause": None}
    return {"recording_id": row["recording_id"]} | _placed(decision, transcript).to_row()


def _placed(decision: Decision, transcript: Transcript) -> Entity:
    """Make an entity of a decision that has a type and a place."""
    type_, start, end = decision.type or "", decision.char_start or 0, decision.char_end or 0
    start_s: float | None
    end_s: float | None
    try:
        start_s, end_s = transcript.times(start, end)
    except ValueError:  # the times of its words are unknown
        start_s = end_s = None
    text = transcript.text[start:end]
    return Entity(type_, "", text, start, end, None, tables.REVIEW, start_s=start_s, end_s=end_s)


def _beside(row: Row, taken: Collection[Place], left: Collection[Place]) -> dict[str, Any]:
    """Return what becomes of an entity that nobody decided on."""
    place = _place(row)
    if place is None:
        return {}
    if row["kept"] and any(overlap(place, other) for other in taken):
        return {"kept": False, "cause": OVERLAP}
    if row["cause"] == OVERLAP and any(start <= place[0] and place[1] <= end for start, end in left):
        return {"cause": tables.REVIEW}
    return {}
