"""Transcripts whose entities are replaced by other text."""

import re
from collections.abc import Callable, Sequence

from pipeline.speech.language import CJK
from pipeline.speech.words import Transcript, Word
from pipeline.tagging.entities import Span

_OF_A_WORD = re.compile(rf"[^\W_{CJK}]")


def placeholder(type_: str, text: str) -> str:
    """Return the placeholder of an entity of a type, such as ``[PATIENT]``; it does not depend on the text."""
    return f"[{type_}]"


def merge(spans: Sequence[Span]) -> list[Span]:
    """Join overlapping spans; the result is sorted, and a joined span has the type of the longest of its parts."""
    merged: list[Span] = []
    longest = 0
    for span in sorted(spans, key=lambda span: (span.char_start, -span.char_end, span.type)):
        length = span.char_end - span.char_start
        if merged and span.char_start < merged[-1].char_end:
            type_ = span.type if length > longest else merged[-1].type
            end = max(merged[-1].char_end, span.char_end)
            merged[-1] = Span(type_, merged[-1].char_start, end)
            longest = max(longest, length)
        else:
            merged.append(Span(span.type, span.char_start, span.char_end))
            longest = length
    return merged


def redact(
    transcript: Transcript, spans: Sequence[Span], replace: Callable[[str, str], str]
) -> tuple[Transcript, list[Span]]:
    """Replace spans of a transcript, and keep the times of its words.

    Args:
        transcript: The transcript; its words may be missing.
        spans: The spans to replace, in characters of its text; overlapping ones are joined first.
        replace: Takes the type and the old text of a span, and returns the new text.

    Returns:
        The new transcript, and the spans of the new texts in it. The words that a span touches become one word, from
        the start of the first to the end of the last.
    """
    text, at = "", 0
    old, new = merge(spans), []
    for span in old:
        text += transcript.text[at : span.char_start]
        replacement = replace(span.type, transcript.text[span.char_start : span.char_end])
        new.append(Span(span.type, len(text), len(text) + len(replacement)))
        text += replacement
        at = span.char_end
    text += transcript.text[at:]

    def moved(at: int) -> int:
        for before, after in zip(reversed(old), reversed(new), strict=True):
            if before.char_start < at:
                return after.char_end + max(at - before.char_end, 0)
        return at

    words: list[Word] = []
    for group in _groups(transcript.words, old):
        start, end = group[0].char_start, group[-1].char_end
        touched = [after for before, after in zip(old, new, strict=True) if _overlap(before, start, end)]
        start, end = moved(start), moved(end)
        if touched:
            start, end = min(start, touched[0].char_start), max(end, touched[-1].char_end)
        words.append(Word(text[start:end], start, end, group[0].start_s, group[-1].end_s))
    return Transcript(text, words, transcript.recognizer), new


def whole_words(text: str, span: Span) -> Span:
    """Extend a span to whole words where it begins or ends inside a word of Latin script or digits."""
    start, end = span.char_start, span.char_end
    while start > 0 and _OF_A_WORD.match(text[start]) and _OF_A_WORD.match(text[start - 1]):
        start -= 1
    while end < len(text) and _OF_A_WORD.match(text[end - 1]) and _OF_A_WORD.match(text[end]):
        end += 1
    return Span(span.type, start, end)


def _groups(words: Sequence[Word], spans: Sequence[Span]) -> list[list[Word]]:
    """Group consecutive words that the same span touches; every other word is a group of its own."""
    groups: list[list[Word]] = []
    for word in words:
        last = groups[-1][-1] if groups else word
        if last is not word and any(
            _overlap(span, last.char_start, last.char_end) and _overlap(span, word.char_start, word.char_end)
            for span in spans
        ):
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _overlap(span: Span, start: int, end: int) -> bool:
    return span.char_start < end and start < span.char_end
