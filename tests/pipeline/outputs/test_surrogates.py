"""Surrogates: of the same kind, the same for the same name, never the real thing."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import submission
from pipeline.outputs.surrogates import Surrogates

TYPES = ["PATIENT", "DOCTOR", "FAMILYNAME", "PERSONALNAME", "DATE", "TIME", "AGE", "PHONE", "ID_NUMBER", "CITY"]
TYPES += ["HOSPITAL", "STREET", "DEPARTMENT", "EMAIL", "OTHER"]


@pytest.fixture
def surrogates() -> Surrogates:
    return Surrogates(7)


def test_the_same_name_gets_the_same_surrogate_whatever_its_type_and_company(surrogates):
    first, last = surrogates.replace("PATIENT", "Ann Lee").split(" ")
    assert surrogates.replace("DOCTOR", "Lee") == last and surrogates.replace("PERSONALNAME", "Ann") == first
    assert surrogates.replace("PATIENT", "ann lee") == f"{first} {last}".lower()
    assert surrogates.replace("DOCTOR", "Dr. Lee") == f"Dr. {last}"
    assert {first, last}.isdisjoint({"Ann", "Lee"})


def test_chinese_names_keep_family_and_given_name_and_title(surrogates):
    name = surrogates.replace("PATIENT", "王小明")
    assert re.fullmatch(r"[\u4e00-\u9fff]{2,4}", name) and name[0] != "王" and "小明" not in name
    assert surrogates.replace("DOCTOR", "王醫師") == f"{name[0]}醫師"
    assert surrogates.replace("PERSONALNAME", "小明") == name[1:]


def test_different_names_get_different_surrogates(surrogates):
    names = [f"Na{chr(97 + i)}{chr(97 + j)}" for i in range(10) for j in range(10)]
    assert len({surrogates.replace("FAMILYNAME", name) for name in names}) == 100


def test_a_seed_gives_the_same_surrogates_again_and_another_others():
    entities = [("PATIENT", "Ann Lee"), ("PHONE", "0912-345-678"), ("DATE", "May 5"), ("PATIENT", "王小明")]
    made = [[Surrogates(seed).replace(*entity) for entity in entities] for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_a_surrogate_depends_on_the_names_before_it_so_that_names_cannot_be_tried():
    one, other = Surrogates(1), Surrogates(1)
    other.replace("PERSONALNAME", "Bob")
    assert one.replace("PERSONALNAME", "Ann") != other.replace("PERSONALNAME", "Ann")


@settings(deadline=None)
@given(st.from_regex(r"[A-Z]{0,2}[0-9]{2,10}(-[0-9]{1,4}){0,2}", fullmatch=True), st.integers(0, 99))
def test_numbers_keep_their_shape(number, seed):
    made = Surrogates(seed).replace("ID_NUMBER", number)
    shape = re.sub(r"[A-Z]", "A", re.sub(r"[0-9]", "0", number))
    assert re.sub(r"[A-Z]", "A", re.sub(r"[0-9]", "0", made)) == shape and made != number


def test_dates_move_by_as_much_everywhere():
    surrogates = Surrogates(3)
    english = surrogates.replace("DATE", "the 22nd of May 2015")
    day, month, year = re.fullmatch(r"the (\d+)(?:st|nd|rd|th) of (\w+) (\d{4})", english).groups()
    assert month != "May" and day != "22" and 1 <= abs(int(year) - 2015) <= 4
    assert surrogates.replace("DATE", "May 22, 2016") == f"{month} {day}, {int(year) + 1}"
    chinese = surrogates.replace("DATE", "二〇一五年五月二十二號")
    assert re.fullmatch(r"二〇[一二]\w年\w+月\w+號", chinese) and chinese != "二〇一五年五月二十二號"
    assert surrogates.replace("DATE", "last Friday").startswith("last ")
    assert re.fullmatch("上星期[一二四五六日]", surrogates.replace("DATE", "上星期三"))


@pytest.mark.parametrize("text", ["now", "yesterday", "Christmas", "three days before Christmas", "中秋節", "國慶日"])
def test_what_has_no_surrogate_or_would_stay_in_part_becomes_its_placeholder(surrogates, text):
    assert surrogates.replace("DATE", text) == "[DATE]"


LINE = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=12).map(str.strip).filter(bool)


@settings(deadline=None)
@given(st.sampled_from(TYPES), LINE, st.integers(0, 9))
def test_no_text_breaks_it_or_comes_back(type_, text, seed):
    made = Surrogates(seed).replace(type_, text)
    assert made.strip() and made.casefold() != text.casefold() and "\n" not in made


def test_real_labels_in_both_languages_never_come_back(shared):
    surrogates = Surrogates(11)
    labels = submission.read_task2(str(shared / "corpus" / "train2" / "task2_answer.txt")).to_pylist()
    made = {(row["type"], row["text"]): surrogates.replace(row["type"], row["text"]) for row in labels if row["text"]}
    assert len(made) > 400 and all(new.casefold() != text.casefold() for (_, text), new in made.items())
    names = {text: new for (type_, text), new in made.items() if type_ in ("PATIENT", "DOCTOR")}
    for text, new in names.items():
        assert not new.startswith("[")
        assert bool(re.search(r"[\u4e00-\u9fff]", text)) == bool(re.search(r"[\u4e00-\u9fff]", new))


def test_a_possessive_is_the_same_person_and_a_zero_in_chinese_stays_chinese():
    surrogates = Surrogates(7)
    assert surrogates.replace("PATIENT", "Ann's") == surrogates.replace("PATIENT", "Ann") + "'s"
    assert set(surrogates.replace("PHONE", "〇九一二三四五")) <= set("〇零一二三四五六七八九")
