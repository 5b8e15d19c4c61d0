"""Forms of dates that are not moved, as what they say is no day, month or year."""

from collections.abc import Sequence

from pipeline.outputs.surrogate_numerals import Token
from pipeline.outputs.surrogate_words import DATA, NoSurrogateError, beside

_MONTHS = {name for names in DATA["months"] for name in names}
_WEEKDAYS = {name for names in DATA["weekdays"] for name in names}
_WEEKDAYS_IN_PLURAL = set(DATA["weekdays"][1])


def check_common(tokens: Sequence[Token]) -> None:
    """Raise ``NoSurrogateError`` for a text with a form that is not moved.

    They are quarters and halves of a year ("Q3", "first half"), weekdays that are counted ("first Monday of May"), days
    of the moon's calendar (初三), and two months, days or hours with one unit in Chinese (三四月, 三、五月).
    """
    if any(
        _is_part_of_year(tokens, at) or _counts_weekday(tokens, at) or _is_of_moon(tokens, at) or _is_two(tokens, at)
        for at in range(len(tokens))
    ):
        raise NoSurrogateError


def _is_part_of_year(tokens: Sequence[Token], at: int) -> bool:
    token, behind = tokens[at], beside(tokens, at, 1)
    if not token.is_number:
        is_before_number = any(other.is_number for other in tokens[at + 1 : at + 2])
        return token.text in ("q", "Q", "H") or (token.text in ("h", "d", "D") and is_before_number)
    if behind in ("quarter", "quarters") or beside(tokens, at, -1) == "quarter":
        return True
    return token.is_ordinal and behind in ("half", "halves")


def _counts_weekday(tokens: Sequence[Token], at: int) -> bool:
    token, behind = tokens[at], beside(tokens, at, 1)
    if not token.is_number:
        return token.text in ("個", "个") and any(other.kind == "weekday" for other in tokens[at + 1 : at + 2])
    is_day = beside(tokens, at, -1) in _MONTHS or not (token.is_ordinal or token.kind == "words")
    return behind in (_WEEKDAYS_IN_PLURAL if is_day else _WEEKDAYS)


def _is_of_moon(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].text == "初" and any(other.is_number for other in tokens[at + 1 : at + 2])


def _is_two(tokens: Sequence[Token], at: int) -> bool:
    token, behind = tokens[at], tokens[at + 1 : at + 3]
    if token.is_number and len(behind) == 2 and behind[0].text == "、" and behind[1].is_number:
        return True
    is_pair = token.kind == "zh_digits" and token.value < 100 and token.value % 11 == 1
    return is_pair and any(other.text in tuple("月日號号點点時时") for other in behind[:1])
