"""The words that surrogates are made with, and how a text is cut into words and numbers."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.outputs.surrogate_numerals import CARDINAL, NUMERAL_ZH, ORDINAL, Token, number
from pipeline.speech.language import CJK

DATA: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("surrogates.yaml").read_text(encoding="utf-8"))
"""The word lists of ``surrogates.yaml``."""

_LETTER = rf"[^\W\d_{CJK}]"
_WEEK = "(?:星期|[禮礼]?拜|週|周)"
_NO_DAY = (
    rf"[月日號号點点時时個个天次回趟歲岁年十廿卅百千零〇分秒小間间期餐頓顿顆颗粒錠半]|{_WEEK}(?![一二三四五六日天])"
)
_MORE_DAYS = rf"(?:(?:[、，,/和跟及與与到至~～-]\s?)?{_WEEK}?[一二三四五六日](?!{_NO_DAY}))*"  # 週一、三、五
_PIECE = re.compile(
    rf"(?P<ordinal>\d+(?:st|nd|rd|th)(?!{_LETTER}))|(?P<digits>\d+)|(?P<half_day>(?<!{_LETTER})[ap]\.\s?m\.?)"
    rf"|(?P<ordinal_words>(?<!{_LETTER})(?:{ORDINAL})(?!{_LETTER}))"
    rf"|(?P<words>(?<!{_LETTER})(?:{CARDINAL})(?!{_LETTER}))"
    rf"|(?P<word>{_LETTER}+(?:['’]{_LETTER}+)*)"
    rf"|(?P<weekday>(?<![{NUMERAL_ZH}]){_WEEK}[一二三四五六日天]{_MORE_DAYS}(?![次回趟天個个])|(?<=[((])[一二三四五六日](?=[))]))"
    rf"|(?P<period>{'|'.join(DATA['periods_zh'])})|(?P<zh>[{NUMERAL_ZH}]+)|(?P<ideograph>[{CJK}])"
    rf"|(?P<other>[^\w{CJK}〇○]+|.)",
    re.IGNORECASE | re.DOTALL,
)
_ORDINARY = {str(word) for line in DATA["ordinary"] for word in line.split()}
_UNITS = {str(word): unit for unit, words in DATA["units"].items() for word in words}
_UNITS_ZH = {str(word): unit for unit, words in DATA["units_zh"].items() for word in words}


class NoSurrogateError(Exception):
    """No surrogate can be made of a text."""


def read(text: str) -> list[Token]:
    """Cut a text into words, numbers and what stands between them; the pieces together are the text."""
    return [number(match.lastgroup or "other", match.group()) for match in _PIECE.finditer(text)]


def is_ordinary(token: Token) -> bool:
    """Return whether a piece identifies nobody: a listed word such as "last", or what stands between words."""
    word = token.text.casefold().removesuffix("'s").removesuffix("’s")
    match token.kind:
        case "other":
            return not any(character.isalnum() for character in word)
        case "word" | "half_day":
            return word in _ORDINARY
        case "ideograph" | "period":
            return all(character in DATA["ordinary_zh"] for character in word)
    return False


def unit(tokens: Sequence[Token], at: int) -> str | None:
    """Return the unit of time that begins at a piece: ``day`` for "days" or 天, else None."""
    word = tokens[at].text.casefold() if at < len(tokens) else ""
    if tokens[at : at + 1] and tokens[at].kind == "ideograph":
        following = word + (tokens[at + 1].text if at + 1 < len(tokens) else "")
        return _UNITS_ZH.get(following) or _UNITS_ZH.get(word)
    return _UNITS.get(word)


def beside(tokens: Sequence[Token], at: int, step: int) -> str:
    """Return the text before (step -1) or behind (step 1) a piece, over a space; empty at the end of the text."""
    at += step
    if 0 <= at < len(tokens) and tokens[at].text.isspace():
        at += step
    return tokens[at].text.casefold() if 0 <= at < len(tokens) else ""


def joined(tokens: Sequence[Token], new: dict[int, str]) -> str:
    """Return the text with some pieces replaced, by their places."""
    return "".join(new.get(at, token.text) for at, token in enumerate(tokens))


def check_rest(tokens: Sequence[Token], done: Iterable[int]) -> None:
    """Raise ``NoSurrogateError`` if a piece is neither done nor ordinary."""
    done = set(done)
    if not all(at in done or is_ordinary(token) for at, token in enumerate(tokens)):
        raise NoSurrogateError
