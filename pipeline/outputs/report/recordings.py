"""The recordings of a report, and what the page gets of each: texts and sound only if they may be shown."""

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipeline.ids import id_order
from pipeline.speech.language import language_of

Row = Mapping[str, Any]

_NUMBERS = ("start_s", "end_s", "confidence")
_OF_ENTITY = ("type", "kept", "cause", "source", "state", "other")
_TEXT_OF_ENTITY = ("text", "char_start", "char_end", "number")


@dataclass(frozen=True)
class Reference:
    """The reference of a recording, and how the run compares with it.

    Attributes:
        text: The transcript, or None if the reference has none.
        entities: Rows of entities; ``state`` and ``other`` are those of ``pipeline.scoring.differences.Mark``.
        edits: Edits between the two transcripts in normalised mixed tokens, or None if the reference has no text.
        tokens: Tokens of the reference, or None.
        leaked_s: Seconds of the entities that no predicted one covers, or None if the reference has no entities.
        differs: Where the text differs from the run's, as half-open character ranges.
    """

    text: str | None
    entities: Sequence[Row] = ()
    edits: int | None = None
    tokens: int | None = None
    leaked_s: float | None = None
    differs: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class ReportRecording:
    """A recording of the run, of the reference, or of both.

    Attributes:
        recording_id: Its id.
        about: Its row in the table recordings, empty if it has none.
        transcript: Its row in transcripts, or None.
        failure: Its row in failures, or None.
        entities: Its rows in entities; with a reference they have ``state`` and ``other`` too, see ``Reference``.
        reference: Its reference, or None.
        differs: Where the text differs from the reference's, as half-open character ranges.
        envelope: See ``sound.envelope``; None if the audio cannot be read.
        sound: See ``sound.small_copy``; None if the page has no sound of it.
        no_audio: The reason why there is no envelope, or None.
    """

    recording_id: str
    about: Row = field(default_factory=dict)
    transcript: Row | None = None
    failure: Row | None = None
    entities: Sequence[Row] = ()
    reference: Reference | None = None
    differs: Sequence[tuple[int, int]] = ()
    envelope: bytes | None = None
    sound: bytes | None = None
    no_audio: str | None = None

    @property
    def in_run(self) -> bool:
        """Whether it is in the run; otherwise only the reference has it."""
        return bool(self.about or self.transcript or self.failure)

    @property
    def seconds(self) -> float:
        """Its length in seconds, or if that is unknown, the end of its last entity."""
        entities = [*self.entities, *(self.reference.entities if self.reference else ())]
        ends = [entity["end_s"] for entity in entities if entity["end_s"] is not None]
        return self.about.get("duration_s") or max(ends, default=0.0)


def recordings_of(run: Mapping[str, pa.Table]) -> list[ReportRecording]:
    """Gather what the tables of a run hold of each recording; sorted by id."""
    names = ("recordings", "transcripts", "failures")
    about, transcripts, failures = ({row["recording_id"]: row for row in run[name].to_pylist()} for name in names)
    entities = entities_by_recording(run["entities"])
    return [
        ReportRecording(i, about.get(i, {}), transcripts.get(i), failures.get(i), entities[i])
        for i in sorted({*about, *transcripts, *failures, *entities}, key=id_order)
    ]


def entities_by_recording(table: pa.Table | None, kept_only: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each recording's entities, sorted by time; those without a time come last.

    A row's ``number`` is its place among those of its recording in the table, from 0.
    """
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in table.to_pylist() if table is not None else ():
        if row["kept"] or not kept_only:
            some = rows[row["recording_id"]]
            some.append(row | {"number": len(some)})
    for some in rows.values():
        some.sort(key=lambda row: (row["start_s"] is None, row["start_s"] or 0.0, row["end_s"] or 0.0, row["type"]))
    return rows


def for_page(recording: ReportRecording, show_text: bool) -> dict[str, Any]:
    """Return a recording as the page's script reads it; texts and sound only with ``show_text``."""
    transcript, reference = recording.transcript, recording.reference
    shown: dict[str, Any] = {
        "id": recording.recording_id,
        "in_run": recording.in_run,
        "seconds": round(recording.seconds, 3),
        "language": transcript and transcript["language"],
        "recognizer": transcript and transcript["recognizer"],
        "note": recording.about.get("note"),
        "failure": recording.failure and {key: recording.failure[key] for key in ("stage", "error")},
        "speech": bool(transcript and transcript["text"]),
        "entities": [_entity(row, show_text) for row in recording.entities],
        "envelope": _base64(recording.envelope),
        "no_audio": recording.no_audio,
        "reference": None,
    }
    if reference:
        shown["reference"] = {
            "entities": None if reference.leaked_s is None else [_entity(row, show_text) for row in reference.entities],
            "edits": reference.edits,
            "tokens": reference.tokens,
            "leaked_s": reference.leaked_s,
        }
    if show_text:
        shown["text"] = transcript and transcript["text"]
        shown["words"] = [
            [word["char_start"], word["char_end"], round(word["start_s"], 3), round(word["end_s"], 3)]
            for word in (transcript["words"] if transcript else ())
        ]
        shown["differs"] = recording.differs
        shown["sound"] = _base64(recording.sound)
        if reference:
            shown["reference"] |= {"text": reference.text, "language": language_of(reference.text or "")}
            shown["reference"]["differs"] = reference.differs
    return shown


def _entity(row: Row, show_text: bool) -> dict[str, Any]:
    shown = {key: None if row[key] is None else round(row[key], 3) for key in _NUMBERS}
    return shown | {key: row.get(key) for key in _OF_ENTITY + (_TEXT_OF_ENTITY if show_text else ())}


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()
