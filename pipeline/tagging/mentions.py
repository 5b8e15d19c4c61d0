"""Every mention of what was found: other forms of a name, a number or an address in the same transcript."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from pipeline.speech.language import CJK, language_of
from pipeline.tables import REVIEW
from pipeline.tagging.entities import Entity
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.spoken import numbers, plain

REPEAT = "repeat"
"""Source of the entities that are found here."""

BUILT_IN = Path(__file__).with_name("mentions.yaml")
_NAMES = frozenset(("PATIENT", "DOCTOR", "PERSONALNAME", "FAMILYNAME"))
_NOT_REPEATED = ("times", "profession")  # entity groups whose words identify nobody by themselves

_APOSTROPHES = dict.fromkeys(map(ord, "’‘ʼ′＇`´"), "'")
_WORD = re.compile(rf"[{CJK}]|[^\W_{CJK}]+(?:'[^\W_{CJK}]+)*")
_GAP = re.compile(r"[\s.'\-‐-―·・]{0,3}")  # between the words of a name
_SENTENCE_END = re.compile(r"(?:^|[.!?。！？:：])[\s\"'“”(（]*$")
_DIGITS = 4  # of a number that is looked for again
_PIECE = re.compile(r"[0-9A-Za-z]+")
_BETWEEN = re.compile(r"[ ,.()/\-‐-―]{0,2}")  # the pieces of a number


@dataclass(frozen=True)
class _Token:
    """A word or an ideograph: how it is compared, and where it stands in the text."""

    key: str
    start: int
    end: int

    @property
    def is_ideograph(self) -> bool:
        return language_of(self.key) == "zh"


@dataclass(frozen=True)
class _Form:
    """What is looked for: keys in a row, what has to stand behind or before them, and the entity that they name."""

    keys: tuple[str, ...]
    entity: Entity
    spelling: str = ""  # the text that a word which is also a name has to have
    needs_title: bool = False


class MentionFinder:
    """Finds further mentions of entities: of names, numbers and addresses that were found.

    Names, also without accents or apostrophes, in other case, as possessive, in parts, by their nicknames; Chinese
    given names alone and family names with a title; numbers of four digits and more, written or spoken; all others in
    the words in which they were found. A name that is a word too counts in its own spelling within a sentence, or
    beside a title.

    Args:
        entities: What was found, in any transcript; of it, what is kept is looked for.
    """

    def __init__(self, entities: Iterable[Entity]):
        self._forms: dict[str, list[_Form]] = {}
        self._numbers: dict[str, Entity] = {}
        for entity in entities:
            if not entity.kept or entity.type in _not_repeated():
                continue
            for form in _forms(entity):
                self._forms.setdefault(form.keys[0], []).append(form)
            key = re.sub(r"[^0-9A-Z]", "", numbers(plain(entity.text)).text.upper())
            if sum(map(str.isdigit, key)) >= _DIGITS:
                self._numbers.setdefault(key, entity)
        self._longest = max(map(len, self._numbers), default=0)

    def __call__(self, text: str, entities: Sequence[Entity]) -> list[Entity]:
        """Find mentions in a transcript.

        Args:
            text: The transcript.
            entities: Its entities. What overlaps a kept one, or one that a rule or a person dropped, is no mention.

        Returns:
            Entities with the source ``repeat``, and the type, group and confidence of what they repeat, by start.
        """
        taken = [
            (entity.char_start, entity.char_end)
            for entity in entities
            if entity.kept or entity.cause == REVIEW or (entity.cause or "").startswith("rule:")
        ]
        found = [*self._by_words(text), *self._by_numbers(text)]
        mentions: list[Entity] = []
        for entity, start, end in sorted(found, key=lambda one: one[1] - one[2]):
            if all(end <= other or start >= stop for other, stop in taken):
                taken.append((start, end))
                untimed = replace(entity, start_s=None, end_s=None, match=None)
                mentions.append(replace(untimed, text=text[start:end], char_start=start, char_end=end, source=REPEAT))
        return sorted(mentions, key=lambda entity: entity.char_start)

    def _by_words(self, text: str) -> Iterator[tuple[Entity, int, int]]:
        tokens = _tokens(text) if self._forms else []
        for place, token in enumerate(tokens):
            for form in self._forms.get(token.key, ()):
                end = place + len(form.keys)
                own = tokens[place:end]
                if tuple(each.key for each in own) != form.keys or not _stand_together(text, own):
                    continue
                start, stop, has_title = token.start, own[-1].end, _has_title(text, tokens, place, end)
                if form.needs_title and not has_title:
                    continue
                if form.spelling and not has_title:
                    is_inside = not _SENTENCE_END.search(text[:start])
                    if not (text[start:stop] == form.spelling and form.spelling[0].isupper() and is_inside):
                        continue
                yield form.entity, start, stop

    def _by_numbers(self, text: str) -> Iterator[tuple[Entity, int, int]]:
        """Find numbers again, however their digits are written or spoken."""
        if not self._numbers:
            return
        reading = numbers(plain(text))
        pieces = list(_PIECE.finditer(reading.text))
        for place, first in enumerate(pieces):
            key, before = "", first
            for piece in pieces[place:]:
                if piece is not first and not _BETWEEN.fullmatch(reading.text[before.end() : piece.start()]):
                    break
                key += piece.group().upper()
                if len(key) > self._longest:
                    break
                if key in self._numbers:
                    yield self._numbers[key], *reading.span(first.start(), piece.end())
                before = piece


def find_mentions(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """Find further mentions of a transcript's entities in it; see ``MentionFinder``."""
    return MentionFinder(entities)(text, entities)


def _stand_together(text: str, tokens: Sequence[_Token]) -> bool:
    return all(_GAP.fullmatch(text[one.end : other.start]) for one, other in pairwise(tokens))


def _forms(entity: Entity) -> Iterator[_Form]:
    """List the forms in which a name, or another text, may stand again."""
    tokens = [token for token in _tokens(entity.text) if token.key not in _known()["titles"]]
    keys = tuple(token.key for token in tokens)
    if not any(map(str.isalpha, "".join(keys))):  # numbers are found by their digits
        return
    if all(token.is_ideograph for token in tokens):
        yield from _chinese_forms("".join(keys), entity)
        return
    is_single_word = len(keys) == 1
    if not is_single_word or len(keys[0]) > 1:
        yield _Form(keys, entity, _spelling(entity, tokens[0]) if is_single_word else "")
    if entity.type not in _NAMES:
        return
    for token in tokens:
        if not is_single_word and len(token.key) > 1 and not token.is_ideograph:
            yield _Form((token.key,), entity, _spelling(entity, token))
        for other in _nicknames().get(token.key, ()):
            yield _Form((other,), entity, other.capitalize() if other in _known()["words"] else "")


def _chinese_forms(name: str, entity: Entity) -> Iterator[_Form]:
    if len(name) > 1:
        yield _Form(tuple(name), entity)
    if entity.type not in _NAMES:
        return
    family = name[:2] if name[:2] in _known()["family_names_zh"] else name[:1]
    given = name[len(family) :]
    if len(name) == 1 or len(given) == 2:
        yield _Form(tuple(family), entity, needs_title=True)
    if len(given) == 2 and given not in _known()["words_zh"]:
        yield _Form(tuple(given), entity)


def _spelling(entity: Entity, token: _Token) -> str:
    """Return the spelling that a name has to have which is a word too; for any other name, nothing."""
    return entity.text[token.start : token.end] if token.key in _known()["words"] else ""


def _has_title(text: str, tokens: Sequence[_Token], start: int, end: int) -> bool:
    """Return whether a title stands before the words of a Latin name, or one of Chinese before or behind it."""
    if tokens[start].is_ideograph:
        behind, before = text[tokens[end - 1].end :], text[: tokens[start].start]
        return behind.startswith(_known()["titles_zh"]) or before.endswith(_known()["before_zh"])
    return start > 0 and tokens[start - 1].key in _known()["titles"]


def _tokens(text: str) -> list[_Token]:
    """Split a text into words and ideographs, compared without case, accents, apostrophes and the possessive s."""
    folded, places = [], []
    for place, character in enumerate(text.translate(_APOSTROPHES)):
        for part in unicodedata.normalize("NFKD", character).casefold():
            if not unicodedata.combining(part):
                folded.append(part)
                places.append(place)
    line = "".join(folded)
    tokens = []
    for match in _WORD.finditer(line):
        word, end = match.group(), match.end()
        if word.endswith("'s"):
            word, end = word[:-2], end - 2
        stop = places[end - 1] + 1
        while stop < len(text) and unicodedata.combining(text[stop]):
            stop += 1
        tokens.append(_Token(word.replace("'", ""), places[match.start()], stop))
    return tokens


@cache
def _known() -> dict[str, Any]:
    known = yaml.safe_load(BUILT_IN.read_text(encoding="utf-8"))
    of_ends = {name: tuple(known[name]) for name in ("titles_zh", "before_zh")}
    return known | of_ends | {name: frozenset(known[name]) for name in known.keys() - {*of_ends, "nicknames"}}


@cache
def _not_repeated() -> frozenset[str]:
    return frozenset(type_ for group in load_entity_groups() if group.name in _NOT_REPEATED for type_ in group.types)


@cache
def _nicknames() -> dict[str, frozenset[str]]:
    """Return for each given name or nickname all others of the same names."""
    found: dict[str, set[str]] = {}
    for name, short in _known()["nicknames"].items():
        for form in (name, *short):
            # A nickname stands for its names, and not for their other nicknames: "Al" is not "Sandy".
            found.setdefault(form, set()).update({name, *short} if form == name else {name})
    return {form: frozenset(others - {form}) for form, others in found.items()}
