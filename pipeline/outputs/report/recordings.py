"""What the page knows of each recording: of its texts and sound nothing, unless they may be shown."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.speech.language import language_of

Row = Mapping[str, Any]

_NUMBERS = ("start_s", "end_s", "confidence")
_OF_ENTITY = ("type", "kept", "cause", "source", "state", "other")
_TEXT_OF_ENTITY = ("text", "char_start", "char_end")


@dataclass(frozen=True)
class Reference:
    """What people say is in a recording, and how the run compares with it.

    Attributes:
        text: The transcript, or None where the reference has none.
        entities: Rows of entities; ``state`` and ``other`` say what became of each.
        edits: Edits between the two transcripts in normalised mixed tokens, or None where the reference has no text.
        tokens: Tokens of the reference.
        leaked_s: Seconds of the entities that no predicted one covers, or None where the reference has no entities.
        differs: Where the text differs from the run's: first characters, and those behind the last.
    """

    text: str | None
    entities: Sequence[Row] = ()
    edits: int | None = None
    tokens: int | None = None
    leaked_s: float | None = None
    differs: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class Recording:
    """A recording of the run, or of the reference alone.

    Attributes:
        recording_id: Its id.
        about: Its row in the table recordings, empty if it has none.
        transcript: Its row in transcripts, or None.
        failure: Its row in failures, or None.
        entities: Its rows in entities; with a reference, ``state`` and ``other`` say what became of each.
        reference: What people say, or None where nobody says anything.
        differs: Where the text differs from the reference's: first characters, and those behind the last.
        envelope: See ``sound.envelope``; None where the audio cannot be read.
        sound: See ``sound.small_copy``; None where the page has none.
        no_audio: Why there is no envelope, in words.
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
        """Say whether the run knows it at all, or the reference alone."""
        return bool(self.about or self.transcript or self.failure)

    @property
    def seconds(self) -> float:
        """Return its length, or where nobody knows it, the end of its last entity."""
        entities = [*self.entities, *(self.reference.entities if self.reference else ())]
        ends = [entity["end_s"] for entity in entities if entity["end_s"] is not None]
        return self.about.get("duration_s") or max(ends, default=0.0)


def for_page(recording: Recording, show_text: bool) -> dict[str, Any]:
    """Choose what the page gets; what could be text or speech only with ``show_text``."""
    transcript, reference = recording.transcript, recording.reference
    shown: dict[str, Any] = {
        "id": recording.recording_id,
        "in_run": recording.in_run,
        "seconds": round(recording.seconds, 3),
        "language": transcript and transcript["language"],
        "recognizer": transcript and transcript["recognizer"],
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
