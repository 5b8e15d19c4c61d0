"""Surrogates of times of the clock: moved by whole hours, in the same form."""

from collections.abc import Collection, Sequence

from pipeline.outputs.surrogate_numerals import Token, counted, english, like, write
from pipeline.outputs.surrogate_words import DATA, NoSurrogateError, beside, unit

_PERIODS = {name: (group, *hours) for group in DATA["periods"] for name, hours in group.items()}
_NONE = Token("", "other")
_MINUTES = (5, 10, 20, 25)


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
    times: list[tuple[int, int, int | None]] = []
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
            times.append((at, last, period))
            done |= {at, last, *range(at + 2, last, 2)}
            if minute is not None and _text(tokens, minute + 1) == ":" and _at(tokens, minute + 2).is_number:
                done.add(minute + 2)
            elif _follows_in_words(tokens, last):
                raise NoSurrogateError
    owners = _owners(tokens, times)
    new: dict[int, str] = {}
    for at, last, period in times:
        piece, periods = _moved(tokens, at, last, period if owners.get(period) == at else None, hours)
        new |= {at: piece} | periods
    return new, done


def is_24_hours(token: Token) -> bool:
    """Return whether a number may be an hour with its minutes: 0730, or "fourteen hundred"."""
    return (token.value >= 100 or _is_four_digits(token)) and token.value % 100 < 60


def is_minutes(tokens: Sequence[Token], at: int) -> bool:
    """Return whether a number is the minutes beside an hour, as in "five to six" and "seven minutes past six"."""
    behind, is_unit = at + 2, unit(tokens, at + 2) == "minute"
    behind += 2 * is_unit
    word, hour = _text(tokens, behind), behind + 2
    if not (is_unit or tokens[at].value in _MINUTES) or not _at(tokens, hour).is_number or unit(tokens, hour + 2):
        return False
    if word in ("past", "after"):
        return True
    is_range = not is_unit and (tokens[at].kind == "digits" or _text(tokens, at - 2) in ("from", "between"))
    return word in ("to", "till", "before") and not is_range


def _is_four_digits(token: Token) -> bool:
    return token.kind == "digits" and len(token.text) == 4


def _follows_in_words(tokens: Sequence[Token], last: int) -> bool:
    """Return whether a number in words stands directly behind the last one of a time, as in "zero eight fifteen"."""
    is_beside = _text(tokens, last + 1).isspace()
    return is_beside and tokens[last].kind == _at(tokens, last + 2).kind == "words"


def _owners(tokens: Sequence[Token], times: Sequence[tuple[int, int, int | None]]) -> dict[int | None, int]:
    """Return the time that each part of the day belongs to: the one beside it, and not the other end of a range."""
    owners: dict[int | None, int] = {}
    for at, _, period in times:
        if period is not None and (period > at or period not in owners):
            owners[period] = at
    return owners


def _at(tokens: Sequence[Token], at: int) -> Token:
    return tokens[at] if 0 <= at < len(tokens) else _NONE


def _text(tokens: Sequence[Token], at: int) -> str:
    return _at(tokens, at).text.casefold()


def _is_hour(tokens: Sequence[Token], at: int) -> bool:
    behind = at + 2 if _at(tokens, at + 1).text.isspace() else at + 1
    return (
        _text(tokens, at - 4) in ("half", "quarter")
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


def _moved(tokens: Sequence[Token], at: int, last: int, period: int | None, hours: int) -> tuple[str, dict[int, str]]:
    token = tokens[at]
    if any(word.text.casefold() in ("noon", "midnight") for word in tokens):
        raise NoSurrogateError
    has_minutes = token.value >= 100 or _is_four_digits(token)
    hour, minutes = divmod(token.value, 100) if has_minutes else (token.value, None)
    if hour > 24 or (minutes or 0) > 59 or (token.kind == "digits" and len(token.text) == 3 and token.value < 100):
        raise NoSurrogateError
    is_24 = hour > 12 or hour == 0 or token.text.startswith("0") or beside(tokens, last, 1) in ("hours", "hrs")
    periods: dict[int, str] = {}
    if period is not None:
        hour, name = _in_day(hour, tokens[period].text.casefold(), hours)
        periods = {} if name == tokens[period].text.casefold() else {period: like(tokens[period].text, name)}
    else:
        hour = (hour + hours) % 24 if is_24 else (hour + hours)
    if not is_24:
        hour = (hour - 1) % 12 + 1
    if minutes is not None and token.kind in ("words", "year_words"):
        return like(token.text, _in_words(hour, minutes, token.text)), periods
    if minutes is not None:
        made = write(token, hour * 100 + minutes)
        if token.kind == "digits":
            made = made.zfill(len(token.text) if is_24 else 3)
        return made, periods
    made = counted(token, hour)
    return (made.zfill(2) if is_24 and token.kind == "digits" and _text(tokens, at + 1) == ":" else made), periods


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
