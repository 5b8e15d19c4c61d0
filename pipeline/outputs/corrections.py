"""Times of words and spans of entities, transferred from a transcript to its corrected text."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from pipeline.speech.words import WORD, Piece, Transcript, Word, transcript_from_pieces
from pipeline.tagging.entities import Span

_EDGE = re.compile(r"^[^\w]+|[^\w]+$")
_LEAST_S = 0.05  # of a word that was inserted


class _Change(NamedTuple):
    """Indices of consecutive words, and of the consecutive words that they became; either may be empty."""

    before: Sequence[int]
    after: Sequence[int]


def on_one_line(text: str) -> str:
    """Return a text as transcripts have it: one line, single spaces, none at the ends."""
    return transcript_from_pieces([Piece(text, 0.0, 0.0)], 0.0, "").text


def retime(transcript: Transcript, text: str) -> Transcript:
    """Transfer the times of a transcript's words to its corrected text.

    A word that is unchanged, or replaced by one other word, keeps its time. Where several words replace others, they
    share the time of those; where words were inserted, they share the gap, or, where there is none, the time of the
    word before too, else of the one behind. Time is shared in proportion to characters.

    Args:
        transcript: The transcript before the correction; without words, the corrected one has none either.
        text: The corrected text.
    """
    text = on_one_line(text)
    if not transcript.words:
        return Transcript(text, [], transcript.recognizer)
    old = transcript.words
    places = [match.span() for match in WORD.finditer(text)]
    times: list[tuple[float, float]] = [(0.0, 0.0)] * len(places)
    squeezed: list[Sequence[int]] = []

    def share(some: Sequence[int], start: float, end: float) -> None:
        characters, at = sum(places[i][1] - places[i][0] for i in some), start
        for i in some:
            step = (end - start) * (places[i][1] - places[i][0]) / characters
            times[i] = (round(at, 3), round(at + step, 3))
            at += step

    for before, after in _changes([word.text for word in old], [text[start:end] for start, end in places]):
        if not after:
            continue
        if before:
            start, end = old[before[0]].start_s, max(old[before[-1]].end_s, old[before[0]].start_s)
        else:
            start = times[after[0] - 1][1] if after[0] else 0.0
            end = max(start, next((word.start_s for word in old if word.start_s >= start), start))
            if end - start < _LEAST_S * len(after):
                squeezed.append(after)
        share(after, start, end)
    for some in squeezed:
        first, last = some[0], some[-1]
        if first:
            share(range(first - 1, last + 1), times[first - 1][0], times[last][1])
        elif last + 1 < len(times):
            share(range(last + 2), times[0][0], times[last + 1][1])
    words = [Word(text[s:e], s, e, *time) for (s, e), time in zip(places, times, strict=True)]
    return Transcript(text, words, transcript.recognizer)


def carry(span: Span, before: str, after: str) -> Span | None:
    """Transfer a span from a text to its corrected text.

    Args:
        span: The span, in characters of ``before``.
        before: The text before the correction.
        after: The corrected text.

    Returns:
        The span in characters of ``after``, or None if its words were deleted.
    """
    if before == after:
        return span
    old = [match.span() for match in WORD.finditer(before)]
    new = [match.span() for match in WORD.finditer(after)]
    touched = {i for i, (start, end) in enumerate(old) if start < span.char_end and span.char_start < end}
    became = [
        i
        for change in _changes([before[s:e] for s, e in old], [after[s:e] for s, e in new])
        if touched & set(change.before)
        for i in change.after
    ]
    if not became:
        return None
    start, end = new[became[0]][0], new[became[-1]][1]
    prefix = before[old[min(touched)][0] : span.char_start]
    suffix = before[span.char_end : old[max(touched)][1]]
    if after.startswith(prefix, start):
        start += len(prefix)
    if suffix and after[start:end].endswith(suffix):
        end -= len(suffix)
    if not _EDGE.search(before[span.char_start : span.char_end]):
        bare = _EDGE.sub("", after[start:end])
        start = after.index(bare, start)
        end = start + len(bare)
    return Span(span.type, start, end, span.confidence) if start < end else None


def _changes(before: Sequence[str], after: Sequence[str]) -> Iterator[_Change]:
    """Align two texts word by word; where as many words replace others, they are paired one by one."""
    matcher = SequenceMatcher(None, [_plain(word) for word in before], [_plain(word) for word in after], autojunk=False)
    for _, start, end, new_start, new_end in matcher.get_opcodes():
        if end - start == new_end - new_start:
            yield from (_Change([i], [j]) for i, j in zip(range(start, end), range(new_start, new_end), strict=True))
        else:
            yield _Change(range(start, end), range(new_start, new_end))


def _plain(word: str) -> str:
    return _EDGE.sub("", word).casefold() or word
