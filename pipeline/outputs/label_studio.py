"""Transcripts and entities as Label Studio tasks, and the annotators' corrections back."""

import html
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pyarrow as pa
from pydantic import TypeAdapter

from pipeline import submission, tables
from pipeline.errors import UserError
from pipeline.ids import as_id, id_order, is_id
from pipeline.intervals import is_span
from pipeline.outputs.corrections import carry, retime
from pipeline.outputs.transcriptions import as_seconds, is_writable, read_json
from pipeline.speech.words import Transcript, Word
from pipeline.tagging.entities import Entity, Span
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.patterns import load_patterns

_WORDS = TypeAdapter(list[Word])

RECOGNIZER = "label-studio"
"""Recognizer of transcripts that annotators have checked."""


@dataclass(frozen=True)
class Export:
    """A run as Label Studio takes it.

    Attributes:
        tasks: A task for each transcript, sorted by recording id.
        interface: The labelling interface of the project, as XML.
        entities: Number of kept entities with a span.
        without_span: Number of kept entities without a span, which are left out.
    """

    tasks: list[dict[str, Any]]
    interface: str
    entities: int
    without_span: int


def export(run: Mapping[str, pa.Table], audio_url: str | None = None) -> Export:
    """Make the tasks of a run and the labelling interface for them.

    Args:
        run: The tables recordings, transcripts and entities of a run.
        audio_url: Where Label Studio finds the recordings; their file names are appended. None: the run's paths.
    """
    recordings = {row["recording_id"]: row for row in run["recordings"].to_pylist()}
    kept = [row for row in run["entities"].to_pylist() if row["kept"]]
    entities: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in kept:
        if row["char_start"] is not None:
            entities[row["recording_id"]].append(row)
    tasks = []
    for row in sorted(run["transcripts"].to_pylist(), key=lambda row: id_order(row["recording_id"])):
        about = recordings.get(row["recording_id"], {})
        path = about.get("path")
        audio = f"{audio_url}{quote(path.rpartition('/')[2])}" if path and audio_url is not None else path
        data = {"audio": audio, "path": path, "duration_s": about.get("duration_s")}
        tasks.append(task(row, entities[row["recording_id"]], data))
    types = [type_ for group in load_entity_groups() for type_ in group.types]
    types += [pattern.type for pattern in load_patterns()]
    types += sorted({entity["type"] for some in entities.values() for entity in some})
    number = sum(map(len, entities.values()))
    return Export(tasks, labelling_interface(dict.fromkeys(types)), number, len(kept) - number)


def labelling_interface(types: Iterable[str]) -> str:
    """Return the XML by which a project shows the tasks: player, transcript to correct, entities to mark."""
    labels = "\n".join(f'    <Label value="{html.escape(type_)}"/>' for type_ in types)
    return f"""<View>
  <Audio name="audio" value="$audio"/>
  <TextArea name="transcript" toName="audio" editable="true" maxSubmissions="1" rows="4"/>
  <Labels name="entities" toName="text">
{labels}
  </Labels>
  <Text name="text" value="$text"/>
</View>
"""


def task(
    transcript: Mapping[str, Any], entities: Iterable[Mapping[str, Any]], data: Mapping[str, Any]
) -> dict[str, Any]:
    """Make a task whose prediction holds a transcript and its entities.

    Args:
        transcript: A row of the table transcripts.
        entities: Rows of its entities, each with a span.
        data: Further data of the task: at least ``audio``, where the player finds the recording.
    """
    text = transcript["text"]
    result: list[dict[str, Any]] = [
        {
            "id": "transcript",
            "from_name": "transcript",
            "to_name": "audio",
            "type": "textarea",
            "value": {"text": [text]},
        }
    ]
    for number, entity in enumerate(entities, start=1):
        start, end = entity["char_start"], entity["char_end"]
        value = {"start": start, "end": end, "text": text[start:end], "labels": [entity["type"]]}
        region = {
            "id": f"entity-{number}",
            "from_name": "entities",
            "to_name": "text",
            "type": "labels",
            "value": value,
        }
        result.append(region if entity["confidence"] is None else region | {"score": entity["confidence"]})
    about = {key: transcript[key] for key in ("recording_id", "language", "text", "words")}
    return {"data": about | dict(data), "predictions": [{"model_version": "shi-speech", "result": result}]}


def read(path: str, types: Collection[str]) -> tuple[dict[str, pa.Table], int, list[int]]:
    """Read the latest annotation of each task that has one.

    Entities were marked in the text as it was shown, and are transferred to the corrected text. They get their times
    from its words; if a task has no words, they have none.

    Args:
        path: A project exported as JSON, with tasks made by ``task``.
        types: The types that an entity may be marked as.

    Returns:
        The tables recordings, transcripts and entities; the number of tasks without an annotation; and for each marked
        entity whose words were deleted in the corrected text, the number of its task.

    Raises:
        UserError: The file is no such export, a task does not have that form, a type is unknown, or two tasks are for
            the same recording.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list) or not all(isinstance(each, dict) and "annotations" in each for each in tasks):
        raise UserError(f"{path} is no project of Label Studio exported as JSON (not JSON-MIN): it lacks annotations.")
    recordings: dict[str, dict[str, Any]] = {}
    transcripts: list[dict[str, Any]] = []
    entities: list[dict[str, Any]] = []
    without = 0
    lost: list[int] = []
    for number, each in enumerate(tasks, start=1):
        try:
            done = [annotation for annotation in each["annotations"] if not annotation.get("was_cancelled")]
            if not done:
                without += 1
                continue
            latest = sorted(done, key=lambda annotation: str(annotation.get("updated_at", "")))[-1]
            data, result = each["data"], latest["result"]
            if not is_writable([data, result]):
                raise UserError(f"{path}, task {number}: its text has half a character (such as \\ud800): mend it.")
            recording_id = as_id(str(data["recording_id"]))
            if not is_id(recording_id):
                raise UserError(f"{path}, task {number}: its recording_id cannot be a file's name.")
            if recording_id in recordings:
                raise UserError(f"{path}, task {number}: a second task for recording {recording_id}: leave one out.")
            seconds, audio = data.get("duration_s"), data.get("path")
            if seconds is not None and not is_span(0.0, seconds := as_seconds(seconds)):
                raise ValueError("no length of a recording")
            facts = {"path": None if audio is None else str(audio), "duration_s": seconds}
            recordings[recording_id] = {"recording_id": recording_id} | facts
            transcript, spans = _corrected(data, result)
            for span in filter(None, spans):
                if span.type not in types:
                    unknown = submission.unknown_type(span.type, types)
                    raise UserError(f"{path}, task {number}: {unknown}. Types of your own are known by --groups-file.")
            lost += [number] * spans.count(None)
            transcripts.append({"recording_id": recording_id} | transcript.to_row())
            found = sorted(filter(None, set(spans)), key=lambda span: (span.char_start, span.char_end, span.type))
            of_recording = [_entity(transcript, span) for span in found]
            entities += [{"recording_id": recording_id} | entity.to_row() for entity in of_recording]
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
            raise UserError(
                f"{path}, task {number}: it lacks the recording_id, text or words that jobs.exchange gave it, or marks "
                "something that is not in its text."
            ) from None
    made = {
        "recordings": tables.from_rows(recordings.values(), tables.RECORDINGS),
        "transcripts": tables.from_rows(transcripts, tables.TRANSCRIPTS),
        "entities": tables.from_rows(entities, tables.ENTITIES),
    }
    return made, without, lost


def _corrected(data: Mapping[str, Any], result: Sequence[Mapping[str, Any]]) -> tuple[Transcript, list[Span | None]]:
    """Return the corrected transcript, and the marked spans in it; None for one whose words were deleted."""
    shown = str(data["text"])
    words = _WORDS.validate_python(data.get("words") or [])
    if not all(_is_in(word, shown) for word in words):
        raise ValueError("a word is not in the text, or at no time of a recording")
    written = [region["value"]["text"] for region in result if region["type"] == "textarea"]
    text = shown
    if written:
        text = written[-1] if isinstance(written[-1], str) else " ".join(written[-1])
    transcript = Transcript(shown, words, RECOGNIZER)
    if text != shown:
        transcript = retime(transcript, text)
    spans = [
        carry(_span(shown, region["value"], type_), shown, transcript.text)
        for region in result
        if region["type"] == "labels"
        for type_ in region["value"]["labels"]
    ]
    return transcript, spans


def _is_in(word: Word, shown: str) -> bool:
    return is_span(word.start_s, word.end_s) and 0 <= word.char_start <= word.char_end <= len(shown)


def _span(shown: str, value: Mapping[str, Any], type_: str) -> Span:
    """Read a span, whose offsets the browser may have counted in UTF-16 units."""
    start, end = int(value["start"]), int(value["end"])
    marked = value.get("text", shown[start:end])
    if shown[start:end] != marked:
        units = shown.encode("utf-16-le")
        start, end = (len(units[: 2 * at].decode("utf-16-le")) for at in (start, end))
    bare = shown[start:end].strip()
    if not bare or shown[start:end] != marked:
        raise ValueError("the span does not hold its text")
    start = shown.index(bare, start)
    return Span(type_, start, start + len(bare))


def _entity(transcript: Transcript, span: Span) -> Entity:
    start, end = span.char_start, span.char_end
    start_s, end_s = transcript.times(start, end) if transcript.words else (None, None)
    text = transcript.text[start:end]
    return Entity(span.type, "", text, start, end, None, tables.GOLD, start_s=start_s, end_s=end_s, match="exact")
