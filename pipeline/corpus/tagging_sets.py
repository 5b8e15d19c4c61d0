"""Training sets of the adapters: for each group, what it is told and what it should answer."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline import answers
from pipeline.tagging.entities import Span
from pipeline.tagging.prompts import Prompt, completion, messages

_CHAT = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

SCHEMA = pa.schema(
    [
        pa.field("recording_id", pa.string(), nullable=False),
        pa.field("text_source", pa.string(), nullable=False),
        pa.field("transcript", pa.string(), nullable=False),
        pa.field(
            "spans", pa.list_(pa.struct([("type", pa.string()), ("char_start", pa.int32()), ("char_end", pa.int32())]))
        ),
        pa.field("tagged", pa.string(), nullable=False),
        pa.field("prompt", _CHAT),
        pa.field("completion", _CHAT),
    ]
)
"""One clip for one adapter. ``text_source`` is gold or recognised; ``tagged`` is the transcript with inline tags;
``prompt`` and ``completion`` are chat turns, as TRL takes them."""


@dataclass(frozen=True)
class Text:
    """A transcript with the labels of its recording.

    Attributes:
        recording_id: The recording.
        source: ``gold`` or ``recognised``.
        transcript: The text as it stands.
        labels: Rows of the entities table with group, type, char_start, char_end and match.
    """

    recording_id: str
    source: str
    transcript: str
    labels: Sequence[Mapping[str, Any]]


def texts(transcripts: pa.Table, entities: pa.Table, source: str) -> dict[str, Text]:
    """Put transcripts and their labels together, by recording id.

    Args:
        transcripts: A table of transcripts, of people or of a recogniser.
        entities: The labels with their spans in these transcripts.
        source: ``gold`` or ``recognised``.
    """
    labels: dict[str, list[dict[str, Any]]] = {}
    for row in entities.to_pylist():
        labels.setdefault(row["recording_id"], []).append(row)
    ids, written = transcripts["recording_id"].to_pylist(), transcripts["text"].to_pylist()
    return {i: Text(i, source, text, labels.get(i, [])) for i, text in zip(ids, written, strict=True)}


def choose(
    recording_ids: Sequence[str], sources: Sequence[Mapping[str, Text]], recognised_share: float, seed: int
) -> list[list[Text]]:
    """Say with which texts each recording may take part in the sets, the preferred one first.

    Args:
        recording_ids: The recordings of one split, sorted.
        sources: Texts by recording id: recognised ones, if there are any, then those of people.
        recognised_share: Share of the recordings with both for which the recognised text is preferred; the others
            take part with that of people only.
        seed: Of the lot.
    """
    lot = random.Random(f"{seed} recognised")
    chosen: list[list[Text]] = []
    for recording_id in recording_ids:
        found = [source[recording_id] for source in sources if recording_id in source]
        if len(found) > 1 and lot.random() >= recognised_share:
            found = found[1:]
        if found:
            chosen.append(found)
    return chosen


def build(
    prompt: Prompt, recordings: Iterable[Sequence[Text]], negatives: float, seed: int
) -> tuple[pa.Table, dict[str, int]]:
    """Make the set of one group and one split.

    A recording takes part with its first text in which all its labels of the group were found; it is left out where
    there is none, for it would teach to overlook an entity. Of labels that overlap the longest stays, of equally long
    ones the first. Recordings without an entity of the group are drawn by lot.

    Args:
        prompt: The group's prompt.
        recordings: For each recording, the texts that it may take part with, the preferred one first.
        negatives: Recordings without an entity of the group for each one with.
        seed: Of the lot.

    Returns:
        The set, sorted by id, and what went in and what was left out, in numbers.
    """
    positives: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    counts = dict.fromkeys(("positives", "negatives", "entities", "overlapping", "label_not_found"), 0)
    for texts in recordings:
        of_group = [[label for label in text.labels if label["group"] == prompt.group] for text in texts]
        complete = [
            (text, labels)
            for text, labels in zip(texts, of_group, strict=True)
            if text.transcript.strip() and all(label["match"] != "not_found" for label in labels)
        ]
        if not complete:
            counts["label_not_found"] += any(of_group)
            continue
        text, labels = complete[0]
        spans = _flat({Span(label["type"], label["char_start"], label["char_end"]) for label in labels})
        counts["overlapping"] += len(labels) - len(spans)
        counts["entities"] += len(spans)
        (positives if spans else others).append(_row(prompt, text, spans))

    most = int(len(positives) * negatives)
    drawn = random.Random(f"{seed} {prompt.group}").sample(others, min(most, len(others)))
    counts |= {"positives": len(positives), "negatives": len(drawn)}
    rows = sorted([*positives, *drawn], key=lambda row: answers.id_order(row["recording_id"]))
    return pa.Table.from_pylist(rows, schema=SCHEMA), counts


def _flat(spans: Iterable[Span]) -> list[Span]:
    """Keep spans that do not overlap: the longest first, then the first, then by the type's name."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.char_start - s.char_end, s.char_start, s.type)):
        if not any(span.char_start < other.char_end and other.char_start < span.char_end for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda span: span.char_start)


def _row(prompt: Prompt, text: Text, spans: Sequence[Span]) -> dict[str, Any]:
    tagged = completion(text.transcript, spans)
    return {
        "recording_id": text.recording_id,
        "text_source": text.source,
        "transcript": text.transcript,
        "spans": [{"type": s.type, "char_start": s.char_start, "char_end": s.char_end} for s in spans],
        "tagged": tagged,
        "prompt": messages(prompt, text.transcript),
        "completion": [{"role": "assistant", "content": tagged}],
    }
