"""Surrogates of names: of the same gender and language, the same for the same name."""

import random
import re
import unicodedata
from collections.abc import Callable

from faker import Faker
from faker.providers.person.en_US import Provider as English
from faker.providers.person.zh_TW import Provider as Chinese

from pipeline.outputs.surrogate_numerals import like
from pipeline.outputs.surrogate_words import DATA, NoSurrogateError
from pipeline.speech.language import CJK

_IDEOGRAPH = re.compile(rf"[{CJK}]")
_NAME = re.compile(rf"[{CJK}]+|(?<!\w['’])[^\W\d_{CJK}]+(?:(?!['’]s\b)['’-][^\W\d_{CJK}]+)*", re.IGNORECASE)
_TITLE = re.compile(f"({'|'.join(sorted(DATA['titles_zh'], key=len, reverse=True))})$")
_APOSTROPHES = str.maketrans(dict.fromkeys("ʼ‘`´′＇ʹ", "’"))
_MALE = {name.casefold() for provider in (English, Chinese) for name in provider.first_names_male}
_FEMALE = {name.casefold() for provider in (English, Chinese) for name in provider.first_names_female}
_SHARES = [
    {name.casefold(): share for name, share in names.items()} for names in (English.first_names, English.last_names)
]
_FAMILIES_ZH = list(Chinese.last_names)
_COMPOUND = {name for name in _FAMILIES_ZH if len(name) == 2} | set(DATA["compound_families"])

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

    def other(self, type_: str, text: str) -> str:
        """Return another name with the titles of the old one; raise ``NoSurrogateError`` if there is no name."""
        text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES))
        found = [match for match in _NAME.finditer(text) if match.group().casefold() not in DATA["titles"]]
        if not found or re.search(r"\d", text):
            raise NoSurrogateError
        last = found[-1].start() if len(found) > 1 else None

        def replaced(match: re.Match[str]) -> str:
            word = match.group()
            if word.casefold() in DATA["titles"]:
                return word
            if _IDEOGRAPH.match(word):
                return self._chinese(word)
            return self._english(word, match.start() == last if last is not None else self._is_family(type_, word))

        return _NAME.sub(replaced, text)

    def _is_family(self, type_: str, word: str) -> bool:
        """Return whether a name that stands alone is a family name."""
        first, last = (shares.get(word.casefold(), 0) for shares in _SHARES)
        return last > first if first != last else type_ in ("DOCTOR", "FAMILYNAME")

    def _english(self, word: str, is_family: bool) -> str:
        if len(word) == 1:
            return like(word, self._once("initial", word, lambda: self._random.choice("ABCDEFGHIJKLMNOPRSTVW")))
        fake = self._fake["en"]
        made = self._once("name", word, fake.last_name if is_family else self._first(fake, word))
        return made.lower() if word.islower() else made.upper() if word.isupper() else made

    def _first(self, fake: Faker, name: str) -> Callable[[], str]:
        """Return what makes first names of the gender of another, if a list says it."""
        is_male, is_female = name.casefold() in _MALE, name.casefold() in _FEMALE
        if is_male == is_female:
            return fake.first_name
        return fake.first_name_male if is_male else fake.first_name_female

    def _chinese(self, name: str) -> str:
        """Replace a name, of the same length: of three or more characters the first is a family name, or two are."""
        title = _TITLE.search(name)
        plain, ending = (name[: title.start()], title.group()) if title else (name, "")
        if not plain:
            raise NoSurrogateError
        families = 2 if plain[:2] in _COMPOUND and len(plain) != 3 else 1 if len(plain) != 2 else 0
        family, given = plain[:families], plain[families:]
        made = self._once("surname", family, lambda: self._family(len(family))) if family else ""
        return made + (self._once("given", given, lambda: self._given(given)) if given else "") + ending

    def _family(self, length: int) -> str:
        return self._random.choice([family for family in _FAMILIES_ZH if len(family) == length])

    def _given(self, old: str) -> str:
        first = self._first(self._fake["zh"], old)
        made = "".join(first() for _ in range((len(old) + 1) // 2))
        return made[-len(old) :]
