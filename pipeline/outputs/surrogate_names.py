"""Surrogates of names: of the same gender and language, the same for the same name."""

import random
import re
import unicodedata
from collections.abc import Callable

from faker import Faker
from faker.providers.person.en_US import Provider as English
from faker.providers.person.zh_TW import Provider as Chinese

from pipeline.outputs.surrogate_numerals import like
from pipeline.outputs.surrogate_spellings import RARE_APOSTROPHES, key
from pipeline.outputs.surrogate_words import DATA, NoSurrogateError
from pipeline.speech.language import CJK

_IDEOGRAPH = re.compile(rf"[{CJK}]")
_NAME = re.compile(rf"[{CJK}]+|(?<!\w['’])[^\W\d_{CJK}]+(?:(?!['’]s\b)['’-][^\W\d_{CJK}]+)*", re.IGNORECASE)
_TITLE = re.compile(f"({'|'.join(sorted(DATA['titles_zh'], key=len, reverse=True))})$")
_APOSTROPHES = str.maketrans(dict.fromkeys(RARE_APOSTROPHES, "’"))
_MALE = {key(name) for provider in (English, Chinese) for name in provider.first_names_male}
_FEMALE = {key(name) for provider in (English, Chinese) for name in provider.first_names_female}
_SHARES = [{key(name): share for name, share in names.items()} for names in (English.first_names, English.last_names)]
_FAMILIES_ZH = sorted({*Chinese.last_names, *DATA["compound_families"]})
_FAMILY_KEYS = {key(name) for name in _FAMILIES_ZH}
_DOUBLE_KEYS = {key(name) for name in DATA["double_families"]}
_BEFORE_FAMILY = "小老"
_PLURAL = re.compile(r"\w{3,}[^\Waious]s", re.IGNORECASE)

Once = Callable[[str, str, Callable[[], str]], str]


class Names:
    """Makes names.

    Args:
        once: Returns the surrogate of a kind and a name, or makes one with the given function.
        fake: Makes random English and Chinese names, by language.
        chance: Where other random choices come from.
    """

    def __init__(self, once: Once, fake: dict[str, Faker], chance: random.Random):
        self._once, self._fake, self._random = once, fake, chance
        self._givens: set[str] = set()

    def other(self, type_: str, text: str) -> str:
        """Return another name with the titles of the old one; raise ``NoSurrogateError`` if there is no name."""
        text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES))
        found = [match for match in _NAME.finditer(text) if match.group().casefold() not in DATA["titles"]]
        if not found or re.search(r"\d", text):
            raise NoSurrogateError
        last = found[-1].start() if len(found) > 1 else None
        old = _parts(text)

        def replaced(match: re.Match[str]) -> str:
            word = match.group()
            if word.casefold() in DATA["titles"]:
                return word
            if _IDEOGRAPH.match(word):
                return self._chinese(word, old)
            return "-".join(
                self._english(part, match.start() == last if last is not None else self._is_family(type_, part), old)
                for part in word.split("-")
            )

        made = _NAME.sub(replaced, text)
        if old & _parts(made):
            raise NoSurrogateError
        return made

    def _is_family(self, type_: str, word: str) -> bool:
        """Return whether a name that stands alone is a family name."""
        first, last = (shares.get(key(word), 0) for shares in _SHARES)
        return last > first if first != last else type_ in ("DOCTOR", "FAMILYNAME")

    def _once_without(self, old: set[str], kind: str, name: str, make: Callable[[], str]) -> str:
        """Return the surrogate of a part of a name, or make one that has nothing of the parts of the old name."""

        def without_old() -> str:
            made = make()
            return "" if _parts(made) & old else made

        return self._once(kind, name, without_old)

    def _english(self, word: str, is_family: bool, old: set[str]) -> str:
        if len(word) == 1:
            return like(word, self._once("initial", word, lambda: self._random.choice("ABCDEFGHIJKLMNOPRSTVW")))
        name = _singular(word)
        fake = self._fake["en"]
        make = fake.last_name if is_family or name != word else self._first(fake, word)
        made = self._once_without(old, "name", name, make)
        if name != word:
            made += "es" if made.endswith(("s", "x", "z", "ch", "sh")) else "s"
        return made.lower() if word.islower() else made.upper() if word.isupper() else made

    def _first(self, fake: Faker, name: str) -> Callable[[], str]:
        """Return what makes first names of the gender of another, if a list says it."""
        is_male, is_female = key(name) in _MALE, key(name) in _FEMALE
        if is_male == is_female:
            return fake.first_name
        return fake.first_name_male if is_male else fake.first_name_female

    def _chinese(self, name: str, old: set[str]) -> str:
        """Replace a name, of the same length: if it has three or more characters, one or two are a family name."""
        plain, title = _without_title(name)
        if not plain:
            raise NoSurrogateError
        if self._is_nickname(plain):
            return plain[0] + self._surname(plain[1:], old) + title
        is_compound = key(plain[:2]) in _FAMILY_KEYS and (len(plain) != 3 or key(plain[:2]) not in _DOUBLE_KEYS)
        families = 2 if is_compound else 1 if len(plain) != 2 else 0
        family, given = plain[:families], plain[families:]
        made = self._surname(family, old) if family else ""
        if given:
            self._givens.add(key(given))
            made += self._once_without(old, "given", given, lambda: self._given(given))
        return made + title

    def _is_nickname(self, name: str) -> bool:
        """Return whether a name is 小 or 老 and a family name, and not the given name of somebody."""
        is_family = len(name) == 2 and name[0] in _BEFORE_FAMILY and key(name[1]) in _FAMILY_KEYS
        return is_family and key(name) not in self._givens

    def _surname(self, name: str, old: set[str]) -> str:
        names = [family for family in _FAMILIES_ZH if len(family) == len(name)]
        return self._once_without(old, "surname", name, lambda: self._random.choice(names))

    def _given(self, old: str) -> str:
        first = self._first(self._fake["zh"], old)
        made = "".join(first() for _ in range((len(old) + 1) // 2))
        return made[-len(old) :]


def _parts(text: str) -> set[str]:
    """Return the keys of what a surrogate may not have: names that are no titles or initials, characters in Chinese."""
    parts: set[str] = set()
    for word in _NAME.findall(text):
        if _IDEOGRAPH.match(word):
            parts |= set(key(_without_title(word)[0])) - set(_BEFORE_FAMILY)
        elif word.casefold() not in DATA["titles"]:
            parts |= {key(_singular(part)) for part in word.split("-") if len(part) > 1}
    return parts


def _without_title(name: str) -> tuple[str, str]:
    """Return a Chinese name, and the title behind it."""
    title = _TITLE.search(name)
    return (name[: title.start()], title.group()) if title else (name, "")


def _singular(name: str) -> str:
    """Return the family name of "Wexfords"; one that is known with its s stays."""
    is_plural = _PLURAL.fullmatch(name) and not any(key(name) in shares for shares in _SHARES)
    return name[:-1] if is_plural else name
