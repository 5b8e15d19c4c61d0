"""Text without a meaning for the demo's tagger."""

import random
import re
from itertools import pairwise

import pytest

from pipeline.corpus.grammar import Grammar, Sentence
from pipeline.tagging.entities import Span
from tuning.demo.nonsense import Nonsense


def test_words_of_entities_are_left_out_and_those_beside_them_are_not():
    sentence = Sentence("the teacher wakes at night", (Span("PROFESSION", 4, 11), Span("TIME", 21, 26)))
    nonsense = Nonsense([sentence, Sentence("他說話", ())])
    lot = random.Random(3)
    words = {word for _ in range(1500) for word in nonsense.text(30, lot).text.lower().split()}
    assert {"the", "wakes", "at", "street"} <= words
    assert not {"teacher", "night", "president"} & words


@pytest.mark.parametrize("words", [1, 2, 30])
def test_a_text_has_the_words_asked_for_and_nothing_to_find(words):
    grammars = (Grammar("en"), Grammar("zh"))
    lot = random.Random(5)
    nonsense = Nonsense([grammar.sentence(lot, "training") for grammar in grammars for _ in range(50)])
    for number in range(100):
        made = nonsense.text(words, random.Random(number))
        assert made == nonsense.text(words, random.Random(number))
        assert made.spans == ()
        assert made.text.strip() == made.text
        assert len(re.findall(r"[A-Za-z'’]+|[\u4e00-\u9fff]", made.text)) >= words


def test_a_text_says_the_same_things_again():
    grammars = (Grammar("en"), Grammar("zh"))
    lot = random.Random(11)
    nonsense = Nonsense([grammar.sentence(lot, "training") for grammar in grammars for _ in range(50)])
    texts = [nonsense.text(40, lot).text.lower() for _ in range(50)]
    pairs = [list(pairwise(text.split())) for text in texts if text.isascii()]
    assert len(pairs) > 5
    assert sum(len(some) - len(set(some)) for some in pairs) > 0.1 * sum(map(len, pairs))
