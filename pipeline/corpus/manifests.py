"""NeMo manifests of the English recordings, to train Parakeet."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.corpus.alphabet import spell
from pipeline.files import write_text

NOT_ENGLISH = "Mandarin or mixed"
NO_AUDIO = "no audio"
UNREADABLE = "audio that cannot be read"
NO_WORDS = "no words"
NOT_WRITABLE = "letters that the tokenizer cannot write"


class Limits(NamedTuple):
    """Minimum and maximum duration of training recordings in seconds."""

    least_s: float
    most_s: float


def lines(
    recordings: pa.Table, transcripts: pa.Table, writes: Callable[[str], bool], limits: Limits
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Choose the recordings for a manifest.

    Args:
        recordings: The recordings of one split. One with a path but no duration could not be read.
        transcripts: Their transcripts.
        writes: Returns whether the model's tokenizer can write a character.
        limits: Minimum and maximum duration.

    Returns:
        The lines of the manifest in the order of the recordings, and the number of excluded recordings by cause.
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
    """Write a manifest atomically, with one JSON object per line."""
    write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in some))
