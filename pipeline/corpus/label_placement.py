"""Find the labels of a recording in its transcript.

A label is a text with a time. Its candidates are the spans of the transcript with the same or a similar text. The spans
of all labels are chosen together, as a shortest path. The costs are for different spelling, for labels that are not
placed, and for time differences between two labels that do not match those between their spans.
"""

import calendar
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from rapidfuzz.distance import Indel

from pipeline.corpus.units import Unit, join, readings, units
from pipeline.speech.language import language_of
from pipeline.speech.words import Word

Match = Literal["exact", "normalised", "fuzzy", "not_found"]

NO_TEXT = "the label has no text"
NOT_SAID = "the transcript does not hold it"
SAID_LESS_OFTEN = "the transcript holds it less often than it is labelled"
OTHER_TIME = "the transcript holds it at another time or out of order"
BY_TIME = "by word times alone"

# Median speaking rates of the AI CUP 2025 corpus, to estimate times in a transcript without word times.
_SECONDS_PER_IDEOGRAPH = 1 / 4
_SECONDS_PER_CHARACTER = 1 / 16

_LEAST_SCALE, _MOST_SCALE = 0.5, 2.0  # scaling of these times to a recording's duration; beyond, much is silent

_COST = {"exact": 0.0, "normalised": 0.25, "fuzzy": 1.0}
_COST_OF_LOWER_CASE = 1.0  # if the label starts with a capital: "Will" is not "will"
_COST_OF_DIFFERENCE = 8.0  # times 1 - similarity
_COST_OF_LEAVING_OUT = 5.0
_LEFT_OUT_IN_A_ROW = 12  # maximum number of consecutive labels that are left out
_NEAREST = 30  # maximum number of candidates of a label, the nearest in time

_LEAST_SIMILARITY = 0.75
_LEAST_SIMILARITY_OF_ENDS = 0.6
_SHORTEST_FUZZY = 3  # letters, digits and ideographs
_SHORTEST_FUZZY_WORD = 7  # a shorter word must be capitalised like a name
_LEAST_SIMILARITY_BY_TIME = 1 / 3
_LEAST_SHARED_TIME = 0.5  # share of the shorter of two labels, or of the union of a label and its words

# Words that must be equal, like numbers: similar ones mean something else.
_CLOSED = {name.casefold() for name in [*calendar.day_name, *calendar.month_name] if name}
_CLOSED |= {"morning", "afternoon", "evening", "night", "noon", "midnight"}


class Label(NamedTuple):
    """An annotated text with its time.

    Attributes:
        text: The words, which may be spelled differently from the transcript or be empty.
        start_s: Start in seconds.
        end_s: End in seconds.
    """

    text: str
    start_s: float
    end_s: float


class Location(NamedTuple):
    """The span of a label in the transcript.

    Attributes:
        match: ``exact``: the same text. ``normalised``: the same except for case, punctuation or the form of numbers.
            ``fuzzy``: a similar text, or words at the right time. ``not_found``.
        char_start: Index of the first character in the transcript, or None.
        char_end: Index after the last character, or None.
        cause: Why it was not found, or ``BY_TIME`` if it was found by time alone.
    """

    match: Match
    char_start: int | None = None
    char_end: int | None = None
    cause: str | None = None


class _Candidate(NamedTuple):
    char_start: int
    char_end: int
    match: Match
    cost: float


def place_labels(
    transcript: str,
    labels: Sequence[Label],
    words: Sequence[Word] = (),
    duration_s: float | None = None,
    fuzzy: bool = True,
) -> list[Location]:
    """Find the span of each label in a transcript.

    A span never starts or ends inside a Latin word or a number. Spans are in the order of the labels' times, and those
    of consecutive labels overlap only if their times do.

    Args:
        transcript: The text.
        labels: Labels of the recording, in any order.
        words: Words of the transcript with their times, if known. They allow finding labels by time alone.
        duration_s: Duration of the recording in seconds, if known.
        fuzzy: Also accept similar texts, and words that are only said at the right time.

    Returns:
        A location for each label, in the given order.
    """
    order = sorted(range(len(labels)), key=lambda i: (labels[i].start_s, labels[i].end_s))
    in_time = [labels[i] for i in order]
    said = readings(transcript)
    clock = _Clock(transcript, words, duration_s)
    options = []
    for label in in_time:
        found = _candidates(transcript, said, label.text.strip(), fuzzy)
        options.append(sorted(sorted(found, key=lambda place: abs(clock.late(place, label)))[:_NEAREST]))
    chosen = _shortest_path(in_time, options, clock)
    locations = [Location("not_found")] * len(labels)
    for i, label, of_label, candidate in zip(order, in_time, options, chosen, strict=True):
        if candidate is not None:
            locations[i] = Location(candidate.match, candidate.char_start, candidate.char_end)
        else:
            locations[i] = Location("not_found", cause=_cause(label, of_label, chosen))
    if fuzzy and words:
        for i in order:
            if locations[i].match == "not_found":
                locations[i] = _by_time(transcript, labels[i], words, locations) or locations[i]
    return locations


class _Clock:
    """Time of each character, from the words or estimated, and the cost of time differences."""

    def __init__(self, transcript: str, words: Sequence[Word], duration_s: float | None):
        self.estimated = not words
        if self.estimated:
            self._times = [0.0]
            for character in transcript:
                slow = language_of(character) == "zh"
                self._times.append(self._times[-1] + (_SECONDS_PER_IDEOGRAPH if slow else _SECONDS_PER_CHARACTER))
            scale = (duration_s or 0.0) / (self._times[-1] or 1.0)
            if _LEAST_SCALE <= scale <= _MOST_SCALE:
                self._times = [time * scale for time in self._times]
            return
        self._times = [0.0] * (len(transcript) + 1)
        for word in words:
            for place in range(word.char_start, word.char_end):
                past = (place - word.char_start) / (word.char_end - word.char_start)
                self._times[place] = word.start_s + past * (word.end_s - word.start_s)

    def late(self, candidate: _Candidate, label: Label) -> float:
        """Return how many seconds a candidate starts later than its label."""
        return self._times[candidate.char_start] - label.start_s

    def cost(self, drift_s: float, elapsed_s: float) -> float:
        """Return the cost of a time difference of ``drift_s`` between text and labels within ``elapsed_s``."""
        return abs(drift_s) / (1 + 0.3 * elapsed_s if self.estimated else 0.5)


def _candidates(transcript: str, said: Sequence[Sequence[Unit]], text: str, fuzzy: bool) -> list[_Candidate]:
    """Return all candidates of a text in any of its readings, without those that overlap an exact match."""
    wanted_ways = readings(text)
    if not wanted_ways[0]:
        return []
    inside = {place for unit in said[0] for place in range(unit.char_start + 1, unit.char_end)}
    starts = [match.start() for match in re.finditer(f"(?={re.escape(text)})", transcript)]
    exact = [(start, start + len(text)) for start in starts if not {start, start + len(text)} & inside]
    found = [_Candidate(start, end, "exact", _COST["exact"]) for start, end in exact]
    ways = ((row[first:], wanted) for wanted in wanted_ways for row in said for first in range(len(row)))
    for row, wanted in ways:
        candidate = _candidate_from(transcript, row, wanted, fuzzy)
        if candidate and not any(candidate.char_start < end and start < candidate.char_end for start, end in exact):
            small = text[0].isupper() and transcript[candidate.char_start].islower()
            found.append(candidate._replace(cost=candidate.cost + small * _COST_OF_LOWER_CASE))
    return sorted(set(found))


def _candidate_from(transcript: str, said: Sequence[Unit], wanted: Sequence[Unit], fuzzy: bool) -> _Candidate | None:
    """Return the best candidate that starts with the first unit."""
    text = join(wanted)
    longest = len(text) * (2 / _LEAST_SIMILARITY - 1) if fuzzy else len(text)
    best: _Candidate | None = None
    length = 0
    for last, unit in enumerate(said, 1):
        length += len(unit.text)
        if length > longest:
            break
        here = said[:last]
        if join(here) == text:
            return _Candidate(here[0].char_start, _end(transcript, here), "normalised", _COST["normalised"])
        if fuzzy and _resembles(transcript, here, wanted):
            difference = 1 - Indel.normalized_similarity(join(here), text)
            cost = _COST["fuzzy"] + _COST_OF_DIFFERENCE * difference
            if best is None or cost < best.cost:
                best = _Candidate(here[0].char_start, _end(transcript, here), "fuzzy", cost)
    return best


def _resembles(transcript: str, here: Sequence[Unit], wanted: Sequence[Unit]) -> bool:
    """Return whether units resemble the wanted ones: "Bourd" resembles "Board", "know" does not resemble "now".

    First and last units must be similar, and numbers, days, months and parts of the day equal. A short single word must
    be capitalised and start with the same letter. Ideographs may be inserted or deleted, but not replaced.
    """
    text, other = join(wanted), join(here)
    if len(text) < _SHORTEST_FUZZY or Indel.normalized_similarity(other, text) < _LEAST_SIMILARITY:
        return False
    if _fixed(here) != _fixed(wanted) or re.search(r"\w['’]$", transcript[: here[0].char_start]):
        return False
    if language_of(text) == "zh" and Indel.distance(other, text) > abs(len(other) - len(text)):
        return False
    if len(here) == len(wanted) == 1 and len(text) < _SHORTEST_FUZZY_WORD:
        return transcript[here[0].char_start].isupper() and text[0] == other[0]
    ends = ((here[0], wanted[0]), (here[-1], wanted[-1]))
    return all(Indel.normalized_similarity(a.text, b.text) >= _LEAST_SIMILARITY_OF_ENDS for a, b in ends)


def _fixed(some: Sequence[Unit]) -> list[str]:
    numbers = (number for unit in some for number in re.findall(r"\d+(?:\.\d+)?", unit.text))
    return sorted([*numbers, *(unit.text for unit in some if unit.text in _CLOSED)])


def _end(transcript: str, here: Sequence[Unit]) -> int:
    """Return the end of a span, including the last dot of an abbreviation such as L.A."""
    end = here[-1].char_end
    dotted = re.search(r"\.\w$", transcript[here[0].char_start : end]) and transcript[end : end + 1] == "."
    return end + 1 if dotted else end


def _shortest_path(
    labels: Sequence[Label], options: Sequence[Sequence[_Candidate]], clock: _Clock
) -> list[_Candidate | None]:
    """Choose a candidate or None for each label so that the total cost is minimal; labels are sorted by time."""
    costs: list[list[float]] = []
    before: list[list[tuple[int, int] | None]] = []
    for i, label in enumerate(labels):
        costs.append([])
        before.append([])
        for candidate in options[i]:
            late = clock.late(candidate, label)
            ways: list[tuple[float, tuple[int, int] | None]] = [
                (i * _COST_OF_LEAVING_OUT + clock.cost(late, label.start_s), None)
            ]
            for j in range(max(0, i - 1 - _LEFT_OUT_IN_A_ROW), i):
                elapsed = label.start_s - labels[j].start_s
                for k, earlier in enumerate(options[j]):
                    if _may_follow(labels[j], earlier, label, candidate):
                        drift = late - clock.late(earlier, labels[j])
                        left_out = (i - j - 1) * _COST_OF_LEAVING_OUT
                        ways.append((costs[j][k] + left_out + clock.cost(drift, elapsed), (j, k)))
            cost, way = min(ways, key=lambda way: way[0])
            costs[i].append(cost + candidate.cost)
            before[i].append(way)

    ends: list[tuple[float, tuple[int, int] | None]] = [(len(labels) * _COST_OF_LEAVING_OUT, None)]
    ends += [
        (cost + (len(labels) - 1 - i) * _COST_OF_LEAVING_OUT, (i, k))
        for i, of_label in enumerate(costs)
        for k, cost in enumerate(of_label)
    ]
    chosen: list[_Candidate | None] = [None] * len(labels)
    at = min(ends, key=lambda end: end[0])[1]
    while at is not None:
        i, k = at
        chosen[i] = options[i][k]
        at = before[i][k]
    return chosen


def _may_follow(earlier: Label, earlier_candidate: _Candidate, later: Label, candidate: _Candidate) -> bool:
    """Return whether the candidates of two labels are in order, and overlap only if the labels do so in time."""
    if candidate.char_start >= earlier_candidate.char_end:
        return True
    shared = min(earlier.end_s, later.end_s) - later.start_s
    shorter = min(earlier.end_s - earlier.start_s, later.end_s - later.start_s)
    in_order = candidate.char_start >= earlier_candidate.char_start
    return in_order and shared > 0 and shared >= _LEAST_SHARED_TIME * shorter


def _by_time(transcript: str, label: Label, words: Sequence[Word], locations: Sequence[Location]) -> Location | None:
    """Return the span said in a label's time, if it has some similarity and overlaps no other location."""
    here = [word for word in words if label.start_s <= (word.start_s + word.end_s) / 2 <= label.end_s]
    said = units(transcript[here[0].char_start : here[-1].char_end]) if here else []
    if not said:
        return None
    start, end = here[0].char_start + said[0].char_start, here[0].char_start + said[-1].char_end
    shared = min(label.end_s, here[-1].end_s) - max(label.start_s, here[0].start_s)
    together = max(label.end_s, here[-1].end_s) - min(label.start_s, here[0].start_s)
    taken = any(
        other.char_start is not None and other.char_start < end and start < (other.char_end or 0) for other in locations
    )
    wanted = units(label.text)
    unlike = wanted and Indel.normalized_similarity(join(said), join(wanted)) < _LEAST_SIMILARITY_BY_TIME
    if taken or unlike or shared < _LEAST_SHARED_TIME * together:
        return None
    return Location("fuzzy", start, end, BY_TIME)


def _cause(label: Label, options: Sequence[_Candidate], chosen: Sequence[_Candidate | None]) -> str:
    if not units(label.text):
        return NO_TEXT
    if not options:
        return NOT_SAID
    spans = {(candidate.char_start, candidate.char_end) for candidate in chosen if candidate}
    free = [candidate for candidate in options if (candidate.char_start, candidate.char_end) not in spans]
    return OTHER_TIME if free else SAID_LESS_OFTEN
