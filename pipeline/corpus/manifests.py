"""NeMo manifests: the English recordings as training data for Parakeet."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import fsspec
import pyarrow as pa

from pipeline.corpus.alphabet import spell
from pipeline.files import write_text

NOT_ENGLISH = "Mandarin or mixed"
NO_AUDIO = "no audio"
UNREADABLE = "audio that cannot be read"
NO_WORDS = "no words"
NOT_WRITABLE = "letters that the tokenizer cannot write"


class Limits(NamedTuple):
    """Lengths of recordings that are trained on, in seconds."""

    least_s: float
    most_s: float


def lines(
    recordings: pa.Table, transcripts: pa.Table, writes: Callable[[str], bool], limits: Limits
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Choose the recordings for a manifest.

    Args:
        recordings: Those of one split; a path without a duration is of a file that could not be read.
        transcripts: Their transcripts.
        writes: Says whether the model's tokenizer can write a character.
        limits: Shortest and longest recording.

    Returns:
        The manifest's lines in the recordings' order, and the number of recordings left out by cause.
    """
    known = {row["recording_id"]: row for row in transcripts.to_pylist()}
    chosen: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    for row in recordings.to_pylist():
        transcript = known.get(row["recording_id"])
        if transcript is None or not transcript["text"].strip():
            cause: str | None = NO_WORDS
        elif transcript["language"] != "en":
            cause = NOT_ENGLISH
        else:
            cause = _audio_cause(row, limits)
        text = None if cause else spell(transcript["text"], writes)  # type: ignore[index]
        if cause is None and not text:
            cause = NOT_WRITABLE if text is None else NO_WORDS
        if cause:
            left_out[cause] += 1
        else:
            chosen.append({"audio_filepath": row["path"], "duration": round(row["duration_s"], 3), "text": text})
    return chosen, left_out


def _audio_cause(row: Mapping[str, Any], limits: Limits) -> str | None:
    if row["path"] is None:
        return NO_AUDIO
    if row["duration_s"] is None:
        return UNREADABLE
    if row["duration_s"] < limits.least_s:
        return f"shorter than {limits.least_s:g} s"
    if row["duration_s"] > limits.most_s:
        return f"longer than {limits.most_s:g} s"
    return None


def write(path: str, some: Iterable[Mapping[str, Any]]) -> None:
    """Write a manifest, one JSON object a line; the file appears whole or not at all."""
    fs, target = fsspec.url_to_fs(path)
    fs.makedirs(target.rpartition("/")[0], exist_ok=True)
    write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in some))
