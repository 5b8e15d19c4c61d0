"""The sentences of the made-up clinic: labelled alike everywhere, with names and numbers kept for the test part."""

import random
import re

import pytest

from pipeline.speech.language import language_of
from pipeline.synthetic.grammar import Grammar
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.patterns import find, load_patterns

LANGUAGES = ("en", "zh")
TYPES = {type_ for group in load_entity_groups() for type_ in group.types}
CONTACTS = {"PHONE", "FAX", "EMAIL", "URL", "IPADDRESS"}
ALWAYS_TAGGED = ("DATE", "TIME", "DURATION", "SET", "PROFESSION")


@pytest.fixture(scope="module", params=LANGUAGES)
def grammar(request) -> Grammar:
    return Grammar(request.param)


def draw(grammar, part, count=3000):
    rng = random.Random(7)
    return [grammar.sentence(rng, part) for _ in range(count)]


def entities(sentences):
    return [(span.type, item.text[span.char_start : span.char_end]) for item in sentences for span in item.spans]


def test_all_types_are_said_in_both_languages(grammar):
    assert {type_ for type_, _ in entities(draw(grammar, "training"))} == TYPES | CONTACTS


def test_sentences_are_of_their_language_and_mix_in_mandarin():
    english, mandarin = (draw(Grammar(language), "training", 500) for language in LANGUAGES)
    assert {language_of(sentence.text) for sentence in english} == {"en"}
    assert {language_of(sentence.text) for sentence in mandarin} == {"zh"}
    assert 0.1 < sum(bool(re.search("[a-z]{2}", sentence.text)) for sentence in mandarin) / 500 < 0.4


def test_a_quarter_or_so_has_no_entity(grammar):
    sentences = draw(grammar, "training")
    assert 0.15 < sum(not sentence.spans for sentence in sentences) / len(sentences) < 0.35


def test_no_digit_is_written(grammar):
    assert not any(re.search(r"\d", sentence.text) for sentence in draw(grammar, "training"))


def test_names_of_the_test_part_are_in_half_of_its_names_and_nowhere_in_training(grammar):
    assert not any(grammar.has_test_name(sentence.text) for sentence in draw(grammar, "training"))
    patients = [text for type_, text in entities(draw(grammar, "test")) if type_ == "FAMILYNAME"]
    assert 0.3 < sum(map(grammar.has_test_name, patients)) / len(patients) < 0.7


def test_numbers_of_the_test_part_are_in_no_other(grammar):
    kinds = ("MEDICAL_RECORD_NUMBER", "ACCOUNT_NUMBER", "ID_NUMBER", "ZIP")
    training, test = (
        {text for type_, text in entities(draw(grammar, part)) if type_ in kinds} for part in ("training", "test")
    )
    assert len(test) > 100
    assert not training & test


def test_what_is_sensitive_is_tagged_wherever_it_is_said(grammar):
    sentences = draw(grammar, "training", 1500)
    said = {text for type_, text in entities(sentences) if type_ in ALWAYS_TAGGED}
    english = language_of(sentences[0].text) == "en"
    for sentence in sentences:
        rest = list(sentence.text)
        for span in sentence.spans:
            rest[span.char_start : span.char_end] = "|" * (span.char_end - span.char_start)
        untagged = "".join(rest)
        for phrase in said:
            found = re.search(rf"\b{re.escape(phrase)}\b", untagged) if english else phrase in untagged
            assert not found, phrase


def test_patterns_find_the_contacts_as_they_are_tagged(grammar):
    patterns = load_patterns()
    for sentence in draw(grammar, "training", 800):
        labelled = {(span.type, span.char_start, span.char_end) for span in sentence.spans if span.type in CONTACTS}
        found = find(patterns, sentence.text, language_of(sentence.text))
        assert {(e.type, e.char_start, e.char_end) for e in found if e.type in CONTACTS} == labelled


def test_the_same_seed_draws_the_same_sentences(grammar):
    assert draw(grammar, "test", 50) == draw(grammar, "test", 50)
