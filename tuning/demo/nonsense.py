"""Text without a meaning, which teaches the demo's tagger that a word is no entity just because it is new."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from string import ascii_lowercase

from faker.providers.lorem import en_US, zh_TW

from pipeline.corpus.grammar import Sentence

_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)?|[^\W\d_]")  # a Latin word or a Chinese character
_MARKS = [",", ",", ".", ".", "?", "!", "...", ";", ":", "’s", "'t", " -", '"', "，", "。", "？"]
CHINESE = 0.4  # share of texts that are in Chinese, some words aside
SAID, AGAIN, LOREM = 0.3, 0.3, 0.3  # shares of draws: what the clinic says, the text so far, Faker; the rest: letters
_ENTITIES = re.compile(
    "American|agent|artist|attorney|author|century|coach|decade|director|evening|executive|expert|fall|lawyer|manager|"
    "officer|owner|player|police|president|professor|scientist|season|soldier|spring|summer|teacher|today|tonight|"
    "worker|writer|上海|今天|今年|作者|台北|台灣|日本|深圳|美國|記者"
)
"""Words of Faker's that are entities, though the clinic does not say them."""


class Nonsense:
    """Makes text to copy, in which nothing is tagged and much is said again."""

    def __init__(self, sentences: list[Sentence]):
        """Take what the clinic says beside its entities, and the words of Faker's that it says there more often."""
        self._said: tuple[list[list[str]], list[list[str]]] = ([], [])  # in English, in Chinese
        beside, tagged = Counter[str](), Counter[str]()
        for sentence in sentences:
            for text, is_entity in _pieces(sentence):
                words = _WORD.findall(text)
                (tagged if is_entity else beside).update(map(str.lower, words))
                if words and not is_entity:
                    self._said[not sentence.text.isascii()].append(words)

        def is_free(word: str) -> bool:
            parts = _WORD.findall(word.lower())
            return not _ENTITIES.fullmatch(word) and all(tagged[part] <= beside[part] for part in parts)

        self._words = [list(filter(is_free, provider.Provider.word_list)) for provider in (en_US, zh_TW)]

    def text(self, words: int, lot: random.Random) -> Sentence:
        """Draw a text of at least so many words: the clinic's, Faker's and made-up ones, with marks between them."""
        chinese = lot.random() < CHINESE
        text, before = "", list[str]()
        while len(before) < words:
            kind = lot.random()
            if kind < SAID + AGAIN:
                said = before if before and kind < AGAIN else lot.choice(self._said[chinese])
                start = lot.randrange(len(said))
                some = said[start : start + lot.randint(1, 4)]
            elif kind < SAID + AGAIN + LOREM:
                some = [lot.choice(self._words[chinese and lot.random() < 0.9])]
            else:
                some = ["".join(lot.choices(ascii_lowercase, k=lot.randint(2, 9)))]
            for word in some:
                if lot.random() < 0.1:
                    word = word.capitalize()
                joined = not text or not (text[-1].isascii() or word[0].isascii())
                text += word if joined else f" {word}"
            text += lot.choice(_MARKS) if lot.random() < 0.2 else ""
            before += some
        return Sentence(text, ())


def _pieces(sentence: Sentence) -> Iterator[tuple[str, bool]]:
    """Yield a sentence's text in pieces, and whether each is an entity."""
    end = 0
    for span in sentence.spans:
        yield sentence.text[end : span.char_start], False
        yield sentence.text[span.char_start : span.char_end], True
        end = span.char_end
    yield sentence.text[end:], False
