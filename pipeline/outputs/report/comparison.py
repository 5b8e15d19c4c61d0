"""The recordings of a run beside a reference: scores, and the differences within each recording."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from pipeline.corpus import labels
from pipeline.ids import id_order
from pipeline.outputs.report.recordings import Reference, ReportRecording, entities_by_recording
from pipeline.scoring import entities, transcripts
from pipeline.scoring.comparison import languages
from pipeline.scoring.differences import Mark, differing_tokens, mark_entities
from pipeline.submission import Submission
from pipeline.tagging.entity_groups import load_entity_groups


def compare(
    recordings: Sequence[ReportRecording], reference: Submission, predicted: pa.Table, with_spans: bool
) -> tuple[list[ReportRecording], dict[str, Any]]:
    """Score a run as ``jobs.score`` does, and add the reference and the differences to each recording.

    Args:
        recordings: The recordings of the run.
        reference: Transcripts, entities or both to compare with.
        predicted: The entities of the run.
        with_spans: Find the spans of the reference's entities in its transcripts.

    Returns:
        The recordings of the run and of the reference, sorted by id; and ``transcripts`` and ``entities``, the scores
        of what the reference holds.
    """
    known, texts = languages(reference), reference.transcripts or {}
    scores: dict[str, Any] = {}
    errors: dict[str, dict[str, Any]] = {}
    leaked: dict[str, float] = {}
    if reference.transcripts is not None:
        predicted_texts = {each.recording_id: each.transcript["text"] for each in recordings if each.transcript}
        edits = transcripts.count(reference.transcripts, predicted_texts)
        scores["transcripts"] = transcripts.scores(edits)
        errors = {row["recording_id"]: row for row in transcripts.by_recording(edits)}
    if reference.entities is not None:
        counts = entities.count(known, reference.entities, predicted)
        scores["entities"] = entities.scores(counts)
        leaked = {row["recording_id"]: row["leaked_s"] for row in entities.by_recording(counts)}

    of_reference = _with_spans(reference) if with_spans else reference.entities
    wanted = entities_by_recording(of_reference, kept_only=True)
    of_run = {each.recording_id: each for each in recordings}
    compared = []
    for i in sorted({*of_run, *known}, key=id_order):
        recording = of_run.get(i, ReportRecording(i))
        if i in known:
            wrong = {name: errors[i][name] for name in ("edits", "tokens")} if i in errors else {}
            recording = _beside(recording, Reference(texts.get(i), wanted[i], leaked_s=leaked.get(i), **wrong))
        compared.append(recording)
    return compared, scores


def _beside(recording: ReportRecording, reference: Reference) -> ReportRecording:
    """Add the reference to a recording, and mark where the two differ."""
    if reference.text is not None:
        text = recording.transcript["text"] if recording.transcript else ""
        of_reference, of_run = differing_tokens(reference.text, text)
        reference, recording = replace(reference, differs=of_reference), replace(recording, differs=of_run)
    if reference.leaked_s is not None:
        marks = mark_entities(reference.entities, recording.entities)
        reference = replace(reference, entities=_marked(reference.entities, marks[0]))
        recording = replace(recording, entities=_marked(recording.entities, marks[1]))
    return replace(recording, reference=reference)


def _marked(rows: Sequence[Mapping[str, Any]], marks: Sequence[Mark | None]) -> list[dict[str, Any]]:
    return [{**row, **(mark._asdict() if mark else {})} for row, mark in zip(rows, marks, strict=True)]


def _with_spans(reference: Submission) -> pa.Table | None:
    """Return the reference's entities with their spans in its transcripts; a table has them already."""
    if reference.entities is None or reference.has_tables:
        return reference.entities
    texts = labels.untimed(reference.transcripts or {})
    return labels.with_spans(reference.entities, texts, load_entity_groups(), {}, fuzzy=True)
