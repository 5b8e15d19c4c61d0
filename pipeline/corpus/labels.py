"""Labelled folders as tables, in which each label has its span in the transcript."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline import tables
from pipeline.corpus.folders import Folder
from pipeline.corpus.label_placement import Label, place_labels
from pipeline.ids import id_order
from pipeline.speech.words import Transcript
from pipeline.tagging.entity_groups import EntityGroup

NO_TRANSCRIPT = "the recording has no transcript"


def recordings(folders: Iterable[Folder], audio: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """Return the table of all recordings, sorted by id.

    Args:
        folders: The folders, without clashes of ids.
        audio: path, duration_s, sample_rate and channels of recordings with audio, by id.
    """
    rows = [
        {"recording_id": i, "split": folder.split, "phase": folder.name, "path": None} | dict(audio.get(i, {}))
        for folder in folders
        for i in folder.ids
    ]
    return tables.from_rows(_sorted(rows), tables.RECORDINGS)


def transcripts(folders: Iterable[Folder]) -> pa.Table:
    """Return the table of the reference transcripts, without timed words, sorted by id."""
    return untimed({i: text for folder in folders for i, text in folder.transcripts.items()})


def untimed(texts: Mapping[str, str]) -> pa.Table:
    """Return texts by recording id as a table of reference transcripts without timed words, sorted by id."""
    rows = [{"recording_id": i} | Transcript(text, [], tables.GOLD).to_row() for i, text in texts.items()]
    return tables.from_rows(_sorted(rows), tables.TRANSCRIPTS)


def labels(folders: Iterable[Folder]) -> pa.Table:
    """Return the table of all labels, without spans, sorted by id; within a recording, the order is kept."""
    rows = [row for folder in folders for row in folder.entities.to_pylist()]
    return tables.from_rows(_sorted(rows), tables.ENTITIES)


def with_spans(
    entities: pa.Table, written: pa.Table, groups: Sequence[EntityGroup], durations_s: Mapping[str, float], fuzzy: bool
) -> pa.Table:
    """Add to each label its entity group and its span in the recording's transcript.

    Args:
        entities: Labels with times.
        written: Reference transcripts, or transcripts by an ASR model, whose word times are used too.
        groups: The entity groups. A type that is in none of them gets the group "".
        durations_s: Durations in seconds by recording id, where known.
        fuzzy: See ``label_placement.place_labels``.

    Returns:
        The same labels; ``match`` and ``cause`` tell how each was found, or why not.
    """
    group_of = {type_: group.name for group in groups for type_ in group.types}
    rows = entities.to_pylist()
    of_recording: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        row["group"] = group_of.get(row["type"], "")
        of_recording.setdefault(row["recording_id"], []).append(row)
    known = {row["recording_id"]: row for row in written.to_pylist()}
    for recording_id, some in of_recording.items():
        transcript = known.get(recording_id)
        if transcript is None:
            for row in some:
                row.update(match="not_found", cause=NO_TRANSCRIPT)
            continue
        found = place_labels(
            transcript["text"],
            [Label(row["text"], row["start_s"], row["end_s"]) for row in some],
            Transcript.from_row(transcript).words,
            durations_s.get(recording_id),
            fuzzy,
        )
        for row, location in zip(some, found, strict=True):
            row.update(location._asdict())
    return tables.from_rows(rows, tables.ENTITIES)


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: id_order(row["recording_id"]))
