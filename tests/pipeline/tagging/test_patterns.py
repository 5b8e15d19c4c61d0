import pickle
import re
from pathlib import Path

import phonenumbers
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.speech.language import language_of
from pipeline.tagging.entities import parse
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.patterns import Pattern, find, load_patterns

PATTERNS = load_patterns()
FORMS_OF_NUMBERS = yaml.safe_load(Path(__file__).with_name("number_forms.yaml").read_text(encoding="utf-8"))
CONTACT = {"PHONE", "FAX", "EMAIL", "URL", "IPADDRESS"}
ONE = """
- name: badge
  type: ID_NUMBER
  languages: [en, zh]
  reads: numbers
  pattern: B ?[0-9]{4}
  case: match
  confidence: 0.6
  context: [badge]
  in_context: 0.9
  examples:
    - "badge <ID_NUMBER>B 1842</ID_NUMBER>"
"""


def found(text: str, language: str = "en") -> list[tuple[str, str]]:
    return [(entity.type, entity.text) for entity in find(PATTERNS, text, language)]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
class TestBuiltInPatterns:
    def test_it_shows_what_it_finds(self, pattern: Pattern):
        assert any(parse(example)[1] for example in pattern.examples)

    def test_its_type_exists(self, pattern: Pattern):
        assert pattern.type in CONTACT | set().union(*(group.types for group in load_entity_groups()))

    def test_in_the_company_of_the_others_it_still_finds_its_examples(self, pattern: Pattern):
        for example in pattern.examples:
            text, spans = parse(example)
            for language in pattern.languages:
                entities = find(PATTERNS, text, language)
                covered = {index for entity in entities for index in range(entity.char_start, entity.char_end)}
                for span in spans:
                    assert set(range(span.char_start, span.char_end)) <= covered


@pytest.mark.parametrize(
    "hostile",
    [
        "0" * 50_000,
        "1 " * 25_000,
        "12 " * 16_000,
        "a." * 25_000,
        "x@" * 25_000,
        "/a" * 25_000,
        "零" * 50_000,
        "fax 02 " * 7_000,
        "zero, " * 8_000,
        "card 4111 " * 5_000,
        "double u " * 5_000,
        "(" * 50_000,
    ],
    ids=lambda hostile: hostile[:9],
)
def test_fifty_thousand_hostile_characters_come_to_an_end(hostile: str):
    assert all(entity.text == entity.text.strip() for entity in find(PATTERNS, hostile, "en"))


@pytest.mark.parametrize(
    "said",
    [
        "Blood pressure one thirty six over eighty five, pulse ninety two, sats ninety eight.",
        "BP 120/80, 130/85, 118/76, 140 over 90, then 98 120 80 65 over the week.",
        "Take five hundred milligrams twice a day for ten days, then two fifty, then one twenty five.",
        "ninety three, eighty six, seventy nine, seventy two, sixty five",
        "zero one two three four five six seven eight nine ten eleven twelve, ten nine eight seven six five four",
        "She was born on 03/04/1985 or 1985-04-03 or 03-04-1985 or 3.4.1985 or 03 04 1985.",
        "in 1985 1986 1987 1988 1989 and 05 06 07 08 09 10 11 12, from 2019 to 2023, 2019-2023",
        "sodium 140 potassium 4.2 chloride 102 bicarb 24 urea 5.6 creatinine 80 platelets 150000",
        "INR 2.5 2.3 2.8 3.1, glucose 5.6 7.8 9.1 11.2 and 126 140 200 180 155",
        "Remember these numbers: 7 4 2 9 3 and 5 8 2 6 9 4 1.",
        "Look at my foot, meet me at the dot, dash to the slash, point at it.",
        "I called her at 10 30, called again at 11 15 20 and she rang at 12 45 12 30.",
        "On the phone for 20 30 40 minutes, phone 5 or 6 times, call me in 10 days 14 days 21 days.",
        "T12 L1 L2 L3, C5 C6 C7, HbA1c 48, COVID-19, B12 250, CT 2019, MRI 300, G6PD 1234",
        "knee extension 120 degrees, pain on extension 10 out of 10, the plate in his arm",
        "dial it down to 110, ring finger 10 20 30, contact dermatitis for 10 20 30 years",
        "My account of it is 120 80 65, taking into account the 12 visits.",
        "e.g. i.e. a.m. p.m. U.S. Dr.Smith. Mr.Lee. He came.Commonly so.",
        "血壓一百三十六血糖一百一十八都還可以繼續保持",
        "從一數到十:一、二、三、四、五、六、七、八、九、十 一二三四五六七八九十",
        "早上8點12點5點9點吃藥 十點三十分 2點30分",
        "打完針血壓 110 她 119 公斤 打 2 針 3 針 我打電話給你了 10 點 30 分",
        "一天三次一次兩顆吃了兩三個月四五年六七八次",
        "民國七十五年三月二十一日生 2024年3月12日 2024-03-12 113年10月5日",
        "請記住這些數字 七四二九三 五八二六九四一 數字倒背 九八七六五四三二一零",
        "病歷上寫白血球 12000 血小板 150000 血紅素 12.5",
    ],
)
def test_ordinary_medical_speech_holds_nothing(said: str):
    assert found(said, language_of(said)) == []


def listed(part: str) -> list[tuple[str, str]]:
    return [(language, said) for language, sentences in FORMS_OF_NUMBERS[part].items() for said in sentences]


@pytest.mark.parametrize(("language", "tagged"), listed("found"))
def test_a_number_is_found_whole_in_every_form(language: str, tagged: str):
    text, spans = parse(tagged)
    finds = [(entity.type, entity.text) for entity in find(PATTERNS, text, language)]
    assert finds == [(span.type, text[span.char_start : span.char_end]) for span in spans]


@pytest.mark.parametrize(("language", "said"), listed("nothing"))
def test_what_only_looks_like_a_number_of_somebody_is_left(language: str, said: str):
    assert found(said, language) == []


@pytest.mark.parametrize(
    ("right", "wrong", "language"),
    [
        ("手機 0912-345-678", "手機 0912-345-67", "zh"),
        ("my mobile is +61 491 570 156", "my mobile is +61 491 570 15", "en"),
        ("my mobile is 0491 570 156", "my mobile is 0491 570 15", "en"),
        ("my number is 0491 570 156", "my number is 0491 570 15", "en"),
        (
            "my mobile number is oh four nine one, five seven oh, one five six",
            "my mobile number is oh four nine one, five seven oh, one five",
            "en",
        ),
        ("my landline is 03 9876 5432", "my landline is 03 9876 543", "en"),
        ("fax 02 9876 5433", "fax 02 9876 543", "en"),
        ("fax 03 9876 5433", "fax 03 9876 543", "en"),
        ("身分證字號 A123456789", "身分證字號 A123456788", "zh"),
        ("ID card number A123456789", "ID card number A123456788", "en"),
        ("credit card number is 4111 1111 1111 1111", "credit card number is 4111 1111 1111 1112", "en"),
        ("Medicare 2123 45670 1", "Medicare 2123 45671 1", "en"),
        ("tax file number 123 456 782", "tax file number 123 456 783", "en"),
        ("NHS number 943 476 5870", "NHS number 943 476 5871", "en"),
        ("SSN 536-90-4399", "SSN 666-90-4399", "en"),
        ("national insurance AB 12 34 56 C", "national insurance AB 12 34 5 C", "en"),
        ("IMEI 490154203237518", "IMEI 490154203237519", "en"),
        ("NPI 1234567893", "NPI 1234567890", "en"),
        ("passport PA1234567", "passport PA12345", "en"),
        ("護照 312345678", "護照 31234567", "zh"),
        ("IBAN GB82 WEST 1234 5698 7654 32", "IBAN GB82 WEST 1234 5698 7654 33", "en"),
        ("車牌 ABC-1234", "車牌 ABC-12345", "zh"),
        ("VIN 1M8GDM9AXKP042788", "VIN 1M8GDM9AXKP04278", "en"),
        ("健保卡 0000 7712 9035", "健保卡 0000 7712 903", "zh"),
    ],
)
def test_a_named_number_with_a_wrong_digit_is_found_with_less_confidence(right: str, wrong: str, language: str):
    (as_it_should_be,), (as_it_was_heard,) = find(PATTERNS, right, language), find(PATTERNS, wrong, language)
    assert as_it_was_heard.type == as_it_should_be.type
    assert 0.5 < as_it_was_heard.confidence < as_it_should_be.confidence


@pytest.mark.parametrize(
    ("own", "foreign", "language"),
    [
        ("my mobile is 0491 570 156", "my mobile is 0912 345 678", "en"),
        ("電話 02-2345-6789", "電話 020 7946 0958", "zh"),
        ("the fax is 02 9876 5433", "the fax is 0912 345 678", "en"),
        ("傳真 02-2345-6789", "傳真 020 7946 0958", "zh"),
    ],
)
def test_a_number_of_a_region_that_speaks_otherwise_is_found_with_less_confidence(
    own: str, foreign: str, language: str
):
    (expected,), (other,) = find(PATTERNS, own, language), find(PATTERNS, foreign, language)
    assert other.type == expected.type
    assert 0.5 < other.confidence < expected.confidence


@pytest.mark.parametrize("dash", "-‐‑‒–—―−﹘﹣－")
def test_every_dash_parts_the_digits_of_a_number(dash: str):
    number = dash.join(["0912", "345", "678"])
    assert found(f"手機{number}，謝謝", "zh") == [("PHONE", number)]


@pytest.mark.parametrize("apostrophe", "'’‘‛ʼ′`´＇")
def test_every_apostrophe_is_part_of_a_name(apostrophe: str):
    assert found(f"write to o{apostrophe}brien@example.org") == [("EMAIL", f"o{apostrophe}brien@example.org")]


@pytest.mark.parametrize("zero", "0０٠۰०๐𝟎𝟘𝟶")
def test_the_digits_of_every_script_make_a_number(zero: str):
    number = "".join(chr(ord(zero) + int(digit)) for digit in "0491570156")
    assert found(f"ring {number} now") == [("PHONE", number)]


@pytest.mark.parametrize(
    ("said", "language", "finds"),
    [
        ("fax 02 9876 5433, phone 02 9876 5432", "en", [("FAX", "02 9876 5433"), ("PHONE", "02 9876 5432")]),
        ("the fax is broken, phone me on 0491 570 156", "en", [("PHONE", "0491 570 156")]),
        (
            "傳真零二二三四五六七八九電話零二二三四五六七九八",
            "zh",
            [("FAX", "零二二三四五六七八九"), ("PHONE", "零二二三四五六七九八")],
        ),
        ("MRN 0412345678", "en", [("MEDICAL_RECORD_NUMBER", "0412345678")]),
        (
            "his M R N is zero four one two three four five six",
            "en",
            [("MEDICAL_RECORD_NUMBER", "zero four one two three four five six")],
        ),
        ("write to info@example.com or see example.com", "en", [("EMAIL", "info@example.com"), ("URL", "example.com")]),
        ("ring 0491 570 156 24 hours a day", "en", [("PHONE", "0491 570 156")]),
        ("ring 0491 570 156, two times a day", "en", [("PHONE", "0491 570 156")]),
        ("x0491570156 or 04915701567", "en", []),
    ],
)
def test_patterns_together(said: str, language: str, finds: list[tuple[str, str]]):
    assert found(said, language) == finds


def test_a_word_of_context_raises_the_confidence_and_more_so_when_near():
    (alone,) = find(PATTERNS, "it was 0491 570 156", "en")
    (far,) = find(PATTERNS, "my mobile, I think, is 0491 570 156", "en")
    (near,) = find(PATTERNS, "my mobile 0491 570 156", "en")
    assert alone.confidence < far.confidence < near.confidence


def test_a_pattern_may_ask_for_its_context_to_be_near(tmp_path: Path):
    file = tmp_path / "patterns.yaml"
    file.write_text(ONE.replace("confidence: 0.6", "near: 12"), encoding="utf-8")
    patterns = load_patterns(file)
    assert [entity.text for entity in find(patterns, "badge, it's B1842", "en")] == ["B1842"]
    assert find(patterns, "badge, it says B1842", "en") == []


def test_a_word_between_may_undo_the_context_of_small_numbers(tmp_path: Path):
    file = tmp_path / "patterns.yaml"
    own = ONE.replace("confidence: 0.6", "unless: [door, 門]").replace("B ?[0-9]{4}", "'[0-9]{2} ?[0-9]{2}'")
    file.write_text(own.replace("B 1842", "1842"), encoding="utf-8")
    patterns = load_patterns(file)
    assert find(patterns, "badge for the door 18 42", "en") == find(patterns, "badge 门 18 42", "zh") == []
    for said in ("door badge 18 42", "badge outdoors 18 42", "badge at the door, badge 18 42", "badge, door 1842"):
        assert [entity.text for entity in find(patterns, said, "en")] == [said[said.index("18") :]]


def test_a_file_of_ones_own_is_read_in_either_script(tmp_path: Path):
    file = tmp_path / "patterns.yaml"
    file.write_text(
        ONE.replace("B ?[0-9]", "證 ?[0-9]").replace("badge]", "識別]").replace("B 1842", "證1842"), "utf-8"
    )
    patterns = load_patterns(file)
    assert [entity.text for said in ("識別證1842", "识别证1842") for entity in find(patterns, said, "zh")] == [
        "證1842",
        "证1842",
    ]


def test_an_entity_says_where_it_comes_from():
    (entity,) = find(PATTERNS, "請打 ０９１２－３４５－６７８ 謝謝", "zh")
    assert (entity.type, entity.group, entity.source, entity.kept) == ("PHONE", "patterns", "pattern", True)
    assert (entity.text, entity.char_start, entity.char_end) == ("０９１２－３４５－６７８", 3, 15)


def test_patterns_travel_to_other_processes():
    assert found("ring 0491 570 156") == [
        (entity.type, entity.text) for entity in find(pickle.loads(pickle.dumps(PATTERNS)), "ring 0491 570 156", "en")
    ]


ENGLISH = "zero one two three four five six seven eight nine".split()  # noqa: SIM905
CHINESE = "零一二三四五六七八九"
FORMS = {
    "TW": r"09[0-9]{8}|0[2][2-8][0-9]{7}",
    "AU": r"04[0-9]{8}|0[2378][4-9][0-9]{7}",
    "GB": r"07[4-9][0-9]{8}|020[78][0-9]{7}",
    "US": r"[2-9][0-9]{2}[2-9][0-9]{6}",
}


@st.composite
def phone_numbers(draw) -> str:
    """A valid number of one of the regions, as digits."""
    region = draw(st.sampled_from(sorted(FORMS)))
    digits = draw(
        st.from_regex(FORMS[region], fullmatch=True).filter(
            lambda digits: phonenumbers.is_valid_number(phonenumbers.parse(digits, region))
        )
    )
    return digits


def english(digits: str, oh: bool, doubled: bool) -> str:
    def say(match: re.Match[str]) -> str:
        word = "oh" if oh and match[1] == "0" else ENGLISH[int(match[1])]
        return f"double {word}" if len(match[0]) == 2 else word

    return " ".join(say(match) for match in re.finditer(r"([0-9])\1?" if doubled else "([0-9])", digits))


@st.composite
def ways_to_say(draw, digits: str) -> str:
    cuts = draw(st.sampled_from([(4, 7), (2, 6), (3, 6)]))
    groups = [digits[: cuts[0]], digits[cuts[0] : cuts[1]], digits[cuts[1] :]]
    way = draw(st.sampled_from(["solid", "spaced", "hyphens", "full width", "english", "chinese", "mixed"]))
    if way == "english":
        oh, doubled = draw(st.booleans()), draw(st.booleans())
        return draw(st.sampled_from([" ", ", "])).join(english(group, oh, doubled) for group in groups)
    if way == "chinese":
        return "".join(CHINESE[int(digit)] for digit in digits)
    if way == "mixed":
        return f"{groups[0]} {english(groups[1], False, False)} {groups[2]}"
    text = {"solid": "", "spaced": " ", "hyphens": "-", "full width": " "}[way].join(groups)
    return text.translate({ord("0") + i: ord("０") + i for i in range(10)}) if way == "full width" else text


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data(), phone_numbers())
def test_any_number_of_the_regions_is_found_whole_however_it_is_said(data: st.DataObject, digits: str):
    said = data.draw(ways_to_say(digits))
    before, after, language = data.draw(
        st.sampled_from(
            [
                ("Yes, you can call me on ", ". I am home by five.", "en"),
                ("my phone is ", " if anything comes up", "en"),
                ("我的電話是", "謝謝", "zh"),
                ("她今年六十八歲，電話", "，一天三次", "zh"),
            ]
        )
    )
    (entity,) = find(PATTERNS, before + said + after, language)
    assert (entity.type, entity.text, entity.char_start) == ("PHONE", said, len(before))


WORDS = [
    "0412",
    "04",
    "12",
    "oh",
    "zero",
    "double",
    "at",
    "dot",
    "com",
    "www",
    "call",
    "fax",
    "MRN",
    "A",
    "B12",
    "電話",
    "零九一二三四五六七八",
    "一天",
    "三次",
    "@",
    ".",
    "-",
    ",",
    "gmail",
    "x",
    "2019",
    "(02)",
    "9876 5432",
    " ",
]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=2), max_size=25).map(" ".join), st.sampled_from(["en", "zh"]))
def test_entities_are_of_the_text_on_word_edges_and_apart(said: str, language: str):
    end = 0
    for entity in find(PATTERNS, said, language):
        assert end <= entity.char_start < entity.char_end
        assert entity.text == said[entity.char_start : entity.char_end] == entity.text.strip()
        assert not re.search("[A-Za-z0-9]{2}", said[max(entity.char_start - 1, 0) : entity.char_start + 1])
        assert not re.search("[A-Za-z0-9]{2}", said[entity.char_end - 1 : entity.char_end + 1])
        assert 0 < entity.confidence <= 1
        end = entity.char_end


def test_in_the_corpus_only_a_domain_and_the_emergency_number_are_found(shared: Path):
    finds = []
    for file in sorted((shared / "corpus").glob("*/task1_answer.txt")):
        for line in file.read_text(encoding="utf-8").splitlines():
            text = line.partition("\t")[2]
            finds += found(text, language_of(text))
    assert sorted(finds) == [("PHONE", "911")] * 4 + [("URL", "salon.com")]


def test_a_file_of_ones_own(tmp_path: Path):
    file = tmp_path / "patterns.yaml"
    file.write_text(ONE, encoding="utf-8")
    (pattern,) = load_patterns(file)
    (alone,) = find([pattern], "it is B one eight four two", "en")
    (in_context,) = find([pattern], "badge B1842, 0491 570 156", "en")
    assert (alone.type, alone.text, alone.confidence) == ("ID_NUMBER", "B one eight four two", 0.6)
    assert (in_context.text, in_context.confidence) == ("B1842", pytest.approx(0.899))
    file.write_text("[]", encoding="utf-8")
    assert load_patterns(file) == ()


def test_a_file_may_take_in_the_built_in_patterns_and_leave_out_names_and_types(tmp_path: Path):
    file = tmp_path / "patterns.yaml"
    file.write_text("- include: built-in\n  except: [URL, emergency number]" + ONE, encoding="utf-8")
    patterns = load_patterns(file)
    names = [pattern.name for pattern in PATTERNS if pattern.type != "URL" and pattern.name != "emergency number"]
    assert [pattern.name for pattern in patterns] == [*names, "badge"]
    said = "call 911, www.example.org, 0491 570 156 or B 1842"
    assert [entity.text for entity in find(patterns, said, "en")] == ["0491 570 156", "B 1842"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (ONE, "name: x", "holds no list of patterns"),
        (ONE, "- x", "pattern 1"),
        (ONE, ONE + ONE, "two patterns are called 'badge'"),
        (ONE, "- include: mine", "include: built-in"),
        (ONE, "- include: built-in\n  except: [TEA]", "no built-in pattern is called 'TEA'"),
        ("type: ID_NUMBER", "type: badge", "`type:`"),
        ("[en, zh]", "[de]", "`languages:`"),
        ("reads: numbers", "reads: digits", "`reads:` is as written, numbers, addresses"),
        ("B ?[0-9]{4}", "'B ?[0-9'", "no regular expression"),
        ("case: match", "case: lower", "`case:`"),
        ("case: match", "case: match\n  check: luck", "check: luck"),
        ("case: match", "case: match\n  check: phone XX", "the checks are"),
        ("case: match", "case: match\n  check: stdnum os", "no numbers called os"),
        ("case: match", "case: match\n  weight: 3", "missing or unknown: weight"),
        ("confidence: 0.6", "confidence: 6", "`confidence:` is a number from 0 to 1"),
        ("  in_context: 0.9\n", "", "`in_context:`"),
        ("in_context: 0.9", "in_context: 0.9\n  near: soon", "`near:` is a number of characters"),
        ("in_context: 0.9", "in_context: 0.9\n  near: 0", "`near:` is a number of characters"),
        ("  context: [badge]\n  in_context: 0.9\n", "  near: 15\n", "goes with `context:`"),
        ("context: [badge]", "context: badge", "`context:`"),
        ("in_context: 0.9", "in_context: 0.9\n  unless: weight", "`unless:` is a list of words"),
        ("  context: [badge]\n  in_context: 0.9\n", "  unless: [weight]\n", "goes with `context:`"),
        ("B 1842<", "B 184<", "example 1"),
        ("<ID_NUMBER>B 1842</ID_NUMBER>", "B 1842", "finds 6-12"),
        ("</ID_NUMBER>", "", "has no partner"),
    ],
)
def test_a_malformed_file_is_named_with_its_pattern(tmp_path: Path, old: str, new: str, says: str):
    assert old in ONE
    file = tmp_path / "patterns.yaml"
    file.write_text(ONE.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_patterns(file)
    assert str(file) in str(error.value)
    assert says in str(error.value)
