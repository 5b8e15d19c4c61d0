"""Surrogates of dates: moved by one number of days, in the same form.

A date with a day and a month is moved in the calendar; without a year it is read in the leap year 2024. What is known
only in part moves by the same days as far as it goes: a weekday by the days modulo 7, a day of the month by the days
modulo 31, a month by the rounded months, a season by the rounded seasons, a year by one year, or beside a season by the
years that the season moves into.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from pipeline.outputs.surrogate_amounts import counts, other_numbers
from pipeline.outputs.surrogate_clock import has_clock, is_24_hours, is_minutes, other_times
from pipeline.outputs.surrogate_date_parts import Parts, has_date, parts_of
from pipeline.outputs.surrogate_move import Move
from pipeline.outputs.surrogate_numerals import Token, english, like, write
from pipeline.outputs.surrogate_rare_dates import check_common
from pipeline.outputs.surrogate_words import DATA, NoSurrogateError, check_rest, joined, read

_CYCLES = [(cycle, kind) for kind in ("weekdays", "seasons") for cycle in DATA[kind]]
_SEASONS = {str(name): at for names in DATA["seasons"] for at, name in enumerate(names)}
_WEEKDAYS_ZH = "一二三四五六日"


def other_date(text: str, move: Move, is_time: bool = False) -> str:
    """Return a date or a time of the clock, moved; raise ``NoSurrogateError`` if it cannot be read.

    Args:
        text: The date or time.
        move: By how much.
        is_time: Whether numbers are hours before they are days, unless the text has a month or year.
    """
    tokens = _with_spoken_years(read(text))
    check_common(tokens)
    is_time = (is_time or has_clock(tokens)) and not has_date(tokens)
    counted = [at for at in counts(tokens) if not is_minutes(tokens, at)]
    if is_time:  # "fourteen hundred hours" is a time
        counted = [at for at in counted if not is_24_hours(tokens[at])]
    new, done = other_times(tokens, counted, move.hours, is_time)
    done |= {at for at in counted if tokens[at].text.casefold() == "one" and "days" not in text.casefold()}  # some day
    counted = [at for at in counted if at not in done]
    new |= other_numbers(tokens, counted, move.direction)
    for at, token in enumerate(tokens):
        if word := _in_cycle(token, move):
            new[at] = word
    seasons = [_SEASONS[_bare(token)] for token in tokens if _bare(token) in _SEASONS]
    dates = [_moved(parts, move, seasons) for parts in parts_of(tokens, {*counted, *done})]
    for parts in dates:
        if parts.month and "month" not in parts.places and any(other.month != parts.month for other in dates):
            raise NoSurrogateError  # "June 29th to 1st" has no month of its own for the second day
        new |= _pieces(tokens, parts)
        done |= set(parts.places.values())
    check_rest(tokens, {*new, *counted, *done})
    return joined(tokens, new)


def _in_cycle(token: Token, move: Move) -> str | None:
    """Return the moved weekday or season, if a piece is one."""
    if token.kind == "weekday":
        return re.sub(
            f"[{_WEEKDAYS_ZH}天]",
            lambda day: _WEEKDAYS_ZH[(_WEEKDAYS_ZH.index(day.group().replace("天", "日")) + move.days) % 7],
            token.text,
        )
    bare = _bare(token)
    for cycle, kind in _CYCLES:
        if token.kind == "word" and _spelled(bare) in cycle:
            steps = move.days if kind == "weekdays" else move.seasons
            made = cycle[(cycle.index(_spelled(bare)) + steps) % len(cycle)] + token.text[len(bare) :]
            return like(token.text, made)
    return None


def _bare(token: Token) -> str:
    return token.text.casefold().removesuffix("'s").removesuffix("’s")


def _spelled(word: str) -> str:
    return str(DATA["spellings"].get(word, word))


def _with_spoken_years(tokens: Sequence[Token]) -> list[Token]:
    """Join the two halves of a spoken year: "twenty", "twenty four", and "nineteen", "oh", "five"."""
    tokens = list(tokens)
    at = len(tokens) - 1
    while at >= 2:
        second, start = tokens[at], at - 2
        is_two = second.kind == "words" and 10 <= second.value < 100
        if second.kind == "words" and 0 < second.value < 10 and tokens[start].text.casefold() in ("oh", "o"):
            start, is_two = start - 2, True
        if is_two and start >= 0 and tokens[start].kind == "words" and 18 <= tokens[start].value <= 21:
            between = [token.text for token in tokens[start + 1 : at : 2]]
            if all(text.isspace() or text == "-" for text in between):
                text = "".join(token.text for token in tokens[start : at + 1])
                tokens[start : at + 1] = [Token(text, "year_words", tokens[start].value * 100 + second.value)]
                at = start
        at -= 1
    return tokens


def _moved(parts: Parts, move: Move, seasons: Sequence[int]) -> Parts:
    day, month, year = parts.day, parts.month, parts.year
    try:
        if day and month and year:
            moved = date(year, month, day) + timedelta(move.days)
            return replace(parts, day=moved.day, month=moved.month, year=moved.year)
    except (ValueError, OverflowError):
        raise NoSurrogateError from None
    if month and year:
        months = year * 12 + month - 1 + move.months
        return replace(parts, month=months % 12 + 1, year=months // 12)
    if month:
        return replace(parts, month=(month - 1 + move.months) % 12 + 1)
    if day:
        return replace(parts, day=(day - 1 + move.days) % 31 + 1)
    if len(seasons) > 1:
        raise NoSurrogateError
    years = (seasons[0] + move.seasons) // 4 if seasons else move.calendar_years
    return replace(parts, year=(year or 0) + years)


def _pieces(tokens: Sequence[Token], parts: Parts) -> dict[int, str]:
    """Return the pieces of a date by their places."""
    if parts.compact:
        return {parts.places["day"]: _compact(parts, tokens[parts.places["day"]])}
    return {at: _written(tokens[at], field, parts) for field, at in parts.places.items()}


def _written(token: Token, field: str, parts: Parts) -> str:
    value = {"day": parts.day, "month": parts.month, "year": parts.year}[field] or 0
    if field == "month" and token.kind == "word":
        name = token.text.casefold()
        names = DATA["months"][0 if name in DATA["months"][0] else 1]
        return like(token.text, str(names[value - 1]))
    if field == "year":
        value = value - 1911 if parts.is_roc else value % 100 if parts.has_short_year else value
        if value < (0 if parts.has_short_year else 1):
            raise NoSurrogateError
        if token.kind == "year_words":
            return like(token.text, _year_in_words(value, token.text))
        return write(token, value).zfill(2) if parts.has_short_year and token.kind == "digits" else write(token, value)
    return write(token, value).zfill(2) if parts.is_padded else write(token, value)


def _compact(parts: Parts, token: Token) -> str:
    year = (parts.year or 0) - (1911 if parts.is_roc else 0)
    if year < 1:
        raise NoSurrogateError
    return f"{year:0{len(token.text) - 4}d}{parts.month:02d}{parts.day:02d}"


def _year_in_words(year: int, form: str) -> str:
    first, rest = divmod(year, 100)
    if rest == 0 or (rest < 10 and first % 10 == 0):
        return english(year, "thousand" if first % 10 == 0 else "")
    return f"{english(first)} {'oh ' if rest < 10 else ''}{english(rest, form)}"
