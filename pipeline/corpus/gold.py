"""The labelled folders as tables, each label with its span in the transcript."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline import answers, tables
from pipeline.corpus.alignment import Label, locate
from pipeline.corpus.folders import Folder
from pipeline.speech.language import language_of
from pipeline.speech.words import Word
from pipeline.tagging.groups import Group

GOLD = "gold"
NO_TRANSCRIPT = "the recording has no transcript"


def recordings(folders: Iterable[Folder], audio: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """List all recordings, sorted by id.

    Args:
        folders: The folders; no id is in two of them.
        audio: path, duration_s, sample_rate and channels by recording id, where there is audio.
    """
    rows = [
        {"recording_id": i, "split": folder.split, "phase": folder.name, "path": None} | dict(audio.get(i, {}))
        for folder in folders
        for i in folder.ids
    ]
    return tables.from_rows(_sorted(rows), tables.RECORDINGS)


def transcripts(folders: Iterable[Folder]) -> pa.Table:
    """List the transcripts as people wrote them: without words, since nobody timed them; sorted by id."""
    rows = [
        {"recording_id": i, "language": language_of(text), "text": text, "words": [], "recognizer": GOLD}
        for folder in folders
        for i, text in folder.transcripts.items()
    ]
    return tables.from_rows(_sorted(rows), tables.TRANSCRIPTS)


def labels(folders: Iterable[Folder]) -> pa.Table:
    """List the labels of all folders without spans, in their order within each recording; sorted by id."""
    rows = [row for folder in folders for row in folder.entities.to_pylist()]
    return tables.from_rows(_sorted(rows), tables.ENTITIES)


def with_spans(
    entities: pa.Table,
    spoken: pa.Table,
    groups: Sequence[Group],
    durations_s: Mapping[str, float],
    fuzzy: bool,
) -> pa.Table:
    """Give each label its group and its span in the recording's transcript.

    Args:
        entities: Labels with times.
        spoken: Transcripts, of people or of a recogniser; with words, time counts too.
        groups: The groups of types; a type of none gets the group "".
        durations_s: Lengths of recordings in seconds, where they are known.
        fuzzy: See ``alignment.locate``.

    Returns:
        The same labels; ``match`` and ``cause`` say how each was found, or why not.
    """
    group_of = {type_: group.name for group in groups for type_ in group.types}
    rows = entities.to_pylist()
    of_recording: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        row["group"] = group_of.get(row["type"], "")
        of_recording.setdefault(row["recording_id"], []).append(row)
    known = {row["recording_id"]: row for row in spoken.to_pylist()}
    for recording_id, some in of_recording.items():
        transcript = known.get(recording_id)
        if transcript is None:
            for row in some:
                row.update(match="not_found", cause=NO_TRANSCRIPT)
            continue
        found = locate(
            transcript["text"],
            [Label(row["text"], row["start_s"], row["end_s"]) for row in some],
            [Word(**word) for word in transcript["words"]],
            durations_s.get(recording_id),
            fuzzy,
        )
        for row, location in zip(some, found, strict=True):
            row.update(location._asdict())
    return tables.from_rows(rows, tables.ENTITIES)


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: answers.id_order(row["recording_id"]))
