"""Transcripts and entities as Label Studio tasks; what comes back is read by ``label_studio_import``."""

import html
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from pipeline.ids import id_order
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.patterns import load_patterns


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


def export(run: Mapping[str, pa.Table], audio_url: str | None = None, folder: str | None = None) -> Export:
    """Make the tasks of a run and the labelling interface for them.

    Args:
        run: The tables recordings, transcripts and entities of a run.
        audio_url: Where Label Studio finds the recordings; their paths from ``folder`` on are appended. None: the run's
            paths.
        folder: Folder of the recordings; a path that does not lie in it, or None, stands for the name of its file.
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
        audio = f"{audio_url}{quote(_from(folder, path))}" if path and audio_url is not None else path
        data = {"audio": audio, "path": path, "duration_s": about.get("duration_s")}
        tasks.append(task(row, entities[row["recording_id"]], data))
    types = [type_ for group in load_entity_groups() for type_ in group.types]
    types += [pattern.type for pattern in load_patterns()]
    types += sorted({entity["type"] for some in entities.values() for entity in some})
    number = sum(map(len, entities.values()))
    return Export(tasks, labelling_interface(dict.fromkeys(types)), number, len(kept) - number)


def _from(folder: str | None, path: str) -> str:
    inside = f"{folder}/" if folder else ""
    return path.removeprefix(inside) if inside and path.startswith(inside) else path.rpartition("/")[2]


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
