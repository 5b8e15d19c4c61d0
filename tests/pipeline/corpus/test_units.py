"""How texts are compared: what counts as the same, and that units know their characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.units import join, units


def same(one: str, other: str) -> bool:
    return join(units(one)) == join(units(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Last Tuesday", "last tuesday"),
        ("R.I.", "RI"),
        ("six-hour", "six hour"),
        ("ＣＴ", "ct"),
        ("José", "Jose\u0301"),
        ("José", "Jose"),
        ("10 minutes", "ten minutes"),
        ("twenty-five", "25"),
        ("nineteen ninety eight", "1998"),
        ("two hundred and five", "205"),
        ("the twenty first", "the 21st"),
        ("10,000", "ten thousand"),
        ("6:30", "six thirty"),
        ("630", "6:30"),
        ("11 o'clock", "11:00"),
        ("eleven o’clock", "11"),
        ("forties", "40s"),
        ("4:30 a.m.", "430am"),
        ("十一點半", "11點半"),
        ("兩個月", "2個月"),
        ("二〇一五年", "2015年"),
        ("一百二十", "120"),
        ("臺北", "台北"),
        ("万醫師", "萬醫師"),
        ("O'Brien", "obrien"),
        ("廿三", "二十三"),
        ("廿日", "20日"),
        ("卅", "三十"),
        ("half past ten", "10:30"),
        ("half past ten", "ten thirty"),
        ("quarter to five", "4:45"),
        ("a quarter to one", "12:45"),
        ("a quarter past six", "6:15"),
        ("ten past six", "6:10"),
        ("five minutes past six", "6:05"),
        ("two and a half years", "2.5 years"),
        ("two hours and a half", "two and a half hours"),
        ("12hrs", "12 hours"),
        ("12hrs", "twelve hours"),
        ("20mins", "twenty minutes"),
        ("2:30pm", "2:30 p.m."),
        ("十點半", "10:30"),
        ("三點一刻", "3:15"),
        ("三點三刻", "3:45"),
        ("三點零五分", "3:05"),
        ("六點整", "6:00"),
        ("兩個半小時", "2.5小時"),
        ("兩年半", "2.5年"),
    ],
)
def test_these_are_the_same(one, other):
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("now", "know"),
        ("ten", "tenth"),
        ("11", "12"),
        ("三", "四"),
        ("6:30", "6"),
        ("ten to twelve days", "11:50 days"),
        ("a week and a half to two weeks", "a week and a 1:30 weeks"),
        ("三點五分鐘", "3:05"),
        ("B12", "12"),
    ],
)
def test_these_are_not(one, other):
    assert not same(one, other)


def test_numbers_apart_by_punctuation_stay_apart():
    assert [unit.text for unit in units("twenty, five")] == ["20", "5"]


def test_a_number_and_its_measure_are_two_units_where_they_are_written_as_one_word():
    assert [unit.text for unit in units("12hrs of B12 at 10am")] == ["12", "hours", "of", "b12", "at", "10", "am"]


def test_a_unit_knows_its_characters_in_the_text_as_it_stands():
    text = "Dr. Lee said twenty-five 十一點"
    assert [text[u.char_start : u.char_end] for u in units(text)] == ["Dr", "Lee", "said", "twenty-five", "十一", "點"]


@given(st.text(max_size=60))
def test_units_of_any_text_are_in_order_and_within_it(text):
    end = 0
    for unit in units(text):
        assert end <= unit.char_start < unit.char_end <= len(text)
        end = unit.char_end
