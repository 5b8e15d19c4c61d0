"""Text without a meaning, from which the demo's tagger learns that what is new to it is not for that an entity."""

import random
import re
from collections import Counter
from itertools import pairwise

from faker.providers.lorem import en_US, zh_TW

from pipeline.corpus.grammar import Sentence

_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)?|[^\W\d_]")  # a Latin word or a Chinese character
_LETTERS, _ASCII = "abcdefghijklmnopqrstuvwxyz", "\x7f"
_MARKS = [",", ",", ".", ".", "?", "!", "...", ";", ":", "’s", "'t", " -", '"', "，", "。", "？"]
CHINESE = 0.4  # share of texts
SAID, AGAIN, LOREM = 0.3, 0.3, 0.3  # shares in a text: of the clinic's words, of those before them again, of Faker's


class Nonsense:
    """Makes text that has no entity, and says the same things again: there is nothing in it but to copy."""

    def __init__(self, sentences: list[Sentence]):
        """Take what the clinic says beside its entities, and Faker's words that it does not say in them."""
        self._said: tuple[list[list[str]], list[list[str]]] = ([], [])  # in English, in Chinese
        named = Counter[str]()
        for sentence in sentences:
            bounds = [0, *(bound for span in sentence.spans for bound in (span.char_start, span.char_end))]
            bounds.append(len(sentence.text))
            for i, (start, end) in enumerate(pairwise(bounds)):
                words = _WORD.findall(sentence.text[start:end])
                named.update({word.lower(): 1 if i % 2 else -1 for word in words})
                if words and not i % 2:
                    self._said[not sentence.text.isascii()].append(words)
        self._words = [
            [
                word
                for word in provider.Provider.word_list
                if all(named[part.lower()] <= 0 for part in _WORD.findall(word))
            ]
            for provider in (en_US, zh_TW)
        ]

    def text(self, words: int, lot: random.Random) -> Sentence:
        """Draw at least so many words of a language, of the clinic and of none, with marks between them."""
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
                some = ["".join(lot.choices(_LETTERS, k=lot.randint(2, 9)))]
            for word in some:
                if lot.random() < 0.1:
                    word = word.capitalize()
                space = "" if not text or text[-1] in "'’" or (text[-1] > _ASCII and word[0] > _ASCII) else " "
                text += space + word
            text += lot.choice(_MARKS) if lot.random() < 0.2 else ""
            before += some
        return Sentence(text, ())
