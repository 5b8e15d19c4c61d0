"""The segments in which a recording is transcribed: stretches of speech in one language, as many as the window holds.

Stretches go together as in WhisperX (Bain et al., 2023), but never across a change of the language.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.voice import WINDOW_S, Segment

_CHANGE = 2.0  # log odds that a change of the language has to gain; of 142 real stretches 4 are in the wrong one
_LEAST = 0.005  # probability of a language


def fits(samples: int) -> bool:
    """Return whether a recording of so many samples is transcribed as a whole."""
    return samples <= WINDOW_S * SAMPLE_RATE


def within(segment: Segment, speech: Sequence[Segment]) -> Sequence[Segment]:
    """Return the stretches of speech, of a recording's in order, that overlap a segment."""
    first = bisect_right(speech, segment.start, key=lambda stretch: stretch.end)
    return speech[first : bisect_left(speech, segment.end, key=lambda stretch: stretch.start)]


def put_together(speech: Sequence[Segment], english: Sequence[float]) -> tuple[list[Segment], list[float]]:
    """Put stretches of speech together.

    Args:
        speech: The stretches of a recording in order.
        english: The probability that each is English.

    Returns:
        Segments, none longer than the window, and the mean of these probabilities over the time of each.
    """
    segments: list[list[int]] = []
    spoken = spoken_languages(english)
    for place, stretch in enumerate(speech):
        last = segments[-1] if segments else []
        if last and spoken[last[-1]] == spoken[place] and fits(stretch.end - speech[last[0]].start):
            last.append(place)
        else:
            segments.append([place])
    means = []
    for places in segments:
        sizes = [speech[place].end - speech[place].start for place in places]
        means.append(sum(size * english[place] for size, place in zip(sizes, places, strict=True)) / sum(sizes))
    return [Segment(speech[places[0]].start, speech[places[-1]].end) for places in segments], means


def spoken_languages(english: Sequence[float]) -> list[bool]:
    """Return for each stretch of speech whether it is English: the likeliest sequence, in which a change has its price.

    Args:
        english: The probability that each is English, heard by itself.
    """
    if not english:
        return []
    scores, ways = (0.0, 0.0), []
    for probability in english:
        bounded = min(max(probability, _LEAST), 1 - _LEAST)
        changes = scores[1] - _CHANGE > scores[0], scores[0] - _CHANGE > scores[1]
        ways.append(changes)
        scores = (
            max(scores[0], scores[1] - _CHANGE) + math.log(1 - bounded),
            max(scores[1], scores[0] - _CHANGE) + math.log(bounded),
        )
    is_english = [scores[1] > scores[0]]
    for changes in reversed(ways[1:]):
        is_english.append(is_english[-1] != changes[is_english[-1]])
    return is_english[::-1]
