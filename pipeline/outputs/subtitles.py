"""Timed words and entities as subtitles (WebVTT) and for Praat (TextGrid)."""

import html
from collections.abc import Iterator, Sequence

from pipeline.speech.words import Transcript, Word
from pipeline.tagging.entities import Span

_LONGEST_CUE_S = 5.0
_LONGEST_PAUSE_S = 1.0
_SHORTEST_S = 0.001

Interval = tuple[float, float, str]


def webvtt(transcript: Transcript, spans: Sequence[Span]) -> str:
    """Return a transcript as WebVTT, in cues of about five seconds; an entity is a class, as in ``<c.PATIENT>``.

    Args:
        transcript: The transcript; one without words has no cues.
        spans: The spans of its entities, sorted and without overlaps. No cue ends inside one.
    """
    cues = ["WEBVTT"]
    for words in _cues(transcript.words, spans):
        start = words[0].start_s
        end = max(max(word.end_s for word in words), start + _SHORTEST_S)
        line = _marked(transcript.text, words[0].char_start, words[-1].char_end, spans)
        cues.append(f"{_clock(start)} --> {_clock(end)}\n{line}")
    return "\n\n".join(cues) + "\n"


def _cues(words: Sequence[Word], spans: Sequence[Span]) -> Iterator[list[Word]]:
    cue: list[Word] = []
    for word in words:
        if cue:
            full = word.end_s - cue[0].start_s > _LONGEST_CUE_S or word.start_s - cue[-1].end_s > _LONGEST_PAUSE_S
            if full and not any(s.char_start < cue[-1].char_end and word.char_start < s.char_end for s in spans):
                yield cue
                cue = []
        cue.append(word)
    if cue:
        yield cue


def _marked(text: str, start: int, end: int, spans: Sequence[Span]) -> str:
    line, at = "", start
    for span in spans:
        if start <= span.char_start and span.char_end <= end:
            entity = html.escape(text[span.char_start : span.char_end], quote=False)
            line += html.escape(text[at : span.char_start], quote=False) + f"<c.{span.type}>{entity}</c>"
            at = span.char_end
    return line + html.escape(text[at:end], quote=False)


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds / 1000:06.3f}"


def textgrid(transcript: Transcript, spans: Sequence[Span], duration_s: float) -> str:
    """Return a transcript as a Praat TextGrid with the tiers words and entities, the latter labelled by type.

    The intervals of a tier do not overlap: a word that overlaps the next one ends where that one starts, and words
    that would have no length are joined with their neighbour.

    Args:
        transcript: The transcript.
        spans: The spans of its entities.
        duration_s: Length of the recording in seconds, above 0.
    """
    entities = []
    for span in spans:
        touched = [w for w in transcript.words if w.char_start < span.char_end and span.char_start < w.char_end]
        if touched:
            entities.append((touched[0].start_s, touched[-1].end_s, span.type))
    words = [(word.start_s, word.end_s, word.text) for word in transcript.words]
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += ["xmin = 0", f"xmax = {duration_s}", "tiers? <exists>", "size = 2", "item []:"]
    for number, (name, intervals) in enumerate((("words", words), ("entities", entities)), start=1):
        tier = _tier(intervals, duration_s)
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {duration_s}", f"        intervals: size = {len(tier)}"]
        for place, (start, end, label) in enumerate(tier, start=1):
            lines += [f"        intervals [{place}]:", f"            xmin = {start}", f"            xmax = {end}"]
            lines.append('            text = "{}"'.format(label.replace('"', '""')))
    return "\n".join(lines) + "\n"


def _tier(intervals: Sequence[Interval], duration_s: float) -> list[Interval]:
    """Cover the whole duration with consecutive intervals; those without a label are the gaps."""
    row: list[Interval] = []
    for start, end, label in sorted(intervals, key=lambda interval: interval[0]):
        start, end = min(start, duration_s), min(end, duration_s)
        if row and (start <= row[-1][0] or row[-1][0] == row[-1][1]):
            row[-1] = (row[-1][0], max(end, row[-1][1]), f"{row[-1][2]} {label}")
            continue
        if row:
            row[-1] = (row[-1][0], min(row[-1][1], start), row[-1][2])
        row.append((start, end, label))
    if row and row[-1][0] == row[-1][1]:
        start, _, label = row.pop()
        if start < duration_s:
            row.append((start, duration_s, label))
        else:
            before = row.pop() if row else (0.0, duration_s, "")
            row.append((before[0], duration_s, f"{before[2]} {label}".strip()))
    tier: list[Interval] = []
    at = 0.0
    for start, end, label in row:
        if at < start:
            tier.append((at, start, ""))
        tier.append((start, end, label))
        at = end
    if at < duration_s:
        tier.append((at, duration_s, ""))
    return tier
