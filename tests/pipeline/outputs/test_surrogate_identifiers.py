"""Surrogates of numbers and codes: other digits and letters in their places, valid where the old one was."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.outputs.surrogate_identifiers import other_identifier
from pipeline.outputs.surrogate_words import NoSurrogateError
from pipeline.tagging import spoken
from pipeline.tagging.checks import check_by_name

SEEDS = range(10)


def others(type_: str, text: str) -> list[str]:
    return [other_identifier(type_, text, random.Random(seed), {}) for seed in SEEDS]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("bed nine", r"bed (one|two|three|four|five|six|seven|eight)"),
        ("Room 12B", r"Room [1-9]\d[A-Z]"),
        ("Ward 7", r"Ward [1-9]"),
        ("room twelve", r"room [a-z]+(-[a-z]+)?"),
        ("room one oh two", r"room [a-z]+ [a-z]+ [a-z]+"),
        ("ICU 3", r"ICU [1-9]"),
        ("第三診間", r"第[一二四五六七八九]診間"),
        ("二十三床", r"[一二三四五六七八九]?十[一二三四五六七八九]?床"),
        ("302病房", r"\d{3}病房"),
        ("A4", r"[A-Z][1-9]"),
    ],
)
def test_a_room_keeps_its_words_and_gets_another_number(text, form):
    for made in others("ROOM", text):
        assert re.fullmatch(form, made) and made != text


@pytest.mark.parametrize(
    ("type_", "text", "form"),
    [
        ("DEVICE_ID", "QX7731 04", r"[A-Z]{2}\d{4} \d\d"),
        ("DEVICE_ID", "00:1B:44:11:3A:B7", r"[0-9A-F]{2}(:[0-9A-F]{2}){5}"),
        ("VEHICLE_ID", "ABC-1234", r"[A-Z]{3}-\d{4}"),
        ("VEHICLE_ID", "八九七 M K L", r"[零一二三四五六七八九]{3}( [A-Z]){3}"),
        ("LICENSE_NUMBER", "醫字第012345號", r"醫字第\d{6}號"),
        ("ID_NUMBER", "abc123", r"[a-z]{3}\d{3}"),
        ("ID_NUMBER", "alpha bravo one two", r"[a-z]+ [a-z]+ [a-z]+ [a-z]+"),
        ("PHONE", "02 2345 6789 extension one two", r"02 \d{4} \d{4} extension [a-z]+ [a-z]+"),
    ],
)
def test_letters_and_digits_keep_their_places(type_, text, form):
    for made in others(type_, text):
        assert re.fullmatch(form, made) and made != text


@pytest.mark.parametrize(
    ("check", "type_", "text"),
    [
        ("stdnum luhn", "ACCOUNT_NUMBER", "4111 1111 1111 1111"),
        ("stdnum luhn", "ACCOUNT_NUMBER", "3782-822463-10005"),
        ("stdnum luhn", "ACCOUNT_NUMBER", "four one one one, one one, double one, one one one one, one one one one"),
        ("stdnum luhn", "ACCOUNT_NUMBER", "四一一一一一一一一一一一一一一一"),
        ("stdnum imei", "DEVICE_ID", "49 015420 323751 8"),
        ("stdnum gb.nhs", "HEALTH_PLAN_NUMBER", "943 476 5870"),
        ("stdnum au.tfn", "ID_NUMBER", "123 456 782"),
        ("stdnum us.ssn", "SOCIAL_SECURITY_NUMBER", "536-90-4399"),
        ("stdnum iban", "ACCOUNT_NUMBER", "GB82 WEST 1234 5698 7654 32"),
        ("stdnum iban", "ACCOUNT_NUMBER", "DE89370400440532013000"),
        ("taiwan-id", "ID_NUMBER", "A123456789"),
        ("taiwan-id", "ID_NUMBER", "A一二三四五六七八九"),
        ("taiwan-id", "ID_NUMBER", "A one two three, four five six, seven eight nine"),
        ("medicare-card", "HEALTH_PLAN_NUMBER", "2123 45670 1"),
        ("medicare-card", "HEALTH_PLAN_NUMBER", "two one two three, four five six seven oh, one"),
        ("phone AU", "PHONE", "0491 570 156"),
        ("phone AU", "PHONE", "oh four nine one, five seven oh, one five six"),
        ("phone AU", "PHONE", "zero four nine one five double seven one five six"),
        ("phone AU", "PHONE", "+61 491 570 156"),
        ("phone TW", "PHONE", "0912-345-678"),
        ("phone TW", "PHONE", "零二二三四五六七八九"),
        ("phone TW", "PHONE", "plus eight eight six nine one two three four five six seven eight"),
        ("phone US", "PHONE", "(415) 555-2671"),
    ],
)
def test_what_passes_a_check_passes_it_afterwards_written_or_spoken(check, type_, text):
    passes = check_by_name(check)
    assert passes(compact(text))
    for made in others(type_, text):
        assert passes(compact(made)) and made != text


def compact(text: str) -> str:
    return re.sub("[^0-9A-Z+]", "", spoken.numbers(spoken.plain(text)).text)


def test_a_provider_number_keeps_its_check_digit():
    luhn = check_by_name("stdnum luhn")
    assert all(luhn("80840" + made) for made in others("LICENSE_NUMBER", "1234567893"))


@given(st.from_regex(r"[A-Z]{0,2}[0-9]{2,10}(-[0-9]{1,4}){0,2}", fullmatch=True), st.integers(0, 99))
def test_numbers_keep_their_shape(number, seed):
    made = other_identifier("ID_NUMBER", number, random.Random(seed), {})
    shape = re.sub(r"[A-Z]", "A", re.sub(r"[0-9]", "0", number))
    assert re.sub(r"[A-Z]", "A", re.sub(r"[0-9]", "0", made)) == shape


@pytest.mark.parametrize("sign", ["#", " # ", "＃", " hash ", "井字", "轉", " ext. ", "x", "分機"])
@pytest.mark.parametrize("number", ["02-2345-6789", "+886 2 2345 6789", "(02)2345-6789"])
def test_a_phone_number_before_an_extension_stays_valid(number, sign):
    for made in others("PHONE", f"{number}{sign}123"):
        before, between, behind = made.partition(sign)
        assert check_by_name("phone TW")(before) and between and re.fullmatch(r"\d{3}", behind)


@pytest.mark.parametrize(
    "text",
    [
        "1-800-MEDICARE",
        "1-800-QUIT-NOW",
        "1800 MEDICARE",
        "one eight hundred medicare",
        "one eight hundred three five six nine three seven seven",
        "thirteen hundred nine seven five seven oh seven",
    ],
)
def test_a_phone_number_in_letters_or_hundreds_has_no_surrogate(text):
    with pytest.raises(NoSurrogateError):
        other_identifier("PHONE", text, random.Random(1), {})


@pytest.mark.parametrize("text", ["the Garden Room", "Sunflower 12", "床"])
def test_what_would_stay_in_part_has_no_surrogate(text):
    with pytest.raises(NoSurrogateError):
        other_identifier("ROOM", text, random.Random(1), {})


@pytest.mark.parametrize(
    ("type_", "one", "other"),
    [
        ("PHONE", "0491 570 156", "oh four nine one, five seven oh, one five six"),
        ("PHONE", "0491 570 156", "0491570156"),
        ("MEDICAL_RECORD_NUMBER", "330871", "三三零八七一"),
        ("ID_NUMBER", "A123456789", "A one two three four five six seven eight nine"),
    ],
)
def test_a_number_has_one_surrogate_written_and_spoken(type_, one, other):
    for seed in SEEDS:
        chance, known = random.Random(seed), dict[str, str]()
        made = [compact(other_identifier(type_, text, chance, known)) for text in (one, other, one)]
        assert made[0] == made[1] == made[2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0912-345-678", "+886 912 345 678"),
        ("+886 2 2345 6789", "02-2345-6789"),
        ("02-2345-6789#123", "02-2345-6789"),
        ("0491 570 156", "plus six one four nine one five seven oh one five six"),
        ("(415) 555-2671", "+1 415 555 2671"),
    ],
)
def test_a_phone_number_has_one_surrogate_with_and_without_country_and_extension(one, other):
    for seed in SEEDS:
        chance, known = random.Random(seed), dict[str, str]()
        made = [compact(other_identifier("PHONE", text, chance, known).partition("#")[0]) for text in (one, other)]
        assert made[0][-8:] == made[1][-8:]
