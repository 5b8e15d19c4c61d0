"""Surrogates of ages: another one near by up to 89, and one category above."""

import itertools
from collections.abc import Sequence

from pipeline.outputs.surrogate_agreement import agreement
from pipeline.outputs.surrogate_amounts import ABOUT_ZH, check_no_slash, counts, is_fraction, other_numbers
from pipeline.outputs.surrogate_move import Move
from pipeline.outputs.surrogate_numerals import Token, like, write
from pipeline.outputs.surrogate_words import DATA, NoSurrogateError, check_rest, joined, read
from pipeline.speech.language import language_of

OLDEST = 89
"""The oldest age, in years, that HIPAA's Safe Harbor lets stand as a number; those above become one category."""

_GROUPS = [range(1, 13), range(13, 18), range(18, OLDEST + 1)]
_TENS = range(20, 81, 10)
_DECADES = {str(word): value for word, value in DATA["decades"].items()}


def other_age(text: str, move: Move) -> str:
    """Return another age, or "over 89" for one above 89; raise ``NoSurrogateError`` if it cannot be read."""
    tokens = [_with_value(token) for token in read(text)]
    not_years = [at for at, unit in counts(tokens).items() if unit != "year"]
    years = [at for at, token in enumerate(tokens) if token.is_number and at not in not_years]
    check_no_slash(tokens, years)
    years = [at for at in years if not is_fraction(tokens, at)]
    if any(
        after == before + 2 and (tokens[before + 1].text.isspace() or tokens[before + 1].text == "、")
        for before, after in itertools.pairwise(years)
    ):
        raise NoSurrogateError
    too_old = [at for at in years if tokens[at].value > OLDEST and not _is_pair(tokens[at])]
    if too_old:
        return _over(text, tokens, too_old[-1])
    pairs, years = [at for at in years if _is_pair(tokens[at])], [at for at in years if not _is_pair(tokens[at])]
    if any(token.value > OLDEST for token in tokens):  # of months or days, or behind a comma
        raise NoSurrogateError
    new = other_numbers(tokens, [*not_years, *pairs], -1)
    decades = [at for at in years if _is_decade(tokens, at)]
    new |= {at: _decade(tokens[at], move) for at in decades}
    new |= _ages(tokens, [at for at in years if at not in decades], move)
    check_rest(tokens, {*new, *(at for at, token in enumerate(tokens) if _is_with_age(tokens, at, token))})
    return joined(tokens, new)


def _with_value(token: Token) -> Token:
    word = token.text.casefold()
    return Token(token.text, "decade", _DECADES[word]) if word in _DECADES else token


def _is_pair(token: Token) -> bool:
    """Return whether two Chinese digits may be two numbers, as in 八九歲."""
    return token.kind == "zh_digits" and token.value < 100 and token.value % 11 == 1


def _is_decade(tokens: Sequence[Token], at: int) -> bool:
    behind = "".join(token.text for token in tokens[at + 1 : at + 3]).casefold()
    is_about = behind.startswith(("s", "'s", "’s", *ABOUT_ZH, "出頭"))
    return tokens[at].kind == "decade" or (tokens[at].value in (10, *_TENS, 90) and is_about)


def _is_with_age(tokens: Sequence[Token], at: int, token: Token) -> bool:
    """Return whether a word belongs to an age: "yo", the s of "20s", and 出頭."""
    is_ending = token.text.casefold() in ("s", "'s", "’s") and at > 0
    return token.text.casefold() in DATA["with_age"] or token.text in ("出", "頭", "头") or is_ending


def _ages(tokens: Sequence[Token], places: Sequence[int], move: Move) -> dict[int, str]:
    """Return ages that all moved by the same years, within their groups, and the words that change with them."""
    old = [tokens[at].value for at in places]
    shifts = (move.years, -move.years, 1, -1)
    shift = next((shift for shift in shifts if all(age + shift in _group(age) for age in old)), None)
    if shift is None:
        raise NoSurrogateError
    new: dict[int, str] = {}
    for at, age in zip(places, old, strict=True):
        new |= {at: write(tokens[at], age + shift)} | agreement(tokens, at, age + shift)
    return new


def _group(age: int) -> range:
    return next((group for group in _GROUPS if age in group), _GROUPS[0])


def _decade(token: Token, move: Move) -> str:
    if token.value not in _TENS:
        raise NoSurrogateError
    tens = token.value + 10 * move.direction
    tens = tens if tens in _TENS else token.value - 10 * move.direction
    if token.kind != "decade":
        return write(token, tens)
    return like(token.text, next(word for word, value in _DECADES.items() if value == tens))


def _over(text: str, tokens: Sequence[Token], last: int) -> str:
    """Return the category above 89, with the unit behind it."""
    is_decade = tokens[last].kind == "decade" or _is_decade(tokens, last)
    behind = tokens[last + 1 :]
    if language_of(text) == "en":
        is_unit = all(token.text.casefold() in DATA["with_age"] or not token.text.strip(" -/.") for token in behind)
        return f"over {OLDEST}{''.join(token.text for token in behind) if is_unit and not is_decade else ''}"
    years = next((token.text for token in behind if token.text in ("歲", "岁")), "")
    if tokens[last].kind == "digits":
        return f"{OLDEST}{years}以上" if years else f"超過{OLDEST}"
    return f"超過八十九{years}"
