"""Split text into units for comparison, which ignore case, accents, punctuation and the form of numbers."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from text_to_num import find_numbers

from pipeline.corpus.measures import ABBREVIATED, MEASURES, in_full
from pipeline.corpus.merging import APART, Rule, merged
from pipeline.corpus.numerals import FRACTIONS, IDEOGRAPHS, in_digits
from pipeline.corpus.possible_parts import POSSIBLE_PARTS
from pipeline.corpus.spoken_parts import PARTS
from pipeline.speech.language import CJK

_MARKS = r"\u0300-\u036f"
_BEHIND = "|".join([*ABBREVIATED, *(name + "s?" for name in MEASURES), "am", "pm"])
_EDGE = rf"(?=(?i:{_BEHIND})?(?![^\W{CJK}]))"  # of a number: 12hrs is two units, B12 is one
_UNIT = re.compile(
    rf"(?:\d+[ -]?)?[{FRACTIONS}]{_EDGE}|\d+[ -](?:1/[2-4]|2/3|3/4)(?!/){_EDGE}"  # 2½, 2 1/2
    rf"|\d+(?:[:：.]\d+|,\d{{3}}(?!\d))+{_EDGE}|(?<![\w.])\.\d+{_EDGE}"  # 6:30, 2.5, 10,000, .5
    rf"|\d+{_EDGE}|[oO]['’][^\W\d_{CJK}]+|[{IDEOGRAPHS}]+|[{CJK}]|(?:[^\W_{CJK}][{_MARKS}]*)+"
)
_DASH = r"\-\u2010-\u2015"
_SEPARATES = re.compile(rf"[^\s{_DASH}]")
_SMALL = r"\d{1,2}(?:\.\d+)?"
_RANGE = re.compile(rf"(?<![\w.{_DASH}]){_SMALL} ?[{_DASH}] ?(?={_SMALL}(?![\d.{_DASH}]))")  # 3-4, but no 555-1234
_O_CLOCK = "oclock"
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
    二〇一五), 6:30 and "half past six" become 630, "two and a half" and 2½ become 2.5, "nineteen oh five" becomes 1905,
    and 11:00 and "eleven o'clock" 11. "hrs" becomes "hours". Compatibility characters and accents are replaced by plain
    characters, and 臺 by 台.
    """
    words = [_Word(_fold(match.group()), *match.span()) for match in _UNIT.finditer(text)]
    after_dash = {match.end() for match in _RANGE.finditer(text)}
    for word, before in zip(words[1:], words, strict=False):
        between = text[before.char_end : word.char_start]
        word.apart = bool(_SEPARATES.search(between)) or word.char_start in after_dash
    counted = _with_measures(text, list(_with_digits(words)))
    return _merge(list(_without_o_clock(counted)), PARTS)


def readings(text: str) -> list[list[Unit]]:
    """Return the units of a text and, if it has numbers that may be read in a second way, those of that reading.

    "Ten to twelve" is two numbers, or 1150; 三點五十 likewise, or 350; and 6.30 is a decimal number, or 630.
    """
    first = units(text)
    second = _merge(first, POSSIBLE_PARTS)
    return [first] if second == first else [first, second]


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


def _with_digits(words: Sequence[_Word]) -> Iterator[Unit]:
    done = 0
    for number in find_numbers(words, "en", threshold=0.0):
        yield from (word.unit() for word in words[done : number.start])
        digits = re.sub(r"[^\w.]", "", number.text)
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


def _with_measures(text: str, some: Sequence[Unit]) -> list[Unit]:
    """Write abbreviated measures in full, but no separate word with a capital: HR and Min are names."""
    full: list[Unit] = []
    for unit in some:
        before = full[-1] if full and full[-1].text[-1:].isdecimal() and not unit.apart else None
        between = text[before.char_end : unit.char_start] if before else " "
        if not between or text[unit.char_start].islower():
            is_plural = before is not None and before.text != "1" and "-" not in between
            unit = unit._replace(text=in_full(unit.text, before is not None, is_plural))
        full.append(unit)
    return full


def _merge(some: Sequence[Unit], rules: Sequence[Rule]) -> list[Unit]:
    """Merge what makes one number with its half, quarter or minutes."""
    whole: list[Unit] = []
    done = 0
    for first, end, digits in merged([APART * unit.apart + unit.text for unit in some], rules):
        whole += some[done:first]
        whole.append(some[first]._replace(text=digits, char_end=some[end - 1].char_end))
        done = end
    return [*whole, *some[done:]]


@lru_cache(maxsize=8192)
def _fold(word: str) -> str:
    digits = in_digits(word)
    if digits is not None:
        return digits
    decomposed = unicodedata.normalize("NFKD", word.replace("臺", "台")).casefold()
    plain = unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c)))
    return _DECADES.get(plain, re.sub(r"\W", "", plain))
