"""The day, month and year of the dates in a text, in any of their usual forms."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from pipeline.outputs.surrogate_numerals import Token
from pipeline.outputs.surrogate_words import DATA, NoSurrogateError, beside

_MONTHS = {name: at % 12 + 1 for names in DATA["months"] for at, name in enumerate(names)}
_SPLIT = re.compile(r"[-–—~～&]")
_SIGNS = re.compile(r"\d/\d|\d([-.])\d+\1\d")
_UNITS_ZH = {"年": "year", "月": "month", "日": "day", "號": "day", "号": "day"}
_ROC = 1911
_NO_YEAR = 2024
_YEARS = range(1000, 3000)


@dataclass(frozen=True)
class Parts:
    """A date in a text.

    Attributes:
        places: Where its day, month and year stand, as far as they are said.
        day: Of the month; None if it is not known.
        month: Of 1 to 12 in a date that exists; None if it is not known.
        year: Of the common era; None if it is not known.
        is_roc: Whether the year is written as one of the Republic of China (1911 less).
        has_short_year: Whether the year is written with its last two digits.
        is_padded: Whether day and month are written with two digits.
        compact: Whether all is one number, such as 20240229.
    """

    places: Mapping[str, int] = field(default_factory=dict)
    day: int | None = None
    month: int | None = None
    year: int | None = None
    is_roc: bool = False
    has_short_year: bool = False
    is_padded: bool = False
    compact: bool = False


def parts_of(tokens: Sequence[Token], taken: Collection[int]) -> list[Parts]:
    """Return the dates of a text.

    A date without a month or a year has that of the next one, or of the one before. If there is none, one with a day
    and a month is read in a leap year. The second one of "December 30th to January 2nd" is in the next year.

    Args:
        tokens: The text.
        taken: Places of numbers that are no dates, but times or amounts.

    Raises:
        NoSurrogateError: A number cannot be read as a part of a date.
    """
    groups: list[list[int]] = [[]]
    for at, token in enumerate(tokens):
        if _is_split(tokens, at):
            groups.append([])
        elif (token.is_number and at not in taken) or _month_of(token):
            groups[-1].append(at)
    found = [_parts(tokens, group) for group in groups if group]
    for order in (range(len(found) - 2, -1, -1), range(1, len(found))):
        for at in order:
            other = found[at + 1 if order.step < 0 else at - 1]
            if found[at].day and not found[at].month and other.day:
                found[at] = replace(found[at], month=other.month)
            if found[at].month and not found[at].year:
                found[at] = replace(found[at], year=other.year)
    found = [replace(one, year=one.year or _NO_YEAR) if one.day and one.month else one for one in found]
    for at, (one, other) in enumerate(pairwise(found)):
        if (
            one.day
            and other.day
            and one.year == other.year
            and (one.month or 0, one.day) > (other.month or 0, other.day)
        ):
            if "year" not in other.places:
                found[at + 1] = replace(other, year=(other.year or 0) + 1)
            elif "year" not in one.places:
                found[at] = replace(one, year=(one.year or 0) - 1)
    return found


def has_date(tokens: Sequence[Token]) -> bool:
    """Return whether a text has a month, a year or day with its unit, or numbers with the signs of a date."""
    return any(
        _month_of(token) or (token.is_number and tokens[at + 1 : at + 2] and tokens[at + 1].text in _UNITS_ZH)
        for at, token in enumerate(tokens)
    ) or bool(_SIGNS.search("".join(token.text for token in tokens)))


def _month_of(token: Token) -> int | None:
    word = token.text.casefold()
    return _MONTHS.get(DATA["spellings"].get(word, word)) if token.kind == "word" else None


def _is_split(tokens: Sequence[Token], at: int) -> bool:
    """Return whether a piece stands between two dates: a word such as "to", or a dash that is not inside a date."""
    token = tokens[at]
    if token.text.casefold() in DATA["range"] or token.text in DATA["range_zh"]:
        return True
    if token.kind != "other" or not _SPLIT.search(token.text) or not 0 < at < len(tokens) - 1:
        return False
    sides = (tokens[at - 1], tokens[at + 1])
    if all(side.value in _YEARS for side in sides):
        return True
    has_other_sign = any(_month_of(t) or t.text in _UNITS_ZH or t.is_ordinal or t.text == "/" for t in tokens)
    return has_other_sign and all((side.is_number and side.value <= 31) or side.text in _UNITS_ZH for side in sides)


def _parts(tokens: Sequence[Token], group: Sequence[int]) -> Parts:
    places: dict[str, int] = {}

    def put(name: str, at: int) -> None:
        if name in places:
            raise NoSurrogateError
        places[name] = at

    loose: list[int] = []
    for at in group:
        behind = beside(tokens, at, 1)
        if _month_of(tokens[at]):
            put("month", at)
        elif behind in _UNITS_ZH:
            put(_UNITS_ZH[behind], at)
        else:
            loose.append(at)
    only = tokens[loose[0]] if not places and len(loose) == 1 else None
    if only and only.kind == "digits" and len(only.text) in (7, 8):
        return _compact(tokens, loose[0])
    is_numeric = not places and len(loose) > 1
    if is_numeric and sum(tokens[at].is_ordinal for at in loose) > 1:  # "the 3rd, 5th and 7th"
        raise NoSurrogateError
    is_chinese = any(token.kind in ("ideograph", "weekday", "period") for token in tokens)
    names = _order([tokens[at] for at in loose], is_chinese) if is_numeric else _loose_names(tokens, loose, places)
    for name, at in zip(names, loose, strict=True):
        put(name, at)
    return _values(tokens, places, is_numeric)


def _order(numbers: Sequence[Token], is_chinese: bool) -> list[str]:
    """Return what two or three numbers are: the year first or last, the day before the month if both are possible,
    but in Chinese behind it.
    """
    values = [number.value for number in numbers]
    day_month = ["month", "day"] if values[1] > 12 or (is_chinese and values[0] <= 12) else ["day", "month"]
    if len(values) == 2:
        if values[0] in _YEARS:
            return ["year", "month"]
        return ["month", "year"] if values[1] in _YEARS else day_month
    if len(values) == 3 and (values[0] > 31 or (len(numbers[0].text) >= 3 and numbers[0].kind == "digits")):
        return ["year", "month", "day"]
    if len(values) == 3:
        return [*day_month, "year"]
    raise NoSurrogateError


def _loose_names(tokens: Sequence[Token], loose: Sequence[int], places: Mapping[str, int]) -> list[str]:
    """Return what numbers are that stand beside a named month or unit, or alone."""
    names: list[str] = []
    for at in loose:
        token, known = tokens[at], {*places, *names}
        is_short_year = at > 0 and tokens[at - 1].text.strip() in ("'", "’", "‘") and token.value < 100
        if token.value in _YEARS or is_short_year or not 1 <= token.value <= 31 or "day" in known:
            names.append("year")
        else:
            names.append("day")
    return names


def _compact(tokens: Sequence[Token], at: int) -> Parts:
    text = tokens[at].text
    is_roc = len(text) == 7
    year, month, day = int(text[:-4]) + (_ROC if is_roc else 0), int(text[-4:-2]), int(text[-2:])
    return Parts({"day": at}, day, month, year, is_roc=is_roc, compact=True)


def _values(tokens: Sequence[Token], places: Mapping[str, int], is_numeric: bool) -> Parts:
    values = {name: _month_of(tokens[at]) or tokens[at].value for name, at in places.items()}
    if values.get("month", 1) not in range(1, 13) or values.get("day", 1) not in range(1, 32):
        raise NoSurrogateError
    year, is_roc, is_short = values.get("year"), False, False
    if year is not None and year not in _YEARS:
        at = places["year"]
        before, behind = beside(tokens, at, -1), beside(tokens, at, 1)
        is_first = is_numeric and at == min(places.values())
        if before in ("國", "国") or behind == "年" or is_first:
            year, is_roc = year + _ROC, True
        elif year < 100 and (len(places) > 1 or before in ("'", "’", "‘")) and (year > 9 or len(tokens[at].text) == 2):
            year, is_short = year + (2000 if year < 50 else 1900), True
        else:
            raise NoSurrogateError
    small = [tokens[at] for name, at in places.items() if name != "year"]
    is_padded = is_numeric and all(token.kind == "digits" and len(token.text) == 2 for token in small)
    return Parts(dict(places), values.get("day"), values.get("month"), year, is_roc, is_short, is_padded)
