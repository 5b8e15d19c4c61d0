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
        ("nineteen oh five", "1905"),
        ("twenty-oh-five", "2005"),
        ("ten oh five", "10:05"),
        ("ten o five", "10:05"),
        ("five five five oh one oh nine", "555-0109"),
        ("two oh oh seven", "2007"),
        ("two point five", "2.5"),
        ("2 point 5", "2.5"),
        (".5", "zero point five"),
        ("a year and a half", "1.5 years"),
        ("one year and a half", "one and a half year"),
        ("1.5 year", "1.5 years"),
        ("two and a quarter hours", "2.25 hours"),
        ("two and three quarters hours", "2¾ hours"),
        ("2½ years", "2.5 years"),
        ("2 1/2 years", "two and a half years"),
        ("½", "0.5"),
        ("一年半", "1.5年"),
        ("一個小時半", "1.5小時"),
        ("兩個半月", "2.5個月"),
        ("12h", "12 hours"),
        ("12H", "twelve h"),
        ("1h", "1 hour"),
        ("5 min", "5 minutes"),
        ("a 12-hr shift", "a 12-hour shift"),
        ("HR department", "hr department"),
        ("08:30", "8:30"),
        ("6：30", "6:30"),
        ("10時30分", "10:30"),
        ("quarter till five", "4:45"),
        ("零九一二三四五六七八", "0912345678"),
        ("三四天", "3-4天"),
        ("1,200", "twelve hundred"),
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
        ("2.5 years", "25 years"),
        ("two and a half", "25"),
        ("two point five", "25"),
        ("一年半", "15年"),
        ("2½", "212"),
        (".5 hours", "5 hours"),
        ("1,200", "1.200"),
        ("3/4", "34"),
        ("3:4", "34"),
        ("3-4 days", "34 days"),
        ("三四天", "34天"),
        ("ten, oh, five", "10:05"),
        ("十點，半小時", "10:30小時"),
        ("H", "hours"),
        ("Min", "minute"),
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
