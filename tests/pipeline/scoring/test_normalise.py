"""The forms in which texts are compared."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.scoring.normalise import mixed_tokens, normalise, normalise_entity

SOME_TEXT = st.text("abZ' ’,.-1２臺台你好ＡÉﬁ_\u3000\t《", max_size=20)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Lee,  at 10:30!", "dr lee at 10 30"),
        ("Don't say 'no' to the Smiths' dog", "don't say no to the smiths dog"),
        ("don’t", "don't"),
        ("rock 'n' roll 5'9", "rock n roll 5 9"),
        ("臺北醫院，１０點。", "台北醫院 10點"),
        ("二〇二四年", "二〇二四年"),
        ("snake_case\tand ＦＵＬＬ\u3000ｗｉｄｔｈ", "snake case and full width"),
        (" …!? ", ""),
    ],
)
def test_case_width_punctuation_and_the_two_forms_of_tai_do_not_count(text, expected):
    assert normalise(text) == expected


@settings(deadline=None, derandomize=True)
@given(SOME_TEXT)
def test_normalising_is_what_the_definition_says_character_by_character(text):
    plain = unicodedata.normalize("NFKC", text).lower().replace("臺", "台").replace("’", "'")
    kept = ""
    for before, character, after in zip(" " + plain, plain, plain[1:] + " ", strict=False):
        between_letters = character == "'" and before.isalpha() and after.isalpha()
        kept += character if character.isalpha() or character.isdigit() or between_letters else " "
    assert normalise(text) == " ".join(kept.split())


@settings(deadline=None, derandomize=True)
@given(SOME_TEXT)
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


def test_spaces_in_an_entity_do_not_count_where_there_is_chinese():
    assert normalise_entity("臺 大 醫院") == "台大醫院"
    assert normalise_entity(" Taipei  City ") == "taipei city"


def test_a_mixed_token_is_one_ideograph_or_one_word():
    assert mixed_tokens("我是Dr. Lee，住 台北city") == "我 是 Dr. Lee， 住 台 北 city"
    assert mixed_tokens(" ") == ""
