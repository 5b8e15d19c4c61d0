"""The forms in which a name, or another text, may stand again."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from pipeline.speech.language import CJK, language_of
from pipeline.tagging.entities import Entity
from pipeline.tagging.spoken import plain, simplified, without_accents

BUILT_IN = Path(__file__).with_name("mentions.yaml")
_NAMES = frozenset(("PATIENT", "DOCTOR", "PERSONALNAME", "FAMILYNAME"))
_SHORT = 3  # letters: so short a name looks like an abbreviation or a unit in another case
_WORD = re.compile(rf"[{CJK}]|[^\W_{CJK}]+(?:'[^\W_{CJK}]+)*")


@dataclass(frozen=True)
class Token:
    """A word or an ideograph: how it is compared, and its half-open spans in the text and in the folded line."""

    key: str
    start: int
    end: int
    line_start: int
    line_end: int

    @property
    def is_ideograph(self) -> bool:
        return language_of(self.key) == "zh"


@dataclass(frozen=True)
class Folded:
    """A text as it is compared.

    Attributes:
        line: The text as ``plain`` reads it, in small letters and without accents.
        tokens: Its words, without apostrophes and the possessive s, and its ideographs.
    """

    line: str
    tokens: list[Token]

    def gaps(self, start: int, end: int) -> tuple[str, ...]:
        """Return what stands between the tokens of a half-open range."""
        return tuple(self.line[one.line_end : other.line_start] for one, other in pairwise(self.tokens[start:end]))


@dataclass(frozen=True)
class Form:
    """What is looked for, and what it names.

    Attributes:
        keys: Keys of tokens in a row.
        entity: The entity that they name.
        gaps: What stood between them where they were found.
        spelling: The spelling, as ``spelled`` returns it, that it has to have; any if empty. Beside a title, any.
        within_sentence: Whether it counts only behind other words of its sentence, or beside a title.
        needs_title: Whether it counts only beside a title.
        may_cut: How many of its two edges may lie within known Chinese words.
    """

    keys: tuple[str, ...]
    entity: Entity
    gaps: tuple[str, ...] = ()
    spelling: str = ""
    within_sentence: bool = False
    needs_title: bool = False
    may_cut: int = 2


def fold(text: str) -> Folded:
    """Split a text into words and ideographs, compared without case, accents, apostrophes and the possessive s."""
    reading = plain(text)
    folded, places = [], []
    for place, character in enumerate(reading.text):
        for part in unicodedata.normalize("NFKD", character).casefold():
            if not unicodedata.combining(part):
                folded.append(part)
                places.append(place)
    line = "".join(folded)
    tokens = []
    for match in _WORD.finditer(line):
        word = match.group().removesuffix("'s")
        line_end = match.start() + len(word)
        start, end = reading.span(places[match.start()], places[line_end - 1] + 1)
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        tokens.append(Token(word.replace("'", ""), start, end, match.start(), line_end))
    return Folded(line, tokens)


def spelled(text: str) -> str:
    """Return a text as ``fold`` compares it, but in its own case."""
    return without_accents(plain(text).text)


def forms(entity: Entity) -> Iterator[Form]:
    """List the forms in which an entity may stand again; a number without letters has none, nor has a mere title."""
    folded = fold(entity.text)
    tokens = folded.tokens
    keys = tuple(token.key for token in tokens)
    if not any(map(str.isalpha, "".join(keys))):
        return
    whole = Form(keys, entity, folded.gaps(0, len(keys)))
    if entity.type not in _NAMES:
        is_word = len(keys) == 1 and _is_word(keys[0])
        if len("".join(keys)) > 1:
            yield replace(whole, spelling=_spelling(entity, tokens) if is_word else "")
        return
    named = [token for token in tokens if token.key not in known()["titles"]]
    if all(token.key in known()["no_names"] for token in named):
        return
    if all(token.is_ideograph for token in named):
        yield from _chinese_forms(_without_titles("".join(token.key for token in named)), whole)
    else:
        yield from _latin_forms(tokens, named, whole)


def _latin_forms(tokens: Sequence[Token], named: Sequence[Token], whole: Form) -> Iterator[Form]:
    entity = whole.entity
    if len(tokens) > 1:
        is_word = len(named) == 1 and _is_word(named[0].key)
        yield replace(whole, spelling=_spelling(entity, tokens) if is_word else "")
    if 1 < len(named) < len(tokens):
        yield Form(tuple(token.key for token in named), entity)
    parts = [token for token in named if not token.is_ideograph and token.key not in known()["no_names"]]
    parts = [token for token in parts if token in (parts[0], parts[-1]) or token.key not in known()["particles"]]
    parts = [token for token in parts if len(token.key) > 1]
    for token in parts:
        own = _spelling(entity, [token])
        yield _of_word(token.key, own, entity)
        for other in _nicknames().get(token.key, ()):
            yield _of_word(other, other.capitalize() if own[0].isupper() else other, entity)
    for family in parts[-1:]:
        yield _plural(family.key, _spelling(entity, [family]), entity)


def _of_word(key: str, spelling: str, entity: Entity) -> Form:
    """Return the form of a single word of a Latin name: what is a word or short besides needs its spelling."""
    if not _is_word(key):
        return Form((key,), entity, spelling=spelling if len(key) <= _SHORT else "")
    is_capitalised = spelling[0].isupper() and not spelling.isupper()
    within_sentence = key in known()["words"]
    return Form((key,), entity, (), spelling, within_sentence, needs_title=not is_capitalised)


def _plural(key: str, spelling: str, entity: Entity) -> Form:
    """Return the form of a family: it needs the spelling that the name or the plural would need."""
    ending = "es" if key.endswith(("s", "x", "z", "ch", "sh")) else "s"
    singular, plural = _of_word(key, spelling, entity), _of_word(key + ending, spelling + ending, entity)
    needed = singular if singular.spelling else plural
    return replace(needed, keys=plural.keys, spelling=spelling + ending if needed.spelling else "")


def _chinese_forms(name: str, whole: Form) -> Iterator[Form]:
    if not name:
        return
    entity = whole.entity
    if whole.keys != tuple(name):
        yield whole
    if len(name) > 1:
        yield _of_characters(name, entity, may_cut=0 if len(name) == 2 else 2)
    bare = name[1:] if len(name) == 2 and name[0] in known()["before_zh"] else name
    family = bare[:2] if bare[:2] in known()["family_names_zh"] else bare[:1]
    given = bare[len(family) :]
    if len(bare) == 1 or len(given) == 2:
        yield Form(tuple(family), entity, needs_title=True, may_cut=0)
    if len(given) == 2:
        yield _of_characters(given, entity, may_cut=1)


def _of_characters(text: str, entity: Entity, may_cut: int) -> Form:
    """Return the form of two Chinese characters or more, which may be a word besides."""
    return Form(tuple(text), entity, needs_title=text in known()["words_zh"], may_cut=may_cut)


def _without_titles(name: str) -> str:
    while titles := [title for title in known()["titles_zh"] if name.endswith(title)]:
        name = name.removesuffix(max(titles, key=len))
    return name


def _is_word(key: str) -> bool:
    return key in known()["words"] or key in known()["rarer_words"]


def _spelling(entity: Entity, tokens: Sequence[Token]) -> str:
    return spelled(entity.text[tokens[0].start : tokens[-1].end])


@cache
def known() -> dict[str, Any]:
    """Return what is known about names: sets of ``mentions.yaml``, Chinese in simplified characters."""
    known = yaml.safe_load(BUILT_IN.read_text(encoding="utf-8"))
    of_ends = {name: tuple(map(simplified, known[name])) for name in ("titles_zh", "before_zh")}
    others = {name: frozenset(map(simplified, known[name])) for name in known.keys() - {*of_ends, "nicknames"}}
    return known | of_ends | others


@cache
def _nicknames() -> dict[str, frozenset[str]]:
    """Return for each given name or nickname all others of the same names."""
    found: dict[str, set[str]] = {}
    for name, short in known()["nicknames"].items():
        for form in (name, *short):
            # A nickname stands for its names, and not for their other nicknames: "Al" is not "Sandy".
            found.setdefault(form, set()).update({name, *short} if form == name else {name})
    return {form: frozenset(others - {form}) for form, others in found.items()}
