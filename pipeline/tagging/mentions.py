"""Every mention of what was found: other forms of a name, a number or an address in the same transcript."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache

from pipeline.tables import REVIEW
from pipeline.tagging.entities import Entity
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.mention_forms import Folded, Form, fold, forms, known, spelled
from pipeline.tagging.spoken import numbers, plain

REPEAT = "repeat"
"""Source of the entities that are found here."""

_NOT_REPEATED = ("times", "profession")  # entity groups whose words identify nobody by themselves

_GAP = re.compile(r"[\s.'\-‐-―·・]{0,3}")  # between the words of a name
_SENTENCE_START = re.compile(r"(?:^|[.!?…。！？:：]|[,，](?=\s*[\"“「]))[\s\"'“”「(（]*$")
_TITLE_GAP = re.compile(r"[\s\-]{1,2}")
_SHORT_TITLE_GAP = re.compile(r"\.?[\s\-]{0,2}")
_LONGEST_WORD = 4  # characters of a Chinese word
_DIGITS = 4  # of a number that is looked for again
_LONG_NUMBER = 7  # digits that no list, fraction or pair of readings has by chance
_PIECE = re.compile(r"[0-9A-Za-z]+")
_BETWEEN = re.compile(r"[ ,.()/\-‐-―]{0,2}")  # the pieces of a number
_APART = re.compile(r"[,，、;；/]")  # signs that stand between numbers too


class MentionFinder:
    """Finds further mentions of entities: of names, numbers and addresses that were found.

    Names, also without accents or apostrophes, in other case, as possessive or plural, in parts, by their nicknames;
    Chinese given names alone and family names with a title; numbers of four digits and more, written or spoken; all
    others in the words in which they were found. A name that is a word too counts in its own capitalised spelling
    within a sentence, or beside a title; one of three letters or fewer in its own spelling, or beside a title. A
    Chinese name does not count where it cuts a known word, and a number of fewer than seven digits not where a comma or
    a slash parts it, unless it was found so. A title alone is not looked for again.

    Args:
        entities: What was found, in any transcript; of it, what is kept is looked for.
    """

    def __init__(self, entities: Iterable[Entity]):
        self._forms: dict[str, list[Form]] = {}
        self._numbers: dict[str, Entity] = {}
        self._signs: dict[str, set[str]] = {}
        for entity in entities:
            if not entity.kept or entity.type in _not_repeated():
                continue
            for form in forms(entity):
                self._forms.setdefault(form.keys[0], []).append(form)
            reading = plain(entity.text)
            key = re.sub(r"[^0-9A-Z]", "", numbers(reading).text.upper())
            if sum(map(str.isdigit, key)) >= _DIGITS:
                self._numbers.setdefault(key, entity)
                self._signs.setdefault(key, set()).update(_APART.findall(reading.text))
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
        if not self._forms:
            return
        folded = fold(text)
        for place, token in enumerate(folded.tokens):
            for form in self._forms.get(token.key, ()):
                end = place + len(form.keys)
                if tuple(each.key for each in folded.tokens[place:end]) != form.keys:
                    continue
                gaps = folded.gaps(place, end)
                if gaps != form.gaps and not all(map(_GAP.fullmatch, gaps)):
                    continue
                start, stop = token.start, folded.tokens[end - 1].end
                if _counts(form, folded, place, spelled(text[start:stop]) if form.spelling else ""):
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
                before = piece
                if key in self._numbers:
                    start, end = reading.span(first.start(), piece.end())
                    signs = set(_APART.findall(plain(text[start:end]).text))
                    if len(key) >= _LONG_NUMBER or signs <= self._signs[key]:
                        yield self._numbers[key], start, end


def find_mentions(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """Find further mentions of a transcript's entities in it; see ``MentionFinder``."""
    return MentionFinder(entities)(text, entities)


def _counts(form: Form, folded: Folded, place: int, spelling: str) -> bool:
    """Return whether a form, whose keys stand at a place, is a mention there."""
    tokens = folded.tokens[place : place + len(form.keys)]
    start, end = tokens[0].line_start, tokens[-1].line_end
    if form.may_cut < 2 and _cut_edges(folded.line, start, end) > form.may_cut:
        return False
    if tokens[0].is_ideograph or not form.spelling:
        return not form.needs_title or _has_chinese_title(folded.line, start, end)
    is_spelled = spelling == form.spelling and not form.needs_title
    if is_spelled and not (form.within_sentence and _SENTENCE_START.search(folded.line[:start])):
        return True
    if _has_chinese_title(folded.line, start, end):
        return True
    return _has_title(folded, place, is_spelled)


def _has_title(folded: Folded, place: int, is_spelled: bool) -> bool:
    """Return whether a title stands before a word of a Latin name."""
    if not place:
        return False
    title, key, gap = folded.tokens[place - 1].key, folded.tokens[place].key, folded.gaps(place - 1, place + 1)[0]
    if title in known()["short_titles"]:
        return bool(_SHORT_TITLE_GAP.fullmatch(gap))
    is_name = is_spelled or key not in known()["after_titles"]
    return title in known()["titles"] and is_name and bool(_TITLE_GAP.fullmatch(gap))


def _has_chinese_title(line: str, start: int, end: int) -> bool:
    """Return whether a Chinese title stands behind a name, or before it such as 老 without being a part of a word."""
    if line[end : end + 8].lstrip(" ").startswith(known()["titles_zh"]):
        return True
    if not line.endswith(known()["before_zh"], 0, start):
        return False
    return line[start - 1 : end] not in known()["words_zh"] and not _cut_edges(line, start - 1, end)


def _cut_edges(line: str, start: int, end: int) -> int:
    """Return how many edges of a span have a known Chinese word over them that is longer than any beside the span."""
    words, lengths = known()["words_zh"], range(2, 1 + _LONGEST_WORD)

    def longest(places: Iterable[tuple[int, int]]) -> int:
        return max((b - a for a, b in places if 0 <= a < b <= len(line) and line[a:b] in words), default=0)

    def over(edge: int) -> int:
        return longest((edge - inside, edge - inside + length) for length in lengths for inside in range(1, length))

    before = longest((start - length, start) for length in lengths)
    behind = longest((end, end + length) for length in lengths)
    return (over(start) > before) + (over(end) > behind)


@cache
def _not_repeated() -> frozenset[str]:
    return frozenset(type_ for group in load_entity_groups() if group.name in _NOT_REPEATED for type_ in group.types)
