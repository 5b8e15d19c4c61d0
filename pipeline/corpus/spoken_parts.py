"""Halves, quarters and minutes as they are spoken, in digits: "half past ten" is 1030, as 10:30 is."""

import re
from collections.abc import Iterator, Sequence

_PARTS = {"half": 30, "quarter": 15, "半": 30, "整": 0, "1 刻": 15, "2 刻": 30, "3 刻": 45}
_SPOKEN = re.compile(
    r"""(?<![^ ])(?:
      (?:a[ ])?(?P<part>half(?=[ ]past)|quarter)[ ](?P<side>past|after|to|before)[ ](?P<hour>\d{1,2})
    | (?P<minutes>\d{1,2})[ ](?:minutes[ ])?past[ ](?P<hour_past>\d{1,2})
    | (?P<hour_zh>\d{1,2})[ ][點点][ ](?:(?P<part_zh>半|整|[123][ ]刻)|(?P<minutes_zh>\d{1,2})[ ]分(?![ ]鐘))
    | (?P<count>\d+)[ ](?:(?P<measured>[a-z]+)[ ])?and[ ]a[ ]half
    | (?P<count_zh>\d+)[ ](?:[個个]|(?P<measured_zh>[年天週周歲岁]))[ ]半
    )(?![^ ])""",
    re.VERBOSE,
)


def parts_in_digits(texts: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Find spoken parts of hours and of counts in a row of units.

    Args:
        texts: Texts of the units, with numbers in digits.

    Yields:
        First and end of the units that belong together, half open and in order, and what they are in digits: hour and
        minutes (``1030``), or count and five tenths (``25`` for "two and a half", as for 2.5).
    """
    line = " ".join(texts)
    for match in _SPOKEN.finditer(line):
        first = line[: match.start()].count(" ")
        yield first, first + match.group().count(" ") + 1, _digits(match)


def _digits(match: re.Match[str]) -> str:
    for count, measured in (("count", "measured"), ("count_zh", "measured_zh")):
        if match[count]:
            return match[count] + "5" + (match[measured] or "")
    hour = int(match["hour"] or match["hour_past"] or match["hour_zh"])
    minutes = int(match["minutes"] or match["minutes_zh"] or _PARTS[match["part"] or match["part_zh"]])
    if match["side"] in ("to", "before"):
        hour, minutes = (hour - 1) or 12, 60 - minutes
    return f"{hour}{minutes:02}" if minutes else str(hour)
