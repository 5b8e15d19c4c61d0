"""Split text into units for comparison, which ignore case, accents, punctuation and the form of numbers."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cn2an
from text_to_num import find_numbers

from pipeline.corpus.spoken_parts import parts_in_digits
from pipeline.speech.language import CJK

_MARKS = r"\u0300-\u036f"
_NUMERALS = "零〇一二兩两三四五六七八九十廿卅百千萬万億亿"
_MEASURES = {"hr": "hour", "hrs": "hours", "min": "minute", "mins": "minutes", "sec": "second", "secs": "seconds"}
_MEASURES |= {"wk": "week", "wks": "weeks", "yr": "year", "yrs": "years", "mth": "month", "mths": "months"}
_BEHIND = "|".join([*_MEASURES, *{name.rstrip("s") + "s?" for name in _MEASURES.values()}, "days?", "am", "pm", "h"])
_EDGE = rf"(?=(?:{_BEHIND})?(?![^\W{CJK}]))"  # of a number: 12hrs is two units, B12 is one
_UNIT = re.compile(
    rf"\d+(?:[:.]\d+|,\d{{3}}(?!\d))+{_EDGE}"  # 6:30, 2.5, 10,000
    rf"|\d+{_EDGE}|[oO]['’][^\W\d_{CJK}]+|[{_NUMERALS}]+|[{CJK}]|(?:[^\W_{CJK}][{_MARKS}]*)+"
)
_FULL_HOUR = re.compile(r"(\d+)[:.]00")
_O_CLOCK = "oclock"
_TRADITIONAL = str.maketrans({"两": "兩", "万": "萬", "亿": "億", "廿": "二十", "卅": "三十"})
_SEPARATES = re.compile(r"[^\s\-\u2010-\u2015]")
_DECADES = {"twenties": "20s", "thirties": "30s", "forties": "40s", "fifties": "50s", "sixties": "60s"}
_DECADES |= {"seventies": "70s", "eighties": "80s", "nineties": "90s"}


class Unit(NamedTuple):
    """The smallest part of a text that is compared: a word, a number or an ideograph.

    Attributes:
        text: Text without case and accents; numbers in digits.
        char_start: Index of the first character in the original text.
        char_end: Index after the last character.
        apart: Whether there is punctuation between the previous unit and this one.
    """

    text: str
    char_start: int
    char_end: int
    apart: bool = False


def units(text: str) -> list[Unit]:
    """Split a text into units in order, without punctuation and spaces.

    Numbers compare equal in any form: English and Chinese number words become digits (twenty-five, first, 十一, 廿三,
    二〇一五), 6:30 and "half past six" become 630, 2.5 and "two and a half" 25, and 11:00 and "eleven o'clock" 11.
    "hrs" becomes "hours". Compatibility characters and accents are replaced by plain characters, and 臺 by 台.
    """
    words = [_Word(_fold(match.group()), *match.span()) for match in _UNIT.finditer(text)]
    for word, before in zip(words[1:], words, strict=False):
        word.apart = bool(_SEPARATES.search(text[before.char_end : word.char_start]))
    return list(_with_parts(list(_without_o_clock(list(_in_digits(words))))))


def join(some: Sequence[Unit]) -> str:
    """Join the texts of consecutive units for comparison, so that "week end" equals "weekend".

    Numbers with punctuation between them stay separate: "1, 5" is not 15.
    """
    text = ""
    for unit in some:
        text += "," if unit.apart and text[-1:].isdecimal() and unit.text[:1].isdecimal() else ""
        text += unit.text
    return text


@dataclass
class _Word:
    """A token with the interface that text_to_num needs."""

    folded: str
    char_start: int
    char_end: int
    apart: bool = False

    def text(self) -> str:
        return self.folded

    def nt_separated(self, previous: "_Word") -> bool:
        return self.apart

    def not_a_number_part(self) -> bool:
        return False

    def unit(self) -> Unit:
        return Unit(self.folded, self.char_start, self.char_end, self.apart)


def _in_digits(words: Sequence[_Word]) -> Iterator[Unit]:
    done = 0
    for number in find_numbers(words, "en", threshold=0.0):
        yield from (word.unit() for word in words[done : number.start])
        digits = re.sub(r"\W", "", number.text)
        first, last = words[number.start], words[number.end - 1]
        yield Unit(digits, first.char_start, last.char_end, first.apart)
        done = number.end
    yield from (word.unit() for word in words[done:])


def _without_o_clock(some: Sequence[Unit]) -> Iterator[Unit]:
    """Merge "o'clock" into the number before it."""
    for place, unit in enumerate(some):
        after = some[place + 1 : place + 2]
        if unit.text.isdecimal() and after and after[0].text == _O_CLOCK:
            yield unit._replace(char_end=after[0].char_end)
        elif unit.text != _O_CLOCK or not place or not some[place - 1].text.isdecimal():
            yield unit


def _with_parts(some: Sequence[Unit]) -> Iterator[Unit]:
    """Merge what makes one number with its half, quarter or minutes."""
    done = 0
    for first, end, digits in parts_in_digits([unit.text for unit in some]):
        yield from some[done:first]
        yield some[first]._replace(text=digits, char_end=some[end - 1].char_end)
        done = end
    yield from some[done:]


@lru_cache(maxsize=8192)
def _fold(word: str) -> str:
    if word[0] in _NUMERALS:
        word = word.translate(_TRADITIONAL)
        try:
            return str(cn2an.cn2an(word, "smart"))
        except ValueError:
            return word
    decomposed = unicodedata.normalize("NFKD", word.replace("臺", "台")).casefold()
    plain = unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c)))
    plain = _FULL_HOUR.sub(r"\1", plain)
    plain = _MEASURES.get(plain, plain)
    return _DECADES.get(plain, re.sub(r"\W", "", plain))
