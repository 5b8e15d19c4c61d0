"""Surrogates of ages: near by up to 89, one category above."""

import pytest

from pipeline.outputs.surrogate_ages import other_age
from pipeline.outputs.surrogate_move import Move
from pipeline.outputs.surrogate_words import NoSurrogateError, read

MOVE = Move(days=59, hours=1, years=2, direction=1)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("65", "67"),
        ("sixty five", "sixty seven"),
        ("Sixty-five years old", "Sixty-seven years old"),
        ("65-year-old", "67-year-old"),
        ("65yo", "67yo"),
        ("六十五歲", "六十七歲"),
        ("６５歲", "６７歲"),
        ("十六", "十四"),
        ("12", "10"),
        ("17", "15"),
        ("89", "87"),
        ("0", "2"),
        ("five to six", "seven to eight"),
        ("七八歲", "六七歲"),
        ("80th", "82nd"),
        ("1 year", "3 years"),
        ("18 months", "15 months"),
        ("九個月大", "八個月大"),
        ("20s", "30s"),
        ("mid 40's", "mid 50's"),
        ("fifties", "sixties"),
        ("in his eighties", "in his seventies"),
        ("四十幾歲", "五十幾歲"),
        ("二十出頭", "三十出頭"),
        ("87 to 89", "85 to 87"),
        ("88 and 89", "86 and 87"),
        ("12 to 14", "11 to 13"),
        ("an eight year old", "a ten year old"),
        ("an 8-year-old", "a 10-year-old"),
        ("a 9 year old", "an 11 year old"),
        ("A seventy nine year old", "An eighty one year old"),
        ("a one year old", "a three year old"),
        ("one year old", "three years old"),
        ("an 11 month old", "a 9 month old"),
    ],
)
def test_an_age_up_to_89_becomes_one_near_by_in_the_same_form(text, other):
    assert other_age(text, MOVE) == other


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("90", "over 89"),
        ("105", "over 89"),
        ("one hundred and five", "over 89"),
        ("ninety", "over 89"),
        ("105 years old", "over 89 years old"),
        ("nearly 100", "over 89"),
        ("mid-nineties", "over 89"),
        ("in her 90s", "over 89"),
        ("88 to 92", "over 89"),
        ("九十五", "超過八十九"),
        ("一百零五歲", "超過八十九歲"),
        ("九十多歲", "超過八十九歲"),
        ("105歲", "89歲以上"),
    ],
)
def test_ages_above_89_are_one_category(text, other):
    assert other_age(text, MOVE) == other


@pytest.mark.parametrize(
    "text",
    [
        "one oh five",
        "六七十歲",
        "三、四十歲",
        "十幾歲",
        "近百歲",
        "forty winks",
        "200 days old",
        "17 to 18",
        "five/six years old",
        "3 1/2 years",
    ],
)
def test_what_is_no_age_or_may_be_a_high_one_has_no_surrogate(text):
    with pytest.raises(NoSurrogateError):
        other_age(text, MOVE)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("3 years old", "1 year old"),
        ("three years old", "one year old"),
        ("Three Yrs Old", "One Yr Old"),
        ("3 years and 2 months", "1 year and 3 months"),
        ("3yo", "1yo"),
        ("a 13 to 15 year old", "a 15 to 17 year old"),
        ("三歲", "一歲"),
    ],
)
def test_an_age_of_one_has_a_year_and_no_years(text, other):
    assert other_age(text, Move(days=-59, hours=-1, years=-2, direction=-1)) == other


@pytest.mark.parametrize("years", [-2, -1, 1, 2])
def test_children_stay_children_and_adults_adults(years):
    move = Move(days=59, hours=1, years=years, direction=1)
    for age in range(90):
        made = read(other_age(str(age), move))[0].value
        assert made != age and abs(made - age) <= 2 and made <= 89 and (made < 18) == (age < 18)
