"""Surrogates of names, and what holds for all: of the same kind, the same for the same name, never the real thing."""

import re
import unicodedata

import opencc
import pytest
from faker.providers.person.en_US import Provider as English
from faker.providers.person.zh_TW import Provider as Chinese
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import submission
from pipeline.outputs.surrogates import Surrogates

TYPES = ["PATIENT", "DOCTOR", "FAMILYNAME", "PERSONALNAME", "DATE", "TIME", "DURATION", "SET", "AGE", "PHONE", "FAX"]
TYPES += ["ID_NUMBER", "ROOM", "ACCOUNT_NUMBER", "CITY", "HOSPITAL", "STREET", "DEPARTMENT", "EMAIL", "OTHER"]


@pytest.fixture
def replace():
    return Surrogates(7).of("1")


def test_the_same_name_gets_the_same_surrogate_whatever_its_type_and_company(replace):
    first, last = replace("PATIENT", "Ann Lee").split(" ")
    assert replace("DOCTOR", "Lee") == last and replace("PERSONALNAME", "Ann") == first
    assert replace("PATIENT", "ann lee") == f"{first} {last}".lower()
    assert replace("PATIENT", "ANN LEE") == f"{first} {last}".upper()
    assert replace("DOCTOR", "Dr. Lee") == f"Dr. {last}" and replace("PATIENT", "Ann's") == f"{first}'s"
    assert {first, last}.isdisjoint({"Ann", "Lee"})


def test_a_person_has_one_name_in_all_recordings_of_a_run():
    surrogates = Surrogates(7)
    assert surrogates.of("1")("PATIENT", "Ann Lee") == surrogates.of("2")("PATIENT", "Ann Lee")
    assert surrogates.of("1")("ID_NUMBER", "5520417") == surrogates.of("2")("ID_NUMBER", "5520417")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("O'Brien", "O’Brien"),
        ("O'Brien", "OʼBrien"),
        ("José", unicodedata.normalize("NFD", "José")),
        ("Ｌｅｅ", "Lee"),
        ("José", "Jose"),
        ("O'Brien", "Obrien"),
        ("歐陽", "欧阳"),
        ("歐陽娜娜", "欧阳娜娜"),
        ("陳", "陈"),
    ],
)
def test_spellings_of_a_name_are_one_name(replace, one, other):
    assert replace("FAMILYNAME", one) == replace("FAMILYNAME", other)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("James", English.first_names_male),
        ("Jennifer", English.first_names_female),
        ("志明", Chinese.first_names_male),
        ("淑芬", Chinese.first_names_female),
    ],
)
def test_a_first_name_keeps_its_gender_and_language(name, names):
    for seed in range(20):
        made = Surrogates(seed).of("1")("DOCTOR", name)
        assert made in names and made != name


@pytest.mark.parametrize("name", ["王", "王明", "王小明", "歐陽小明", "麥可傑克森", "王小明先生", "王医师"])
def test_a_chinese_name_keeps_its_length_and_title(replace, name):
    made = replace("PATIENT", name)
    assert re.fullmatch(r"[\u4e00-\u9fff]+", made) and len(made) == len(name) and made != name
    assert made[3:] == name[3:] if "先生" in name else made[1:] == name[1:] if "医师" in name else True


def test_chinese_names_keep_family_and_given_name(replace):
    name = replace("PATIENT", "王小明")
    assert name[0] != "王" and "小明" not in name
    assert replace("DOCTOR", "王醫師") == f"{name[0]}醫師"
    assert replace("PERSONALNAME", "小明") == name[1:]


def test_an_address_has_one_surrogate_written_and_spoken(replace):
    assert replace("EMAIL", "mary@example.org") == replace("EMAIL", "mary at example dot org")


def test_a_family_has_one_name_alone_with_hyphens_and_in_the_plural(replace):
    one, other = replace("PATIENT", "Smith-Jones").split("-")
    assert replace("PATIENT", "Jones") == other and replace("DOCTOR", "Ann Smith").endswith(f" {one}")
    assert {one, other} <= {*English.last_names}
    wexford = replace("DOCTOR", "Wexford")
    assert replace("PATIENT", "the Wexfords") in (f"the {wexford}s", f"the {wexford}es")
    assert replace("FAMILYNAME", "Williams") != replace("FAMILYNAME", "William") + "s"  # both are names of their own


def test_a_chinese_nickname_has_the_family_name_and_a_short_name_the_given_one(replace):
    name = replace("PATIENT", "王小明")
    assert replace("PATIENT", "司馬光")[:2] == replace("PATIENT", "司馬小姐")[:2]
    assert replace("PATIENT", "小王") == f"小{name[0]}" and replace("PATIENT", "老王先生") == f"老{name[0]}先生"
    given = replace("PATIENT", "陳小文")[1:]
    assert replace("PATIENT", "小文") == given  # 文 is a family name too


@pytest.mark.parametrize("script", ["t2s", "t2tw"])
def test_no_part_of_a_chinese_name_is_in_its_surrogate_in_either_script(script):
    written, simplified = opencc.OpenCC(script).convert, opencc.OpenCC("t2s").convert
    families = [*Chinese.last_names, "歐陽", "司馬", "諸葛"]
    for seed in range(2):
        replace = Surrogates(seed).of("1")
        for family in families:
            for name in (family, f"{family}小姐", f"{family}娜娜", f"{family}明"):
                made = replace("PATIENT", written(name)).removesuffix("小姐")
                assert set(simplified(name.removesuffix("小姐"))).isdisjoint(simplified(made))


def test_no_part_of_an_english_name_is_in_its_surrogate():
    for seed in range(2):
        replace = Surrogates(seed).of("1")
        for first, last in zip(English.first_names, English.last_names, strict=False):
            for name in (first, f"{first} {last}", f"{last}-{first}"):
                assert {*re.split("[ -]", name)}.isdisjoint(re.split("[ -]", replace("PATIENT", name)))


@pytest.mark.parametrize(
    ("type_", "text", "part"),
    [
        ("CITY", "臺北市", "台北|臺北"),
        ("HOSPITAL", "台北榮民總醫院", "台北|臺北"),
        ("STREET", "動物園路", "動物"),
        ("HOSPITAL", "Smith Memorial Hospital", "Smith"),
        ("EMAIL", "smith@example.org", "smith"),
        ("COUNTRY", "義大利", "義大"),
        ("ORGANIZATION", "台灣電信有限公司", "台灣|電信"),
    ],
)
def test_no_part_of_a_place_or_address_is_in_its_surrogate(type_, text, part):
    for seed in range(100):
        made = Surrogates(seed).of("1")(type_, text)
        assert not re.search(part, made) and not made.startswith("[")


def test_different_names_get_different_surrogates(replace):
    names = [f"Na{chr(97 + i)}{chr(97 + j)}" for i in range(10) for j in range(10)]
    assert len({replace("FAMILYNAME", name) for name in names}) == 100


def test_a_seed_gives_the_same_surrogates_again_and_another_others():
    entities = [("PATIENT", "Ann Lee"), ("PHONE", "0912-345-678"), ("DATE", "May 5, 2020"), ("PATIENT", "王小明")]
    made = [[Surrogates(seed).of("1")(*entity) for entity in entities] for seed in (1, 1, 2)]
    assert made[0] == made[1] and all(one != other for one, other in zip(made[0], made[2], strict=True))


def test_a_surrogate_depends_on_the_names_before_it_so_that_names_cannot_be_tried():
    one, other = Surrogates(1).of("1"), Surrogates(1).of("1")
    other("PERSONALNAME", "Bob")
    assert one("PERSONALNAME", "Ann") != other("PERSONALNAME", "Ann")


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("DATE", "now"),
        ("DATE", "yesterday"),
        ("DATE", "last week"),
        ("DATE", "one day"),
        ("DATE", "Christmas"),
        ("TIME", "noon"),
        ("SET", "every other day"),
        ("SET", "24/7"),
        ("DURATION", "24/7"),
        ("DURATION", "1/2 hour"),
        ("AGE", "newborn"),
        ("ROOM", "the Garden Room"),
        ("DEPARTMENT", "Stroke Unit"),
    ],
)
def test_what_has_no_surrogate_becomes_its_placeholder(replace, type_, text):
    assert replace(type_, text) == f"[{type_}]"


def test_a_day_in_how_often_something_happens_moves_as_in_a_date(replace):
    assert replace("SET", "每週一、三") == replace("DATE", "每週一、三") != "[SET]"
    assert replace("SET", "every Tuesday") == "every " + replace("DATE", "Tuesday")


LINE = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=12).map(str.strip).filter(bool)
WORDS = [
    "ten",
    "29",
    "29th",
    "twenty",
    "May",
    "/",
    "-",
    " ",
    ".",
    ":",
    "to",
    "年",
    "月",
    "三十",
    "民國",
    "a",
    "hundred",
    "years",
]
WORDS += [
    "歲",
    "點",
    "second",
    "day",
    "s",
    "double",
    "oh",
    "A",
    "+",
    "Friday",
    "百",
    "零",
    "2024",
    "pm",
    "下午",
    "兩三",
    "半",
    "'",
]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(TYPES), LINE | st.lists(st.sampled_from(WORDS), max_size=7).map("".join), st.integers(0, 9))
def test_no_text_breaks_it_or_comes_back(type_, text, seed):
    made = Surrogates(seed).of("1")(type_, text)
    assert made.strip() and made.casefold() != text.casefold() and "\n" not in made


def test_real_labels_in_both_languages_never_come_back(shared):
    replace = Surrogates(11).of("1")
    labels = submission.read_task2(str(shared / "corpus" / "train2" / "task2_answer.txt")).to_pylist()
    made = {(row["type"], row["text"]): replace(row["type"], row["text"]) for row in labels if row["text"]}
    assert len(made) > 400 and all(new.casefold() != text.casefold() for (_, text), new in made.items())
    names = {text: new for (type_, text), new in made.items() if type_ in ("PATIENT", "DOCTOR")}
    for text, new in names.items():
        assert not new.startswith("[")
        assert bool(re.search(r"[\u4e00-\u9fff]", text)) == bool(re.search(r"[\u4e00-\u9fff]", new))
