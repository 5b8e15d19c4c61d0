"""Surrogates of times of the clock: moved by whole hours, in the same form."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pipeline.outputs.surrogate_numerals import Token, counted, english, like, write
from pipeline.outputs.surrogate_words import DATA, NoSurrogateError, beside, unit

_PERIODS = {name: (group, *hours) for group in DATA["periods"] for name, hours in group.items()}
_NONE = Token("", "other")
_BEHIND_HOUR = ("am", "pm", "a.m.", "p.m.", "a.m", "p.m", "past", "o'clock", "o’clock", "點", "点")
_MINUTES = (5, 10, 20, 25)


@dataclass(frozen=True)
class _Time:
    """A time in a text.

    Attributes:
        at: Place of the hour.
        last: Place of the minutes behind it, or of the hour.
        period: Place of the part of the day; None if it has none.
    """

    at: int
    last: int
    period: int | None


def other_times(
    tokens: Sequence[Token], taken: Collection[int], hours: int, is_time: bool
) -> tuple[dict[int, str], set[int]]:
    """Move the times of the clock in a text.

    Args:
        tokens: The text.
        taken: Places of numbers that are no times.
        hours: By how much to move.
        is_time: Whether any number may be a time, and not only one with "pm", a colon or the like.

    Returns:
        The new pieces by their places, and the places of all numbers that belong to times.
    """
    times: list[_Time] = []
    done: set[int] = set()
    for at, token in enumerate(tokens):
        if not token.is_number or at in taken or at in done or token.is_ordinal:
            continue
        minute = _minute(tokens, at, is_time)
        period = _period(tokens, at if minute is None else minute)
        last = at if minute is None else minute
        is_marked = _is_hour(tokens, at) or (
            period is not None
            and 0 < period - last <= 2
            and _text(tokens, period)[0] in "ap"
            and "m" in _text(tokens, period)[1:3]
        )
        if minute is not None and tokens[minute].value > 59:
            raise NoSurrogateError
        if is_minutes(tokens, at):
            done.add(at)
        elif is_time or is_marked or minute is not None:
            times.append(_Time(at, last, period))
            done |= {at, last, *range(at + 2, last, 2)}
            if minute is not None and _text(tokens, minute + 1) == ":" and _at(tokens, minute + 2).is_number:
                done.add(minute + 2)
            elif _follows_in_words(tokens, last):
                raise NoSurrogateError
    has_24 = any(time.period is None and _hour_of(tokens[time.at]) > 12 for time in times)
    new: dict[int, str] = {}
    for time in _with_own_period(times):
        new |= _moved(tokens, time, hours, has_24 or _is_24(tokens, time))
    return new, done


def has_clock(tokens: Sequence[Token]) -> bool:
    """Return whether a text has a time with "pm", a colon, 點 or the like."""
    return any(
        token.is_number
        and (
            beside(tokens, at, 1) in _BEHIND_HOUR
            or (_text(tokens, at + 1) in (":", "：") and _at(tokens, at + 2).is_number)
        )
        for at, token in enumerate(tokens)
    )


def is_24_hours(token: Token) -> bool:
    """Return whether a number may be an hour with its minutes: 0730, or "fourteen hundred"."""
    return _has_minutes(token) and token.value % 100 < 60


def is_minutes(tokens: Sequence[Token], at: int) -> bool:
    """Return whether a number is the minutes beside an hour, as in "five to six" and "seven minutes past six"."""
    behind, is_unit = at + 2, unit(tokens, at + 2) == "minute"
    behind += 2 * is_unit
    word, hour = _text(tokens, behind), behind + 2
    if not (is_unit or tokens[at].value in _MINUTES) or not _at(tokens, hour).is_number or unit(tokens, hour + 2):
        return False
    if word in ("past", "after"):
        return True
    is_hour = tokens[at].kind == "digits" and tokens[at].value <= 12
    is_range = not is_unit and (is_hour or _text(tokens, at - 2) in ("from", "between"))
    return word in ("to", "till", "before") and not is_range


def _has_minutes(token: Token) -> bool:
    return token.value >= 100 or (token.kind == "digits" and len(token.text) == 4)


def _hour_of(token: Token) -> int:
    return token.value // 100 if _has_minutes(token) else token.value


def _is_24(tokens: Sequence[Token], time: _Time) -> bool:
    """Return whether a time is one of 24 hours: 13:00, 0730, "twelve hundred", "12:00 hours"."""
    token = tokens[time.at]
    is_in_hundreds = token.kind == "words" and _has_minutes(token)
    is_by_hour = _hour_of(token) > 12 or _hour_of(token) == 0 or token.text.startswith("0")
    return is_by_hour or is_in_hundreds or beside(tokens, time.last, 1) in ("hours", "hrs", "h")


def _follows_in_words(tokens: Sequence[Token], last: int) -> bool:
    """Return whether a number in words stands directly behind the last one of a time, as in "zero eight fifteen"."""
    is_beside = _text(tokens, last + 1).isspace()
    return is_beside and tokens[last].kind == _at(tokens, last + 2).kind == "words"


def _with_own_period(times: Sequence[_Time]) -> list[_Time]:
    """Return times without the part of the day that stands beside another: 9 of "9 to 5 pm"."""
    owners: dict[int | None, int] = {}
    for time in times:
        if time.period is not None and (time.period > time.at or time.period not in owners):
            owners[time.period] = time.at
    return [time if owners.get(time.period) == time.at else replace(time, period=None) for time in times]


def _at(tokens: Sequence[Token], at: int) -> Token:
    return tokens[at] if 0 <= at < len(tokens) else _NONE


def _text(tokens: Sequence[Token], at: int) -> str:
    return _at(tokens, at).text.casefold()


def _is_hour(tokens: Sequence[Token], at: int) -> bool:
    behind = at + 2 if _at(tokens, at + 1).text.isspace() else at + 1
    return (
        (_text(tokens, at - 4) in ("half", "quarter") and tokens[at].value <= 24)
        or _text(tokens, behind) in ("o'clock", "o’clock", "點", "点", "時", "时")
        or (_text(tokens, behind) == "o" and _text(tokens, behind + 2) == "clock")
    )


def _minute(tokens: Sequence[Token], at: int, is_time: bool) -> int | None:
    """Return the place of the minutes of an hour, if there are any."""
    between, behind = _text(tokens, at + 1), _at(tokens, at + 2)
    if behind.is_ordinal or not behind.is_number:
        return None
    if between in ("點", "点", "時", "时", ":", "：") or (is_time and between == "." and len(behind.text) == 2):
        return at + 2
    if is_time and between.isspace():
        third = _at(tokens, at + 4)
        return at + 4 if behind.value == 0 and third.is_number and _at(tokens, at + 3).text.isspace() else at + 2
    return None


def _period(tokens: Sequence[Token], at: int) -> int | None:
    """Return the place of the part of the day of an hour: the first one behind it, in Chinese the last one before."""
    places = [place for place, token in enumerate(tokens) if token.text.casefold() in _PERIODS]
    before = [place for place in places if place < at and tokens[place].kind == "period"]
    behind = [place for place in places if place > at and tokens[place].kind != "period"]
    return before[-1] if before else behind[0] if behind else None


def _moved(tokens: Sequence[Token], time: _Time, hours: int, is_24: bool) -> dict[int, str]:
    """Return the moved hour, with the minutes in the same number, and the part of the day, by their places."""
    token = tokens[time.at]
    if any(word.text.casefold() in ("noon", "midnight") for word in tokens):
        raise NoSurrogateError
    hour, minutes = _hour_of(token), token.value % 100 if _has_minutes(token) else None
    if hour > 24 or (minutes or 0) > 59 or (token.kind == "digits" and len(token.text) == 3 and token.value < 100):
        raise NoSurrogateError
    new: dict[int, str] = {}
    if time.period is not None:
        old = tokens[time.period].text
        hour, name = _in_day(hour, old.casefold(), hours)
        new = {} if name == old.casefold() else {time.period: like(old, name)}
    else:
        hour = (hour + hours) % 24 if is_24 else (hour + hours)
    if not is_24:
        hour = (hour - 1) % 12 + 1
    return new | {time.at: _written(tokens, time, hour, minutes, is_24)}


def _written(tokens: Sequence[Token], time: _Time, hour: int, minutes: int | None, is_24: bool) -> str:
    token = tokens[time.at]
    if minutes is None:
        made = counted(token, hour)
        return (
            made.zfill(len(token.text))
            if is_24 and token.kind == "digits" and _text(tokens, time.at + 1) == ":"
            else made
        )
    if token.kind in ("words", "year_words"):
        return like(token.text, _in_words(hour, minutes, token.text))
    made = write(token, hour * 100 + minutes)
    return made.zfill(len(token.text) if is_24 else 3) if token.kind == "digits" else made


def _in_words(hour: int, minutes: int, form: str) -> str:
    """Return an hour of 0 to 23 and its minutes as "fourteen hundred", "twenty-one fifteen" or "twenty oh five"."""
    hours = english(hour, form)
    if "hundred" in form.casefold() or not minutes:
        return f"{hours} hundred" + (f" {english(minutes, form)}" if minutes else "")
    return f"{hours} {'oh ' if minutes < 10 else ''}{english(minutes, form)}"


def _in_day(hour: int, name: str, hours: int) -> tuple[int, str]:
    """Return a moved hour of 0 to 23, and the part of the day that it is in, preferably the same as before."""
    group, first, last = _PERIODS[name]
    choices = [hour] if hour > 12 or hour == 0 else [hour % 12, hour % 12 + 12]
    old = next((h for h in choices if first <= h <= last or first <= h + 24 <= last), None)
    if old is None:
        raise NoSurrogateError
    moved = (old + hours) % 24
    fitting = [n for n, (low, high) in group.items() if low <= moved <= high or low <= moved + 24 <= high]
    if not fitting:
        raise NoSurrogateError
    return moved, name if name in fitting else fitting[0]
