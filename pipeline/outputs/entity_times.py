"""When an entity is said, where its own times or those of its words are wrong or missing."""

import math
from collections.abc import Iterable
from dataclasses import replace

from pipeline.speech.words import SHORTEST_S, Transcript
from pipeline.tagging.entities import Entity


def timed(entity: Entity, transcript: Transcript, duration_s: float) -> tuple[Entity, bool]:
    """Give an entity the whole time of its words, and its own where that is longer.

    Words without a length are widened up to their neighbours, for they are said somewhere between these.

    Args:
        entity: The entity.
        transcript: The transcript.
        duration_s: Length of the recording in seconds.

    Returns:
        The entity, from whose start to whose end some time passes; and whether its time is only known to be between its
        neighbours.

    Raises:
        ValueError: It has no place in the transcript, or neither it nor any word has a time; the message says which.
    """
    start, end = entity.char_start, entity.char_end
    is_placed = start is not None and end is not None and 0 <= start < end <= len(transcript.text)
    if not is_placed or transcript.text[start:end] != entity.text:
        raise ValueError(f"an entity ({entity.type}) has no place in the transcript")
    own = _spans([(entity.start_s, entity.end_s)])
    touched = [word for word in transcript.words if word.char_start < end and start < word.char_end]
    times = _spans((word.start_s, word.end_s) for word in touched)
    is_widened = len(times) < max(len(touched), 1) and bool(transcript.words)
    if is_widened:
        before = [word.end_s for word in transcript.words if word.char_end <= start and math.isfinite(word.end_s)]
        behind = [word.start_s for word in transcript.words if word.char_start >= end and math.isfinite(word.start_s)]
        first, last = max(before, default=0.0), min(behind, default=duration_s)
        times.append((min(first, last), max(last, first + SHORTEST_S)))
    if not (own or times):
        raise ValueError(f"an entity ({entity.type}) has no time")
    start_s, end_s = min(start for start, _ in own + times), max(end for _, end in own + times)
    return replace(entity, start_s=start_s, end_s=end_s), is_widened


def _spans(times: Iterable[tuple[float | None, float | None]]) -> list[tuple[float, float]]:
    """Return the times that last."""
    return [
        (start, end) for start, end in times if start is not None and end is not None and 0 <= start < end < math.inf
    ]
