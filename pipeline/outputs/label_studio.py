"""Transcripts and entities as Label Studio tasks, and people's corrections back."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline import answers, tables
from pipeline.errors import UserError
from pipeline.outputs.corrections import carry, retime
from pipeline.outputs.transcriptions import read_json, row
from pipeline.speech.words import Transcript, Word
from pipeline.tagging.entities import Span
from pipeline.tagging.times import entity_times

RECOGNIZER = "label-studio"
"""What the table names as the recogniser of a transcript that people have seen."""


def labelling_interface(types: Iterable[str]) -> str:
    """Return the XML that a project needs to show the tasks: player, transcript to correct, entities to mark."""
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
    """Make a task whose prediction holds the transcript and its entities.

    Args:
        transcript: A row of the transcripts.
        entities: The rows of its entities that are wanted; each needs its span.
        data: More about the recording that travels with the task: at least ``audio``, where the player finds it.
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


def read(path: str) -> tuple[dict[str, pa.Table], int, list[int]]:
    """Read the latest annotation of each task that has one.

    Entities that were marked in the text as it was shown are carried over to the corrected text. Their times are those
    of its words; where a task came without words, they have none.

    Args:
        path: A project exported as JSON, of tasks that ``task`` made.

    Returns:
        The tables recordings, transcripts and entities, the latter as gold; how many tasks nobody annotated; and for
        each marked entity that is not found again in a corrected text, the number of its task.

    Raises:
        UserError: The file is no such export, a task is not of that form, or two tasks are of one recording.
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
            recording_id = str(data["recording_id"])
            if not answers.is_id(recording_id):
                raise UserError(f"{path}, task {number}: its recording_id cannot be a file's name.")
            if recording_id in recordings:
                raise UserError(f"{path}, task {number}: a second task for recording {recording_id}: leave one out.")
            seconds, audio = data.get("duration_s"), data.get("path")
            facts = {"path": audio and str(audio), "duration_s": None if seconds is None else float(seconds)}
            recordings[recording_id] = {"recording_id": recording_id} | facts
            transcript, spans = _corrected(data, result)
            lost += [number] * spans.count(None)
            transcripts.append(row(recording_id, transcript))
            entities += [_entity(recording_id, transcript, span) for span in _in_order(spans)]
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
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
    """Return the transcript as it was corrected, and what was marked; None is not in it any more."""
    shown = str(data["text"])
    words = [_word(**word) for word in data.get("words") or []]
    written = [region["value"]["text"] for region in result if region["type"] == "textarea"]
    text = shown
    if written:
        text = written[-1] if isinstance(written[-1], str) else " ".join(written[-1])
    transcript = retime(Transcript(shown, words, RECOGNIZER), text) if text != shown else None
    transcript = transcript or Transcript(shown, words, RECOGNIZER)
    spans = [
        carry(_span(shown, region["value"], type_), shown, transcript.text)
        for region in result
        if region["type"] == "labels"
        for type_ in region["value"]["labels"]
    ]
    return transcript, spans


def _in_order(spans: Iterable[Span | None]) -> list[Span]:
    return sorted({span for span in spans if span}, key=lambda span: (span.char_start, span.char_end, span.type))


def _word(text: str, char_start: Any, char_end: Any, start_s: Any, end_s: Any, confidence: Any = None) -> Word:
    sure = None if confidence is None else float(confidence)
    if not isinstance(text, str):
        raise TypeError("the word is no text")
    return Word(text, int(char_start), int(char_end), float(start_s), float(end_s), sure)


def _span(shown: str, value: Mapping[str, Any], type_: str) -> Span:
    """Read a span, whose characters the browser may have counted in units of UTF-16."""
    if not answers.TYPE.fullmatch(type_):
        raise ValueError("a label that is no type")
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


def _entity(recording_id: str, transcript: Transcript, span: Span) -> dict[str, Any]:
    start_s, end_s = None, None
    if transcript.words:
        start_s, end_s = entity_times(transcript.words, span.char_start, span.char_end)
    about = {"recording_id": recording_id, "type": span.type, "group": "", "source": "gold", "match": "exact"}
    place = {"char_start": span.char_start, "char_end": span.char_end, "start_s": start_s, "end_s": end_s}
    return about | place | {"text": transcript.text[span.char_start : span.char_end], "kept": True}
