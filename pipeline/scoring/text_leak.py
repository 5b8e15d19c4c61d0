"""What of the reference entities' texts still stands in the redacted transcripts.

A redacted transcript is that of the submission without the text of its kept entities: without their spans if they have
them, as in the tables of a run, else, as in task 2, without their text wherever it occurs as whole words. What it
lacks, as it was not recognised or the recording is missing, does not leak. All texts are compared in mixed tokens (CJK
ideographs and words) as :func:`pipeline.scoring.normalise.tokens_apart` writes them.

* ``entities``: reference entities whose whole text, all its tokens in a row, is left.
* ``words``: tokens of the reference entities with at least one letter that are left.

Common words such as ``may`` are also said where they are none of an entity. So of what a redacted transcript holds,
that many are allowed as the reference transcript has beside its entities; what is left is the rest, and not more than
the reference entities have. Without a reference transcript none are allowed. Which of several stays is not told apart:
a common word that was not recognised can hide one that leaks.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.intervals import Interval, union
from pipeline.scoring import bootstrap
from pipeline.scoring.coverage import Entities
from pipeline.scoring.normalise import tokens_apart

_MARK = "|"  # in the place of what is redacted; no normalised text has it


def scores(
    recordings: Sequence[str], reference: Entities, said: Mapping[str, str], heard: Mapping[str, str], found: pa.Table
) -> dict[str, Any]:
    """Count what is left in the redacted transcripts.

    Args:
        recordings: Ids of the recordings to score.
        reference: The reference entities.
        said: Transcripts of the reference, by recording id; they may be missing.
        heard: Transcripts of the submission.
        found: Table of the entities of the submission.

    Returns:
        ``entities`` and ``words``, each with ``count``, what is left; ``total``; ``share``; and ``interval``, its 95 %
        interval. It contains no text.
    """
    to_redact: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in found.to_pylist():
        if row["kept"]:
            to_redact[row["recording_id"]].append(row)
    counts = np.zeros((len(recordings), 2, 2), dtype=np.int64)
    for row, recording_id in enumerate(recordings):
        entities = [form for entity in reference.get(recording_id, ()) if (form := _form(entity.text))]
        if entities:
            spoken = _form(said.get(recording_id, ""))
            left = redacted(heard.get(recording_id, ""), to_redact[recording_id])
            words = [f" {word} " for form in entities for word in form.split() if any(map(str.isalpha, word))]
            for column, wanted in enumerate((entities, words)):
                counts[row, column] = _left(wanted, entities, spoken, left), len(wanted)
    return {"entities": bootstrap.share(counts[:, 0]), "words": bootstrap.share(counts[:, 1])}


def redacted(text: str, entities: Sequence[Mapping[str, Any]]) -> str:
    """Redact a transcript.

    Args:
        text: The transcript.
        entities: Rows of the entities to redact, with or without spans.

    Returns:
        The normalised tokens of what is left, each between two spaces, with marks where something was redacted.
    """
    spans = [(row["char_start"], row["char_end"]) for row in entities if row["char_start"] is not None]
    others = {_form(row["text"]) for row in entities if row["char_start"] is None} - {""}
    left = []
    for form in map(_form, _cut(text, spans)):
        left += _cut(form, [found.span() for other in others for found in re.finditer(re.escape(other), form)])
    return _MARK.join(left)


def _cut(text: str, spans: Iterable[Interval]) -> list[str]:
    """Return the parts of a text between spans, which may overlap."""
    parts, at = [], 0
    for start, end in union(spans):
        parts.append(text[at:start])
        at = end
    return [*parts, text[at:]]


def _left(wanted: Sequence[str], entities: Sequence[str], spoken: str, left: str) -> int:
    """Return how many of the wanted tokens, or rows of tokens, are left beyond what is said beside the entities."""
    of_entities = _MARK.join(entities)
    total = 0
    for form, number in Counter(wanted).items():
        allowed = max(0, spoken.count(form) - of_entities.count(form))
        total += min(number, max(0, left.count(form) - allowed))
    return total


def _form(text: str) -> str:
    """Return the normalised tokens of a text, each between two spaces, so that only whole tokens are found."""
    return "".join(f" {token} " for token in tokens_apart(text))
