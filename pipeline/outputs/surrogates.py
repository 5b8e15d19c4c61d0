"""Surrogates: made-up names, numbers and dates that replace the real ones."""

import random
import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from faker import Faker

from pipeline.outputs.surrogate_ages import other_age
from pipeline.outputs.surrogate_amounts import other_amount
from pipeline.outputs.surrogate_dates import other_date
from pipeline.outputs.surrogate_identifiers import other_identifier
from pipeline.outputs.surrogate_move import Move, move_of
from pipeline.outputs.surrogate_names import Names
from pipeline.outputs.surrogate_spellings import key
from pipeline.outputs.surrogate_words import DATA, NoSurrogateError
from pipeline.outputs.text import placeholder
from pipeline.speech.language import language_of
from pipeline.tagging.spoken import addresses, plain

_ATTEMPTS = 50
_FRACTION = re.compile(r"(?<![\d/-])\d+/\d+(?![\d/-])")
"""What is no date in a duration: "24/7" and "1/2 hour"."""
_IN_EITHER_LANGUAGE = ("USERNAME", "EMAIL", "URL", "IPADDRESS")


class Surrogates:
    """Replaces each entity by another text of the same kind that could be true.

    In a run, the same name and the same number get the same surrogate. Each word of a name has its own, so that "Lee"
    matches an earlier "Ann Lee"; titles stay. A number that passes a known check passes it afterwards too. In a
    recording, all dates move by the same number of days, so that what lies between them stays; times of the clock,
    ages and durations move a little. An age above 89 becomes "over 89". If no surrogate can be made ("yesterday",
    "Christmas"), the placeholder is used. A surrogate is never equal to the text that it replaces, and that of a name
    or a place has no part of it, in traditional or simplified characters.

    The surrogate of a name or number depends on the seed and on those before it, not on itself: whoever has the seed
    can shift dates back, but cannot find names by trial.
    """

    def __init__(self, seed: int):
        self._seed = seed
        self._random = random.Random(seed)
        self._fake = {language: Faker(locale) for language, locale in (("en", "en_US"), ("zh", "zh_TW"))}
        for fake in self._fake.values():
            fake.seed_instance(seed)
        self._known: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, str] = {}
        self._used: dict[str, set[str]] = {}
        self._names = Names(self._once, self._fake, self._random)

    def of(self, recording_id: str) -> Callable[[str, str], str]:
        """Return what replaces the entities of a recording: it takes a type and a text, and returns the surrogate."""
        return partial(self._replace, move_of(self._seed, recording_id))

    def _replace(self, move: Move, type_: str, text: str) -> str:
        try:
            surrogate = self._made(move, type_, text)
        except NoSurrogateError:
            return placeholder(type_, text)
        return surrogate if key(surrogate) != key(text) else placeholder(type_, text)

    def _made(self, move: Move, type_: str, text: str) -> str:
        match type_:
            case "DATE" | "TIME":
                return other_date(text, move, is_time=type_ == "TIME")
            case "DURATION" | "SET":
                try:
                    return other_amount(text, move.direction)
                except NoSurrogateError:
                    if _FRACTION.search(text):
                        raise
                    return other_date(text, move)
            case "AGE":
                return other_age(text, move)
        if type_ in DATA["names"]:
            return self._names.other(type_, text)
        if type_ in DATA["identifiers"]:
            return self._once(type_, text, lambda: other_identifier(type_, text, self._random, self._numbers))
        written = addresses(plain(text)).text if type_ in _IN_EITHER_LANGUAGE else text
        return self._once(type_, written, lambda: self._provided(type_, written))

    def _once(self, kind: str, text: str, make: Callable[[], str]) -> str:
        """Return the surrogate of a text, or make one, if possible one that no other text has or is so far."""
        old = (kind, key(text))
        if old not in self._known:
            used = self._used.setdefault(kind, set())
            best = ""
            for _ in range(_ATTEMPTS):
                made = make()
                best = made if key(made) != old[1] else best
                if best and best not in used and (kind, key(best)) not in self._known:
                    break
            if not best:
                raise NoSurrogateError
            used.add(best)
            self._known[old] = best
        return self._known[old]

    def _provided(self, type_: str, text: str) -> str:
        """Return a text of a type and a language, or an empty one if it has a part of the text that it replaces."""
        providers, language = DATA["providers"], language_of(text)
        if type_ not in providers[language]:
            language = "en"
            if type_ not in _IN_EITHER_LANGUAGE:
                raise NoSurrogateError
        provider, ending = providers[language][type_]
        made = str(getattr(self._fake[language], provider)())
        return "" if any(part in key(made) for part in _parts(text)) else made + ending


def _parts(text: str) -> set[str]:
    """Return the words of a text, pairs of characters in Chinese, that identify."""
    text = key(text)
    pairs = {one + other for one, other in pairwise(text) if language_of(one) == language_of(other) == "zh"}
    return (pairs | set(re.findall("[a-z]{3,}", text))) - set(DATA["generic"])
