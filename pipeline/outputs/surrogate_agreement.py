"""The words beside a number that change with it: "one year" and "two years", "a nine" and "an eight"."""

from collections.abc import Sequence

from pipeline.outputs.surrogate_numerals import Token, like
from pipeline.outputs.surrogate_words import unit

_ARTICLES = ("a", "an")


def agreement(tokens: Sequence[Token], at: int, value: int) -> dict[int, str]:
    """Return the article and the unit beside a number that becomes another value, if they change, by their places."""
    if at > 1 and tokens[at - 1].text.isspace() and tokens[at - 2].text.casefold() in _ARTICLES:
        return {at - 2: like(tokens[at - 2].text, "an" if _sounds_as_vowel(value) else "a")}
    behind = at + 2
    if tokens[at].is_ordinal or not unit(tokens, behind) or not tokens[at + 1].text.isspace():
        return {}
    word = tokens[behind].text
    if tokens[at].value == 1 and value != 1 and unit([Token(word + "s", "word")], 0):
        return {behind: like(word, word + "s")}
    if value == 1 and word[-1] in "sS" and unit([Token(word[:-1], "word")], 0):
        return {behind: word[:-1]}
    return {}


def _sounds_as_vowel(value: int) -> bool:
    return str(value).startswith("8") or value in (11, 18)
