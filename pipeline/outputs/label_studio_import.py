"""What annotators made of Label Studio tasks: the good of it as tables, and of the rest where it is and why."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter

from pipeline import submission, tables
from pipeline.errors import UserError
from pipeline.ids import as_id, is_id
from pipeline.intervals import is_span
from pipeline.outputs.corrections import carry, on_one_line, retime
from pipeline.outputs.transcriptions import as_seconds, is_writable, read_json
from pipeline.speech.words import Transcript, Word
from pipeline.tagging.entities import Entity, Span

_WORDS = TypeAdapter(list[Word])
_NO_PART = " \t\r\n,;:，、；：。"  # of an entity, at its ends

RECOGNIZER = "label-studio"
"""Recognizer of transcripts that annotators have checked."""


@dataclass
class Import:
    """What was read.

    Attributes:
        recordings: Rows of ``tables.RECORDINGS`` by id.
        transcripts: Rows of ``tables.TRANSCRIPTS``.
        entities: Rows of ``tables.ENTITIES``.
        without: Number of tasks that nobody annotated.
        faults: What was left out, as in ``task 3, region 2: it has no label``; no text of a transcript.
    """

    recordings: dict[str, dict[str, Any]] = field(default_factory=dict)
    transcripts: list[dict[str, Any]] = field(default_factory=list)
    entities: list[dict[str, Any]] = field(default_factory=list)
    without: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The tables recordings, transcripts and entities."""
        return {
            "recordings": tables.from_rows(self.recordings.values(), tables.RECORDINGS),
            "transcripts": tables.from_rows(self.transcripts, tables.TRANSCRIPTS),
            "entities": tables.from_rows(self.entities, tables.ENTITIES),
        }


class _FaultError(Exception):
    """Why a task or region is left out."""


def read(path: str, types: Collection[str]) -> Import:
    """Read the latest annotation of each task that has one.

    Entities were marked in the text as it was shown, and are transferred to the corrected text. They get their times
    from its words; if a task has no words, they have none.

    Args:
        path: A project exported as JSON, with tasks made by ``label_studio.task``.
        types: The types that an entity may be marked as, in any case.

    Raises:
        UserError: The file is no such export, or nothing in it can be used.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list) or not all(isinstance(each, dict) and "annotations" in each for each in tasks):
        raise UserError(f"{path} is no project of Label Studio exported as JSON (not JSON-MIN): it lacks annotations.")
    if not tasks:
        raise UserError(f"{path} holds no task: export the project when it has some.")
    found = Import()
    by_letters = {type_.casefold(): type_ for type_ in types}
    for number, task in enumerate(tasks, start=1):
        try:
            _read_task(task, number, by_letters, found)
        except _FaultError as fault:
            found.faults.append(f"task {number}: {fault}")
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
            found.faults.append(f"task {number}: it lacks the recording_id, text or words that jobs.exchange gave it")
    if not found.transcripts:
        why = f"; {found.faults[0]}" if found.faults else ""
        raise UserError(f"{path}: none of its {len(tasks)} tasks has an annotation that can be used{why}.")
    return found


def _read_task(task: Mapping[str, Any], number: int, types: Mapping[str, str], found: Import) -> None:
    done = [annotation for annotation in task["annotations"] if not annotation.get("was_cancelled")]
    if not done:
        found.without += 1
        return
    latest = sorted(done, key=lambda annotation: str(annotation.get("updated_at", "")))[-1]
    data, result = task["data"], latest["result"]
    if not is_writable([data, result]):
        raise _FaultError("its text has half a character (such as \\ud800): mend it")
    recording_id = as_id(str(data["recording_id"]))
    if not is_id(recording_id):
        raise _FaultError("its recording_id cannot be a file's name")
    if recording_id in found.recordings:
        raise _FaultError(f"a second task for recording {recording_id}")
    seconds, audio = data.get("duration_s"), data.get("path")
    if seconds is not None and not is_span(0.0, seconds := as_seconds(seconds)):
        raise _FaultError("its duration_s is no length of a recording")
    shown, transcript = _transcript(data, result)
    spans: set[Span] = set()
    faults: list[str] = []
    for place, region in enumerate(result, start=1):
        try:
            spans |= set(_spans(region, shown, transcript.text, types))
        except _FaultError as fault:
            faults.append(f"task {number}, region {place}: {fault}")
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
            faults.append(f"task {number}, region {place}: it has no place in the task's text")
    found.faults += faults
    facts = {"path": None if audio is None else str(audio), "duration_s": seconds}
    found.recordings[recording_id] = {"recording_id": recording_id} | facts
    found.transcripts.append({"recording_id": recording_id} | transcript.to_row())
    for span in sorted(spans, key=lambda span: (span.char_start, span.char_end, span.type)):
        found.entities.append({"recording_id": recording_id} | _entity(transcript, span).to_row())


def _transcript(data: Mapping[str, Any], result: Sequence[Mapping[str, Any]]) -> tuple[str, Transcript]:
    """Return the text that was shown, and the transcript that it became."""
    shown = str(data["text"])
    words = _WORDS.validate_python(data.get("words") or [])
    if not all(_is_in(word, shown) for word in words):
        raise _FaultError("a word is not in its text, or at no time of a recording")
    written = [region["value"]["text"] for region in result if region["type"] == "textarea"]
    text = shown
    if written:
        text = written[-1] if isinstance(written[-1], str) else " ".join(written[-1])
    transcript = Transcript(shown, words, RECOGNIZER)
    return shown, transcript if on_one_line(text) == shown else retime(transcript, text)


def _is_in(word: Word, shown: str) -> bool:
    return is_span(word.start_s, word.end_s) and 0 <= word.char_start <= word.char_end <= len(shown)


def _spans(region: Mapping[str, Any], shown: str, text: str, types: Mapping[str, str]) -> Iterator[Span]:
    """Yield the spans in a text that a region marks in the text that was shown, one for each of its labels."""
    if region["type"] != "labels":
        return
    value = region["value"]
    if region.get("to_name", "text") != "text" or "channel" in value:
        raise _FaultError("it marks the sound: mark the words in the text")
    labels = value.get("labels") or []
    if not labels:
        raise _FaultError("it has no label")
    for label in labels:
        type_ = types.get(str(label).casefold())
        if type_ is None and not submission.TYPE.fullmatch(str(label).upper()):
            raise _FaultError("its label is none of a type")
        if type_ is None:
            unknown = submission.unknown_type(str(label), types.values())
            raise _FaultError(f"{unknown}. Types of your own are known by --groups-file")
        span = carry(_span(shown, value, type_), shown, text)
        if span is None:
            raise _FaultError("its words are not in the corrected text any more")
        yield span


def _span(shown: str, value: Mapping[str, Any], type_: str) -> Span:
    """Read a span, whose offsets the browser may have counted in UTF-16 units."""
    start, end = int(value["start"]), int(value["end"])
    marked = value.get("text", shown[start:end])
    if shown[start:end] != marked:
        units = shown.encode("utf-16-le")
        start, end = (len(units[: 2 * at].decode("utf-16-le")) for at in (start, end))
    bare = shown[start:end].strip(_NO_PART)
    if not bare or shown[start:end] != marked:
        raise ValueError("the span does not hold its text")
    start = shown.index(bare, start)
    return Span(type_, start, start + len(bare))


def _entity(transcript: Transcript, span: Span) -> Entity:
    start, end = span.char_start, span.char_end
    start_s, end_s = transcript.times(start, end) if transcript.words else (None, None)
    text = transcript.text[start:end]
    return Entity(span.type, "", text, start, end, None, tables.GOLD, start_s=start_s, end_s=end_s, match="exact")
