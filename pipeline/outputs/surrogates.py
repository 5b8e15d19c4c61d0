"""Surrogates: made-up names, numbers and dates that replace the real ones, the same throughout a run."""

import random
import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cn2an
import yaml
from faker import Faker

from pipeline.outputs.text import placeholder
from pipeline.speech.language import CJK, language_of

_DATA: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
_ORDINARY = {word for line in _DATA["ordinary"] for word in line.split()}
_CYCLES = [[str(word) for word in cycle] for cycle in _DATA["cycles"]]
_CYCLE_OF = {word: cycle for cycle in reversed(_CYCLES) for word in cycle}

_IDEOGRAPH = re.compile(rf"[{CJK}]")
_NAME = re.compile(rf"[{CJK}]+|(?<!\w['’])[^\W\d_{CJK}]+(?:(?!['’]s\b)['’-][^\W\d_{CJK}]+)*")
_TITLE = re.compile(f"({'|'.join(_DATA['titles_zh'])})$")
_DIGITS_ZH = "零一二三四五六七八九"
_PIECE = re.compile(
    rf"(?P<ordinal>\d+(?:st|nd|rd|th)\b)|(?P<number>\d+)|(?P<word>[^\W\d_{CJK}]+(?:['’.-][^\W\d_{CJK}]+)*)"
    r"|(?P<weekday>(?:星期|禮拜|週|周)[一二三四五六日天])|(?P<numeral>[〇零一二兩三四五六七八九十]+)"
    rf"|(?P<ideograph>[{CJK}])",
    re.IGNORECASE,
)
_YEARS = range(1800, 2101)
_RANGES = [(1, 9), (10, 12), (13, 28), (29, 31), (32, 59), (60, 99)]  # hours, days of a month, minutes, ages
_ATTEMPTS = 50


class _NoSurrogateError(Exception):
    """No surrogate can be made of a text."""


class Surrogates:
    """Replaces each entity by another text of the same kind, and equal texts by equal surrogates.

    Each word of a name has its own surrogate, so that "Lee" matches an earlier "Ann Lee"; titles stay. Numbers keep
    their shape. In dates, times and ages, numbers, months, days of the week and years are shifted, each kind by the
    same amount throughout. If no surrogate can be made ("yesterday", "Christmas"), the placeholder is used. A
    surrogate is never equal to the text that it replaces.

    The surrogate of a name depends on the seed and on the names before it, not on the name itself: whoever has the
    seed can shift dates back, but cannot find names by trial.
    """

    def __init__(self, seed: int):
        self._random = random.Random(seed)
        self._fake = {language: Faker(locale) for language, locale in (("en", "en_US"), ("zh", "zh_TW"))}
        for fake in self._fake.values():
            fake.seed_instance(seed)
        self._known: dict[tuple[str, str], str] = {}
        self._used: dict[str, set[str]] = {}
        self._moves = {tuple(cycle): self._random.randrange(1, len(cycle)) for cycle in _CYCLES}
        self._steps = {low: self._random.randrange(1, high - low + 1) for low, high in _RANGES}
        self._years = self._random.choice([-4, -3, -2, 2, 3, 4])
        self._weekdays = self._random.randrange(1, 7)

    def replace(self, type_: str, text: str) -> str:
        """Return the surrogate of an entity, or its placeholder if none can be made."""
        language = language_of(text)
        try:
            if type_ in _DATA["names"]:
                surrogate = self._name(type_, text)
            elif type_ in _DATA["times"]:
                surrogate = self._time(text)
            elif type_ in _DATA["identifiers"]:
                surrogate = self._once(type_, text, lambda: self._identifier(text))
            else:
                surrogate = self._once(type_, text, lambda: self._provided(type_, language))
        except _NoSurrogateError:
            return placeholder(type_, text)
        return surrogate if surrogate.casefold() != text.casefold() else placeholder(type_, text)

    def _once(self, kind: str, text: str, make: Callable[[], str]) -> str:
        """Return the surrogate of a text, or make one, if possible one that is not in use for another text."""
        key = (kind, text.casefold())
        if key not in self._known:
            used = self._used.setdefault(kind, set())
            best = ""
            for _ in range(_ATTEMPTS):
                made = make()
                best = made if made.casefold() != key[1] else best
                if best and best not in used:
                    break
            if not best:
                raise _NoSurrogateError
            used.add(best)
            self._known[key] = best
        return self._known[key]

    def _provided(self, type_: str, language: str) -> str:
        providers = _DATA["providers"]
        if type_ not in providers[language]:
            language = "en"
            if type_ not in ("USERNAME", "EMAIL", "URL", "IPADDRESS"):
                raise _NoSurrogateError
        provider, ending = providers[language][type_]
        return str(getattr(self._fake[language], provider)()) + ending

    def _name(self, type_: str, text: str) -> str:
        words = [word for word in _NAME.findall(text) if word.casefold() not in _DATA["titles"]]
        if not words:
            raise _NoSurrogateError

        def other(match: re.Match[str]) -> str:
            word = match.group()
            if word.casefold() in _DATA["titles"]:
                return word
            if _IDEOGRAPH.match(word):
                return self._chinese_name(type_, word)
            family = word == words[-1] if len(words) > 1 else type_ in ("DOCTOR", "FAMILYNAME")
            made = self._once("name", word, self._fake["en"].last_name if family else self._fake["en"].first_name)
            return made if not word.islower() else made.lower()

        surrogate = _NAME.sub(other, text)
        if re.search(r"\d", surrogate):
            raise _NoSurrogateError
        return surrogate

    def _chinese_name(self, type_: str, name: str) -> str:
        """Replace a name: of three or more characters the first, and a single character, is a family name."""
        title = _TITLE.search(name)
        plain, ending = (name[: title.start()], title.group()) if title else (name, "")
        fake = self._fake["zh"]
        if not plain:
            raise _NoSurrogateError
        if len(plain) == 1:
            return self._once("surname", plain, fake.last_name) + ending
        family, given = ("", plain) if len(plain) == 2 else (plain[0], plain[1:])
        made = self._once("surname", family, fake.last_name) if family else ""
        return made + self._once("given", given, fake.first_name) + ending

    def _time(self, text: str) -> str:
        def other(match: re.Match[str]) -> str:
            piece = match.group()
            match match.lastgroup:
                case "number":
                    return self._number(piece)
                case "ordinal":
                    return _ordinal(int(self._number(piece[:-2])))
                case "numeral":
                    return self._numeral(piece)
                case "weekday":
                    return piece[:-1] + "一二三四五六日"[("一二三四五六日".find(piece[-1]) % 7 + self._weekdays) % 7]
                case "ideograph" if piece in _DATA["ordinary_zh"]:
                    return piece
                case "word":
                    return "-".join(map(self._time_word, piece.split("-")))
            raise _NoSurrogateError

        return _PIECE.sub(other, text)

    def _time_word(self, word: str) -> str:
        cycle = _CYCLE_OF.get(word.casefold())
        if cycle:
            moved = cycle[(cycle.index(word.casefold()) + self._moves[tuple(cycle)]) % len(cycle)]
            return moved.upper() if word.isupper() else moved.capitalize() if word[0].isupper() else moved
        if word.casefold().removesuffix("'s").removesuffix("’s") in _ORDINARY:
            return word
        raise _NoSurrogateError

    def _number(self, digits: str) -> str:
        value = int(digits)
        if len(digits) == 4 and value in _YEARS:
            return str(value + self._years)
        for low, high in _RANGES:
            if low <= value <= high:
                return str(low + (value - low + self._steps[low]) % (high - low + 1)).zfill(len(digits))
        return "".join(str(1 + (int(d) - 1 + self._steps[1]) % 9) if int(d) else d for d in digits)

    def _numeral(self, numeral: str) -> str:
        plain = numeral.replace("〇", "零").replace("兩", "二")
        if "十" in plain:
            try:
                moved = self._number(str(cn2an.cn2an(plain, "smart")))
            except ValueError:
                raise _NoSurrogateError from None
            return str(cn2an.an2cn(moved)).removeprefix("一") if 10 <= int(moved) < 20 else str(cn2an.an2cn(moved))
        digits = self._number("".join(str(_DIGITS_ZH.index(d)) for d in plain))
        return "".join("〇" if d == "0" and "〇" in numeral else _DIGITS_ZH[int(d)] for d in digits)

    def _identifier(self, text: str) -> str:
        def other(match: re.Match[str]) -> str:
            piece = match.group()
            if _IDEOGRAPH.match(piece) or piece[0] == "〇":
                if not all(c in "〇零一二兩三四五六七八九十" for c in piece):
                    raise _NoSurrogateError
                return "".join(c if c == "十" else self._random.choice(_DIGITS_ZH[1:]) for c in piece)
            if piece.casefold() in _DATA["spoken"]:
                return piece
            if piece.casefold() in _CYCLE_OF:
                moved = self._random.choice(_CYCLE_OF[piece.casefold()])
                return moved.capitalize() if piece[0].isupper() else moved
            return "".join(map(self._character, piece))

        return re.sub(rf"[{CJK}〇]+|[^\W\d_{CJK}]+|\d+", other, text)

    def _character(self, character: str) -> str:
        if character.isdecimal():
            return self._random.choice("0123456789")
        if character in string.ascii_lowercase:
            return self._random.choice(string.ascii_lowercase)
        return self._random.choice(string.ascii_uppercase)


def _ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else endings.get(number % 10, 'th')}"
