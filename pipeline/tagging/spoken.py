"""Rewrite spoken digits and signs of a transcript as digits and signs, with a mapping back to the transcript."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import opencc

_SIMPLIFIED = opencc.OpenCC("t2s")
_APOSTROPHES = frozenset("'’‘‛ʼʻʽʹˈ′‵`´＇՚׳ꞌ")
_DASHES = frozenset("−⁃˗⁓➖")  # besides those that Unicode calls dashes
_INVISIBLE = frozenset(["\u034f", "\u20e3", *map(chr, range(0xFE00, 0xFE10))])  # besides format characters


def simplified(text: str) -> str:
    """Return a text with each Chinese character in its simplified form; others stay, and so does the length."""
    return "".join(map(_simplified, text))


def without_accents(text: str) -> str:
    """Return a text in Unicode's compatibility decomposition (NFKD) without its accents."""
    return "".join(part for part in unicodedata.normalize("NFKD", text) if not unicodedata.combining(part))


@cache
def _simplified(character: str) -> str:
    return character if character.isascii() else _SIMPLIFIED.convert(character)


_DIGITS = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
_NOUGHTS = dict.fromkeys(("oh", "nought", "naught"), 0)
_TEENS = {"ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16}
_TEENS |= {"seventeen": 17, "eighteen": 18, "nineteen": 19}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_VALUES = _DIGITS | _NOUGHTS | {"o": 0} | _TEENS | _TENS
_TIMES = {"double": 2, "triple": 3, "treble": 3}
_HAN = {
    simplified(character): str(digit)
    for digit, characters in enumerate(("零〇○", "一壹幺么", "二兩貳", "三", "四", "五", "六", "七", "八", "九"))
    for character in characters
}
_SPOKEN_SIGNS = {".": "dot point 點", "@": "at at_sign 小老鼠", "/": "slash forward_slash 斜線", ":": "colon 冒號"}
_SPOKEN_SIGNS |= {"-": "dash hyphen minus 減號 連字號", "_": "underscore under_score 底線 下底線 下劃線"}
_SPOKEN_SIGNS |= {"+": "plus plus_sign 加號", "'": "apostrophe 撇號", "%": "percent percent_sign 百分號"}
_SIGNS = {simplified(word).replace("_", " "): sign for sign, words in _SPOKEN_SIGNS.items() for word in words.split()}


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_DIGIT = _any(_DIGITS | _NOUGHTS)
_TWO_DIGITS = rf"(?:{_any(_TENS)})(?:[\s-]+(?:{_any(word for word in _DIGITS if word != 'zero')}))?|{_any(_TEENS)}"
_DOUBLE_U = r"(?:double[\s-]?(?:u|you)|dub)"

_HAN_TENS = "(?:[一二三四五六七八九]?十|[廿卅])[一二三四五六七八九]?"
_COUNTED = "times|more|days|weeks|months|years|hours|minutes|am|pm|o'clock|mg|milligrams|tablets|pills"

# Digits that count something are not part of a number that is read out, and neither are Chinese digits that begin a
# common word, or end one such as 什麼. Decimals, clock times and ratios are not changed.
_TOKEN = re.compile(
    simplified(rf"""
    (?<![A-Za-z0-9])(?<![A-Za-z0-9]')(?:
        (?P<www>{_DOUBLE_U}(?:[\s,-]{{1,3}}{_DOUBLE_U}){{2}})
      | (?P<times>{_any(_TIMES)})[\s-]+(?P<repeated>{_DIGIT}|[A-Za-z0-9])
      | (?P<hundreds>{_any(_DIGITS | _TEENS)}|[0-9])[\s-]+hundred
        (?:\s+and\s+(?P<and_rest>{_TWO_DIGITS}|{_any(_DIGITS)})|\s+(?P<rest>{_TWO_DIGITS}))?
      | (?P<number>(?:{_TWO_DIGITS}|{_DIGIT}|o(?=[\s-]+(?:{_DIGIT}|{_any(_TIMES)}|[0-9])))
        (?!\s+(?:{_COUNTED})(?![A-Za-z])))
      | (?P<chain>[0-9]+(?:[.:/][0-9]+)+)
      | (?P<written>[0-9]+)
      | (?P<letter>[A-Za-z])
      | (?P<plus>plus(?=\s+(?:[0-9]|{_DIGIT})))
      | (?P<sign>{_any(word.replace(" ", r"[ ]+") for word in _SIGNS if word.isascii())})
    )(?!'?[A-Za-z0-9])
    | (?P<han_plus>加號)
    | (?P<han_sign>{_any(word for word in _SIGNS if not word.isascii())})
    | (?P<han_number>[一二三四五六七八九兩]?百(?:零[一二三四五六七八九]|{_HAN_TENS})?|{_HAN_TENS})
    | (?P<han_digit>(?!(?<=[什甚怎那這多要])么)[{"".join(_HAN)}])(?![個天次顆年月日歲週位種下樣定直些起般邊])
    """),
    re.VERBOSE | re.IGNORECASE,
)
_FILLER = r"(?:uh|um|er|erm|ah|dash|hyphen)(?![A-Za-z])|[呃嗯啊]"
_NO_BREAK = re.compile(rf"(?:[\s-]|{_FILLER}){{0,12}}", re.IGNORECASE)
_BREAK = re.compile(rf"(?:[\s,;、。…]|\.(?=[\s.])|{_FILLER}){{0,12}}", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """A rewritten transcript.

    Attributes:
        text: The rewritten text.
        starts: For each character of ``text``, the start of its source in the transcript.
        ends: For each character of ``text``, the end of its source in the transcript, exclusive.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the half-open span of the transcript from which ``text[start:end]`` was made."""
        return self.starts[start], self.ends[end - 1]


def plain(text: str) -> Reading:
    """Write a transcript in one script, so that whatever looks alike is alike.

    Full-width and other compatibility characters become their common form (NFKC), all dashes ``-``, all apostrophes
    ``'``, the digits of all scripts ASCII digits, and Chinese characters simplified ones. What cannot be seen, such as
    a soft hyphen, is left out.
    """
    pieces = [_plain(character) for character in text]
    starts = [index for index, piece in enumerate(pieces) for _ in piece]
    return Reading("".join(pieces), starts, [index + 1 for index in starts])


@cache
def _plain(character: str) -> str:
    if character in _APOSTROPHES:
        return "'"
    if unicodedata.category(character) == "Cf" or character in _INVISIBLE:
        return ""
    return "".join(map(_common, unicodedata.normalize("NFKC", character)))


def _common(character: str) -> str:
    if character in _APOSTROPHES:
        return "'"
    if unicodedata.category(character) == "Pd" or character in _DASHES:
        return "-"
    digit = unicodedata.digit(character, None)
    return simplified(character) if digit is None else str(digit)


def numbers(reading: Reading) -> Reading:
    """Replace spoken numbers of a plain reading by digits and spelled letters by capitals.

    Digits or letters that are spoken one by one are joined. Numbers that are written apart are separated by one space:
    ``oh four, twelve 345 double six`` becomes ``04 12 345 66``, ``零九一二三`` becomes ``09123``.
    """
    return _rewrite(reading, signs=False)


def addresses(reading: Reading) -> Reading:
    """Like ``numbers``, but replace spelled letters by lower case and spoken signs by signs without spaces around them.

    For example, ``w w w dot example dot org slash x`` becomes ``www.example.org/x``.
    """
    return _rewrite(reading, signs=True)


class _Writer:
    """Collects the rewritten text and its mapping to the source."""

    def __init__(self, source: Reading):
        self.source = source
        self.text: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def copy(self, start: int, end: int) -> None:
        self.text.append(self.source.text[start:end])
        self.starts.extend(self.source.starts[start:end])
        self.ends.extend(self.source.ends[start:end])

    def put(self, value: str, start: int, end: int) -> None:
        first, last = self.source.starts[start], self.source.ends[end - 1]
        self.text.append(value)
        self.starts.extend([first] * len(value))
        self.ends.extend([last] * len(value))

    def space(self) -> None:
        here = self.ends[-1]
        self.text.append(" ")
        self.starts.append(here)
        self.ends.append(here)


def _rewrite(source: Reading, signs: bool) -> Reading:
    writer = _Writer(source)
    text = source.text
    end, before, was_spoken = 0, "", False  # of the previous token
    for match in _TOKEN.finditer(text):
        kind, value, is_spoken = _value(match, before)
        if signs and kind == "plus":
            kind = "sign"
        if not kind or (kind == "sign" and not signs):
            continue
        gap = text[end : match.start()]
        together = (before == "plus" and kind == "digits") or (before == kind and was_spoken and is_spoken)
        if "sign" in (before, kind):
            skipped = len(gap) - len(gap.lstrip()) if before == "sign" else 0
            kept = len(gap.rstrip()) if kind == "sign" else len(gap)
            writer.copy(end + skipped, end + max(skipped, kept))
        elif together and _NO_BREAK.fullmatch(gap):
            pass
        elif before and _BREAK.fullmatch(gap):
            writer.space()
        else:
            if before and _is_word(gap[:1]):
                writer.space()
            writer.copy(end, match.start())
            if _is_word(gap[-1:]):
                writer.space()
        writer.put(value.lower() if signs else value, match.start(), match.end())
        end, before, was_spoken = match.end(), kind, is_spoken
    rest = text[end:]
    if before == "sign":
        end += len(rest) - len(rest.lstrip())
    elif before and _is_word(rest[:1]):
        writer.space()
    writer.copy(end, len(text))
    return Reading("".join(writer.text), writer.starts, writer.ends)


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _value(match: re.Match[str], before: str) -> tuple[str, str, bool]:
    """Convert a token.

    Args:
        match: The token.
        before: Kind of the previous token.

    Returns:
        Its kind (digits, letters, plus, sign, or empty if it is not changed), its new text, and whether it was spoken
        one by one.
    """
    kind, word = match.lastgroup, match.group().lower()
    if kind == "chain":
        return "", word, False
    if kind in ("han_digit", "han_number"):
        return "digits", _HAN.get(word) or _han_number(word), True
    if kind == "written":
        return "digits", word, len(word) == 1
    if kind == "letter":
        return ("digits", "0", True) if word == "o" and before == "digits" else ("letters", word.upper(), True)
    if kind == "number":
        return "digits", str(_number(word)), True
    if kind in ("sign", "han_sign"):
        return "sign", _SIGNS[re.sub(r"\s+", " ", word)], True
    if kind in ("plus", "han_plus"):
        return "plus", "+", True
    if kind == "www":
        return "letters", "WWW", True
    if match["times"]:
        what = match["repeated"].lower()
        what = str(_VALUES.get(what, what)).upper()
        return "digits" if what.isdigit() else "letters", what * _TIMES[match["times"].lower()], True
    hundreds = match["hundreds"].lower()
    rest = (match["and_rest"] or match["rest"] or "zero").lower()
    return "digits", str(100 * int(_VALUES.get(hundreds, hundreds)) + _number(rest)), True


def _number(words: str) -> int:
    return sum(_VALUES[word] for word in re.split(r"[\s-]+", words))


def _han_number(characters: str) -> str:
    total, digit = 0, None
    for character in characters.replace("廿", "二十").replace("卅", "三十"):
        if character in "百十":
            total += (1 if digit is None else digit) * (100 if character == "百" else 10)
            digit = None
        else:
            digit = int(_HAN[character])
    return str(total + (digit or 0))
