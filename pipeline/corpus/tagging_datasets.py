"""Datasets of the adapters: the prompt of an entity group, and transcripts with the answers to learn."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import tables
from pipeline.files import filesystem, write_json
from pipeline.ids import id_order
from pipeline.tagging.entities import Span
from pipeline.tagging.prompts import Prompt, completion

PROMPT = "prompt.json"
SPLITS = ("train", "valid")
FILES = (PROMPT, *(f"{split}.parquet" for split in SPLITS))
"""Files of a dataset."""

_SPANS = pa.list_(pa.struct([("type", pa.string()), ("char_start", pa.int32()), ("char_end", pa.int32())]))

SCHEMA = tables.schema(
    "recording_id: string, text_source: string, transcript: string, spans: spans?, tagged: string", spans=_SPANS
)
"""One recording for one adapter. ``text_source`` is gold (the reference transcript), recognised (an ASR model's) or
synthetic (made up), spans are characters of the transcript, half open, and ``tagged`` is the answer: the transcript
with inline tags."""


@dataclass(frozen=True)
class Dataset:
    """What one adapter is trained on.

    Attributes:
        prompt: The prompt before every transcript.
        splits: Rows of ``SCHEMA``, ``train`` and ``valid``.
    """

    prompt: Prompt
    splits: Mapping[str, pa.Table]


@dataclass(frozen=True)
class LabelledText:
    """A transcript with the labels of its recording.

    Attributes:
        recording_id: The recording.
        source: ``gold`` or ``recognised``.
        transcript: The text.
        labels: Rows of the entities table with group, type, char_start, char_end and match.
    """

    recording_id: str
    source: str
    transcript: str
    labels: Sequence[Mapping[str, Any]]


def write(folder: str, prompt: Prompt, splits: Mapping[str, pa.Table]) -> None:
    """Write a dataset: ``prompt.json``, ``train.parquet`` and ``valid.parquet``, each whole or not at all.

    Args:
        folder: A local path or an fsspec URI.
        prompt: See ``Dataset``.
        splits: See ``Dataset``.
    """
    for split in SPLITS:
        tables.write(splits[split], folder, split)
    write_json(f"{folder}/{PROMPT}", prompt.to_json())


def read(folder: str) -> Dataset:
    """Read what ``write`` wrote.

    Raises:
        FileNotFoundError: A file is missing.
        OSError: A file cannot be read.
        ValueError: A file is damaged, or a table has other columns.
        KeyError: A key of ``prompt.json`` is missing.
        TypeError: A value of ``prompt.json`` is of another kind.
    """
    fs, root = filesystem(folder)
    prompt = Prompt.from_json(json.loads(fs.cat_file(f"{root}/{PROMPT}")))
    splits = {split: pq.read_table(f"{root}/{split}.parquet", filesystem=fs) for split in SPLITS}
    if any(table.schema.names != SCHEMA.names for table in splits.values()):
        raise ValueError(f"the tables of {folder} have other columns")
    return Dataset(prompt, splits)


def texts(transcripts: pa.Table, entities: pa.Table, source: str) -> dict[str, LabelledText]:
    """Put transcripts and their labels together, by recording id.

    Args:
        transcripts: A table of transcripts.
        entities: The labels with their spans in these transcripts.
        source: ``gold`` or ``recognised``.
    """
    labels: dict[str, list[dict[str, Any]]] = {}
    for row in entities.to_pylist():
        labels.setdefault(row["recording_id"], []).append(row)
    ids, written = transcripts["recording_id"].to_pylist(), transcripts["text"].to_pylist()
    return {i: LabelledText(i, source, text, labels.get(i, [])) for i, text in zip(ids, written, strict=True)}


def choose(
    recording_ids: Sequence[str], sources: Sequence[Mapping[str, LabelledText]], recognised_share: float, seed: int
) -> list[list[LabelledText]]:
    """Return the texts with which each recording may take part in the datasets, the preferred one first.

    Args:
        recording_ids: The recordings of one split, sorted.
        sources: Texts by recording id: the recognised ones, if there are any, then the reference.
        recognised_share: Share, 0 to 1, of the recordings with both texts that prefer the recognised one; the others
            have the reference only.
        seed: Seed of the draw.
    """
    rng = random.Random(f"{seed} recognised")
    chosen: list[list[LabelledText]] = []
    for recording_id in recording_ids:
        found = [source[recording_id] for source in sources if recording_id in source]
        if len(found) > 1 and rng.random() >= recognised_share:
            found = found[1:]
        if found:
            chosen.append(found)
    return chosen


def build(
    prompt: Prompt, recordings: Iterable[Sequence[LabelledText]], negatives: float, seed: int
) -> tuple[pa.Table, dict[str, int]]:
    """Make the table of one entity group and one split.

    A recording takes part with its first text in which all its labels of the group were found. Without such a text it
    is left out, because it would teach the adapter to overlook an entity. Of overlapping labels the longest stays, of
    equally long ones the first. Recordings without an entity of the group are drawn at random.

    Args:
        prompt: The prompt of the entity group.
        recordings: For each recording, the texts that it may take part with, the preferred one first.
        negatives: Recordings without an entity of the group for each recording with one.
        seed: Seed of the draw.

    Returns:
        Rows of ``SCHEMA``, sorted by id, and the counts of what went in and what was left out.
    """
    positives: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    counts = dict.fromkeys(("positives", "negatives", "entities", "synthetic", "overlapping", "label_not_found"), 0)
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
        (positives if spans else others).append(_row(text, spans))

    most = int(len(positives) * negatives)
    drawn = random.Random(f"{seed} {prompt.group}").sample(others, min(most, len(others)))
    counts |= {"positives": len(positives), "negatives": len(drawn)}
    rows = sorted([*positives, *drawn], key=lambda row: id_order(row["recording_id"]))
    return pa.Table.from_pylist(rows, schema=SCHEMA), counts


def _flat(spans: Iterable[Span]) -> list[Span]:
    """Keep spans that do not overlap, sorted by place: the longest stay, of equally long ones the first."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.char_start - s.char_end, s.char_start, s.type)):
        if not any(span.char_start < other.char_end and other.char_start < span.char_end for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda span: span.char_start)


def _row(text: LabelledText, spans: Sequence[Span]) -> dict[str, Any]:
    return {
        "recording_id": text.recording_id,
        "text_source": text.source,
        "transcript": text.transcript,
        "spans": [{"type": s.type, "char_start": s.char_start, "char_end": s.char_end} for s in spans],
        "tagged": completion(text.transcript, spans),
    }
