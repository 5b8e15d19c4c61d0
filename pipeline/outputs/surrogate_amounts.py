"""Surrogates of durations and of how often something happens: other numbers, in the same order."""

import itertools
from collections.abc import Collection, Sequence

from pipeline.outputs.surrogate_agreement import agreement
from pipeline.outputs.surrogate_numerals import Token, counted, write
from pipeline.outputs.surrogate_words import DATA, NoSurrogateError, beside, check_rest, joined, read, unit

ABOUT_ZH = ("幾", "几", "多", "來", "来")
"""What stands behind a round number that is meant roughly."""

_ONE = {"a", "an", "one"}
_YEARS = range(1900, 2101)
_LAST_WEEK = 53


def other_amount(text: str, direction: int) -> str:
    """Return a duration or frequency with other numbers; raise ``NoSurrogateError`` for words that are not known.

    Args:
        text: Such as "ten to twelve days" or 一天三次.
        direction: 1 for more and -1 for less, where less is possible.
    """
    tokens = read(text)
    numbers = [at for at, token in enumerate(tokens) if token.is_number and not _is_second(tokens, at)]
    if any(tokens[at].value in _YEARS and len(tokens[at].text) == 4 for at in numbers):
        raise NoSurrogateError
    new = other_numbers(tokens, numbers, direction)
    check_rest(tokens, {*numbers, *(at for at in range(len(tokens)) if _is_second(tokens, at)), *new})
    return joined(tokens, new)


def other_numbers(tokens: Sequence[Token], places: Collection[int], direction: int) -> dict[int, str]:
    """Return other numbers for those at some places of a text, and the words that change with them, by their places."""
    check_no_slash(tokens, places)
    places = [at for at in places if not is_fraction(tokens, at) and not _is_rate(tokens, at, places)]
    for before, after in itertools.pairwise(places):
        if after == before + 2 and tokens[before + 1].text.isspace():
            raise NoSurrogateError
    pairs = {at for at in places if tokens[at].kind == "zh_digits"}
    values = [tokens[at].value for at in places if at not in pairs]
    new = {at: _pair(tokens[at], direction) for at in pairs}
    if values:
        is_about = any(tokens[at].kind == "zh" and beside(tokens, at, 1) in ABOUT_ZH for at in places)
        added = _step(values, _limit(tokens, places, values), direction, is_about)
        for at in places:
            if at not in pairs:
                is_rank = at > 0 and tokens[at - 1].text == "第"
                new[at] = (write if is_rank else counted)(tokens[at], tokens[at].value + added)
                new |= agreement(tokens, at, tokens[at].value + added)
    return new


def counts(tokens: Sequence[Token]) -> dict[int, str]:
    """Return the places of the numbers that count time, with its unit: "ten" and "twelve" of "ten to twelve days"."""
    found: dict[int, str] = {}
    for at in reversed(range(len(tokens))):
        if not tokens[at].is_number or tokens[at].value >= 1000:
            continue
        behind, has_filler = at + 1, False
        while not unit(tokens, behind) and _is_filler(tokens, behind):
            has_filler = has_filler or not tokens[behind].text.isspace()
            behind += 1
        what, word = unit(tokens, behind), tokens[behind].text.casefold() if behind < len(tokens) else ""
        is_date = {"日": True, "月": not has_filler, "年": not _is_number_of_years(tokens, at, behind)}.get(word, False)
        if beside(tokens, at, -1) in ("day", "days", "week", "weeks") and not tokens[at].is_ordinal:  # "week 12"
            found[at] = "week"
        elif behind in found and has_filler:
            found[at] = found[behind]
        elif what and not is_date:
            found[at] = what
    return dict(sorted(found.items()))


def _is_number_of_years(tokens: Sequence[Token], at: int, behind: int) -> bool:
    """Return whether 年 counts years: "三年前", 十年, and not 113年 or 85年5月."""
    before = beside(tokens, at, -1)
    after = tokens[behind + 1] if behind + 1 < len(tokens) else Token("", "other")
    if before in ("國", "国", "元") or after.is_number:
        return False
    return tokens[at].value < 50 or after.text in tuple("前後后內内來来多半以")


def _is_filler(tokens: Sequence[Token], at: int) -> bool:
    if at >= len(tokens):
        return False
    token = tokens[at]
    if token.kind == "other":
        return not token.text.strip(" -–~～")
    return token.text.casefold() in DATA["fillers"] or (token.kind == "ideograph" and token.text in DATA["fillers_zh"])


def _is_second(tokens: Sequence[Token], at: int) -> bool:
    """Return whether "second" is the unit, as in "a second" and "30 second"."""
    if tokens[at].text.casefold() != "second":
        return False
    before = tokens[at - 2] if at > 1 else Token("", "other")
    return before.is_number or before.text.casefold() in _ONE or at == len(tokens) - 1


def is_fraction(tokens: Sequence[Token], at: int) -> bool:
    """Return whether a number stands behind a decimal point or a comma inside a number."""
    return at > 1 and tokens[at - 1].text in (".", ",") and tokens[at - 2].is_number


def check_no_slash(tokens: Sequence[Token], places: Collection[int]) -> None:
    """Raise ``NoSurrogateError`` if a number of some places stands behind a slash and another number, as in "1/2"."""
    if any(at > 1 and tokens[at - 1].text == "/" and tokens[at - 2].is_number for at in places):
        raise NoSurrogateError


def _is_rate(tokens: Sequence[Token], at: int, places: Collection[int]) -> bool:
    """Return whether 一 means "each", as in 一天三次."""
    return tokens[at].text == "一" and len(places) > 1 and unit(tokens, _skip_measure(tokens, at + 1)) is not None


def _skip_measure(tokens: Sequence[Token], at: int) -> int:
    return at + 1 if at < len(tokens) and tokens[at].text in ("個", "个") else at


def _limit(tokens: Sequence[Token], places: Collection[int], values: Sequence[int]) -> int | None:
    """Return the most that can be, as seven days a week or week 53, if the numbers are within it."""
    units = {unit(tokens, at) for at in range(len(tokens))}
    limits = [most for pair, most in DATA["at_most"].items() if set(pair.split()) <= units]
    if any(_is_week(tokens, at) for at in places):
        limits.append(_LAST_WEEK)
    return min((most for most in limits if max(values) <= most), default=None)


def _is_week(tokens: Sequence[Token], at: int) -> bool:
    """Return whether a number is the rank of a week: "week 12", "12th week", 第十二週."""
    is_rank = tokens[at].is_ordinal or tokens[at - 1 : at] == [Token("第", "ideograph")]
    is_before_week = "week" in (unit(tokens, at + 1), unit(tokens, at + 2))
    return beside(tokens, at, -1) in ("week", "weeks") or (is_rank and is_before_week)


def _step(values: Sequence[int], limit: int | None, direction: int, is_about: bool) -> int:
    """Return what to add to all: about a fifth of the least, round for round numbers; two is the least after less."""
    if is_about:  # 四十多
        return -10 if direction < 0 and min(values) > 10 else 10
    least, most = min(values), max(values)
    grain = next(g for g in (10, 5, 1) if g == 1 or (least > g and not any(value % g for value in values)))
    step = max(grain, least // 5 // grain * grain)
    if limit is not None and most + step > limit:
        return -step if least - step >= 1 else 1 if most < limit else -1
    return -step if direction < 0 and least - step >= 2 else step


def _pair(token: Token, direction: int) -> str:
    """Return another pair of neighbours, as 三四 for 兩三."""
    if len(token.text) != 2 or token.value % 11 != 1 or not 12 <= token.value <= 89:
        raise NoSurrogateError
    added = 1 if token.value == 12 or (direction > 0 and token.value < 89) else -1
    made = write(token, token.value + 11 * added)
    return "一兩" if made == "一二" else made.replace("二三", "兩三")
