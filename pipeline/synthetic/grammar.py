"""Random sentences of a made-up clinic, drawn from a grammar in YAML (``clinic/en.yaml``, ``clinic/zh.yaml``).

A grammar maps rules to alternatives, which are texts with slots and inline tags of entities:

- ``{complaint}`` is replaced by an alternative of that rule. ``5 * `` before an alternative makes it 5 times as likely.
- ``{number 20 90}`` is a random whole number in words, ``{ordinal 1 31}`` an ordinal, ``{digits 7}`` seven digits.
- A rule for names has two lists, ``training`` and ``test``. The test part takes half of its names from ``test``, which
  the training part never uses. In the training part, some names are spliced from two. Numbers from ten up are divided
  between the parts too.
"""

import random
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import cn2an
import yaml

from pipeline.speech.language import Language
from pipeline.tagging.entities import Span, parse

Part = Literal["training", "test"]

_SLOT = re.compile(r"\{(\w+)((?: \d+)*)\}")
_WEIGHT = re.compile(r"(\d+) \* ")
_BUILT_IN = ("number", "ordinal", "digits")
_SENTENCE_START = re.compile(r"(?:^|[.?!] )(?:<[A-Z_-]+>)?[a-z]")
_SPLICED = 0.4
"""Share of training names that are spliced from two, so that models learn to spell and not only to memorise."""
_SMALL = 10
"""Numbers below this are in both parts, as there are too few to divide."""


@dataclass(frozen=True)
class Sentence:
    """A sentence with its entities.

    Attributes:
        text: The text as spoken: numbers in words, identifiers digit by digit.
        spans: The entities in order.
    """

    text: str
    spans: tuple[Span, ...]


class Grammar:
    """The grammar of one language.

    Raises:
        ValueError: An alternative refers to an unknown rule, or a name of the test part is in the training part too.
    """

    def __init__(self, language: Language):
        self._language: Language = language
        rules = yaml.safe_load(
            (files("pipeline.synthetic") / "clinic" / f"{language}.yaml").read_text(encoding="utf-8")
        )
        self._alternatives = {name: _both(rule) for name, rule in rules.items()}
        names = [rule for rule in rules.values() if isinstance(rule, dict)]
        self._test_names = sorted({_weighted(name)[0] for rule in names for name in rule["test"]})
        for rule in self._alternatives.values():
            slots = {slot for line in rule["training"][0] + rule["test"][0] for slot, _ in _SLOT.findall(line)}
            unknown = slots - {*rules, *_BUILT_IN}
            if unknown:
                raise ValueError(f"{language}.yaml: {{{min(unknown)}}} is no rule")
            if rule["training"] is not rule["test"] and any(map(self.has_test_name, rule["training"][0])):
                raise ValueError(f"{language}.yaml: a name of the test part is in training too")

    def sentence(self, rng: random.Random, part: Part) -> Sentence:
        """Draw a random sentence."""
        tagged = self._expand("sentence", rng, part)
        if self._language == "en":
            tagged = _SENTENCE_START.sub(lambda start: start[0][:-1] + start[0][-1].upper(), tagged)
        text, spans = parse(tagged)
        return Sentence(text, tuple(spans))

    def has_test_name(self, text: str) -> bool:
        """Return whether a text contains a name that only the test part uses."""
        if self._language == "zh":
            return any(name in text for name in self._test_names)
        return any(re.search(rf"\b{re.escape(name)}\b", text) for name in self._test_names)

    def _expand(self, rule: str, rng: random.Random, part: Part) -> str:
        alternatives = self._alternatives[rule]
        names_apart = alternatives["training"] is not alternatives["test"]
        side: Part = "test" if part == "test" and (not names_apart or rng.random() < 0.5) else "training"
        texts, weights = alternatives[side]
        text = rng.choices(texts, weights)[0]
        if names_apart and part == "training" and rng.random() < _SPLICED:
            text = self._splice(text, rng.choices(texts, weights)[0])
        return _SLOT.sub(lambda slot: self._fill(slot[1], [int(n) for n in slot[2].split()], rng, part), text)

    def _splice(self, one: str, other: str) -> str:
        """Join halves of two names, unless one has several words or the result contains a test name."""
        spliced = one[: (len(one) + 1) // 2] + other[(len(other) + 1) // 2 :]
        return one if " " in one + other or self.has_test_name(spliced) else spliced

    def _fill(self, slot: str, numbers: list[int], rng: random.Random, part: Part) -> str:
        if slot == "digits":
            while True:
                digits = "".join(rng.choices("0123456789", k=numbers[0]))
                if _is_of(int(digits), part):
                    return self._spell(digits)
        if slot in {"number", "ordinal"}:
            low, high = numbers
            number = rng.choice([n for n in range(low, high + 1) if n < _SMALL or _is_of(n, part)])
            return _in_words(number, slot, self._language)
        return self._expand(slot, rng, part)

    def _spell(self, digits: str) -> str:
        if self._language == "zh":
            return digits.translate(str.maketrans("0123456789", "零一二三四五六七八九"))
        return " ".join(_in_words(int(digit), "number", "en") for digit in digits)


def _is_of(number: int, part: Part) -> bool:
    """Return whether a number belongs to a part: every seventh belongs to the test part."""
    return (number % 7 == 3) == (part == "test")


@cache
def _in_words(number: int, kind: str, language: Language) -> str:
    if language == "zh":
        return cn2an.an2cn(number, "low")
    from num2words import num2words

    words: str = num2words(number, to="ordinal" if kind == "ordinal" else "cardinal")
    return words.replace("-", " ")


def _both(rule: list[str] | dict[str, list[str]]) -> dict[str, tuple[list[str], list[int]]]:
    """Return texts and weights for both parts; the same object if they do not differ."""
    if isinstance(rule, list):
        both = _split(rule)
        return {"training": both, "test": both}
    return {part: _split(rule[part]) for part in ("training", "test")}


def _split(alternatives: list[str]) -> tuple[list[str], list[int]]:
    texts, weights = zip(*map(_weighted, alternatives), strict=True)
    return list(texts), list(weights)


def _weighted(alternative: str) -> tuple[str, int]:
    weight = _WEIGHT.match(alternative)
    return (alternative[weight.end() :], int(weight[1])) if weight else (alternative, 1)
