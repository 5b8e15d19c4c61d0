"""What the pauses of a recording say about a transcript: where a word cannot be, and where one is missing."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.voice import Segment
from pipeline.speech.words import SHORTEST_S, Transcript, Word

_PAUSE_S = 0.2  # beyond the silence that a stretch of speech has around it
_TOUCHED_S = 0.1
_MISSING_S = 2.0


def out_of_pauses(transcript: Transcript, speech: Sequence[tuple[float, float]]) -> Transcript:
    """Move words that reach over a pause to one side of it.

    Whisper's cross-attention gives a pause to the word behind it, which seems to begin where the word before ends.

    Args:
        transcript: What was written of a segment.
        speech: Start and end, in seconds from the segment's start, of the stretches of speech in it.

    Returns:
        The transcript, in which a word that touches several stretches with a pause between them has the time that it
        shares with the last of these.
    """
    words: list[Word] = []
    for word in transcript.words:
        touched = [(start, end) for start, end in speech if min(end, word.end_s) - max(start, word.start_s) > 0]
        for (_, before), (start, end) in pairwise(touched):
            if start - before >= _PAUSE_S:
                if min(end, word.end_s) - start >= _TOUCHED_S:
                    word = replace(word, start_s=max(word.start_s, start))
                else:
                    word = replace(word, end_s=before)
                    break
        start_s = max(word.start_s, words[-1].start_s if words else 0.0)
        words.append(replace(word, start_s=start_s, end_s=max(word.end_s, round(start_s + SHORTEST_S, 3))))
    return replace(transcript, words=words)


def unwritten(segment: Segment, transcript: Transcript, speech: Sequence[Segment]) -> Segment | None:
    """Return the end of a segment in which somebody speaks and nothing is written, or None.

    Args:
        segment: A segment of a recording.
        transcript: What was written of it.
        speech: The stretches of speech that overlap it.

    Returns:
        The segment from the last word on, if there are at least two seconds of speech behind it.
    """
    if not transcript.words:
        return None
    last = segment.start + round(transcript.words[-1].end_s * SAMPLE_RATE)
    left = [Segment(max(each.start, last), min(each.end, segment.end)) for each in speech]
    left = [each for each in left if each.start < each.end]
    if sum(each.end - each.start for each in left) < _MISSING_S * SAMPLE_RATE:
        return None
    return Segment(left[0].start, segment.end)
