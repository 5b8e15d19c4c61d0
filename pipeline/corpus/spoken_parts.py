"""Halves, quarters and minutes as they are spoken, in digits: "half past ten" is 1030, as 10:30 is."""

import re

from pipeline.corpus.measures import MEASURES
from pipeline.corpus.merging import rule

MEASURE = "|".join(MEASURES)
MINUTES = {"half": 30, "quarter": 15, "半": 30, "整": 0, "1 刻": 15, "2 刻": 30, "3 刻": 45}
_SHARES = {"a half": "5", "a quarter": "25", "3 quarter": "75", "3 quarters": "75"}
_BESIDE = "past|after|to|before|till|til"
_LENGTH = "小[ ][時时]|鐘[ ]頭|星[ ]期|禮[ ]拜"


def clock(hour: str, minutes: int, before: bool = False) -> str:
    """Return a time of day in digits, as 10:30 and 11:00 are: 1030 and 11.

    Args:
        hour: In digits.
        minutes: Of the hour.
        before: Whether the minutes are those that are missing to the hour.
    """
    full = int(hour)
    if before and minutes:
        full, minutes = (full - 1) or 12, 60 - minutes
    return f"{full}{minutes:02}" if minutes else str(full)


def minutes_of(said: str) -> int:
    """Return the minutes that a number or a name such as "half" stands for."""
    return MINUTES[said] if said in MINUTES else int(said)


def plural(measure: str) -> str:
    """Return the plural of an English measure, which may already be one."""
    return measure if measure.endswith("s") else measure + "s"


def _beside_the_hour(match: re.Match[str]) -> str:
    return clock(match["hour"], minutes_of(match["minutes"]), match["side"] not in ("past", "after"))


def _and_a_share(match: re.Match[str]) -> str:
    measure = match["measured"] or match["one"] or match["behind"]
    return f"{match['count'] or 1}.{_SHARES[match['share']]}" + (plural(measure) if measure else "")


PARTS = [
    rule(rf"(?:a[ ])?(?P<minutes>quarter)[ ](?P<side>{_BESIDE})[ ](?P<hour>\d{{1,2}})", _beside_the_hour),
    rule(r"(?P<minutes>half|\d{1,2})[ ](?:minutes[ ])?(?P<side>past)[ ](?P<hour>\d{1,2})", _beside_the_hour),
    rule(
        r"(?P<hour>\d{1,2})[ ][點点時时][ ](?:(?P<part>半|整|[123][ ]刻)|(?P<minutes>\d{1,2})[ ]分(?![ ][鐘钟]))",
        lambda match: clock(match["hour"], minutes_of(match["part"] or match["minutes"])),
    ),
    rule(
        rf"""(?:(?P<count>\d+)[ ](?:(?P<measured>[a-z]+)[ ])?|an?[ ](?P<one>{MEASURE})[ ])
        and[ ](?P<share>a[ ]half|(?:a[ ]quarter|3[ ]quarters?)(?![ ](?:{_BESIDE})[ ]))(?:[ ](?P<behind>{MEASURE}))?""",
        _and_a_share,
    ),
    rule(
        rf"(?P<count>\d+)[ ](?:[個个]|(?:[個个][ ])?(?P<measured>{_LENGTH})|(?P<unit>[年天週周歲岁]))[ ]半",
        lambda match: f"{match['count']}.5{match['measured'] or match['unit'] or ''}".replace(" ", ""),
    ),
    rule(
        rf"(?P<number>\d+\.\d+)[ ](?:[個个]|(?P<measure>{MEASURE}))",
        lambda match: match["number"] + (plural(match["measure"]) if match["measure"] else ""),
    ),
    rule(r"(?P<whole>\d+)[ ]point[ ](?P<part>\d+)", lambda match: f"{match['whole']}.{match['part']}"),
    rule(
        r"(?<=\d[ ])(?P<zeros>(?:oh[ ])+)(?P<last>\d)", lambda match: "0" * match["zeros"].count("oh") + match["last"]
    ),
]
