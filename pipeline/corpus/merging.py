"""Merge the units that make one number with its half, quarter or minutes."""

import re
from collections.abc import Callable, Iterator, Sequence

APART = "|"
Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def rule(pattern: str, digits: Callable[[re.Match[str]], str]) -> Rule:
    """Return a rule that writes whole units that fit a verbose pattern in digits.

    Args:
        pattern: Fits units with single spaces between them. A unit behind punctuation has ``APART`` before it, and so
            belongs to no number that begins before the punctuation.
        digits: Returns what such a match is in digits.
    """
    return re.compile(rf"(?<![^ {APART}])(?:{pattern})(?![^ ])", re.VERBOSE), digits


def merged(texts: Sequence[str], rules: Sequence[Rule]) -> Iterator[tuple[int, int, str]]:
    """Find what belongs together in a row of units.

    Args:
        texts: Texts of the units, with numbers in digits, and ``APART`` before those behind punctuation.
        rules: Where several fit the same units, the first in the text is taken, and then the first in this order.

    Yields:
        First and end of the units that belong together, half open and in order, and what they are in digits.
    """
    line = " ".join(texts)
    matches = [(match.start(), place) for place, (pattern, _) in enumerate(rules) for match in pattern.finditer(line)]
    done = 0
    for start, place in sorted(matches):
        pattern, digits = rules[place]
        match = pattern.match(line, start)
        if match and start >= done:
            first = line[:start].count(" ")
            yield first, first + match.group().count(" ") + 1, digits(match)
            done = match.end()
