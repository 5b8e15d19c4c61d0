from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.tagging.entities import Span, parse, strip_tags
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.prompts import Prompt, completion, messages

TYPES = {
    "names": "PATIENT DOCTOR USERNAME FAMILYNAME PERSONALNAME",
    "profession": "PROFESSION",
    "care": "ROOM DEPARTMENT HOSPITAL ORGANIZATION",
    "addresses": "STREET CITY DISTRICT COUNTY STATE COUNTRY ZIP LOCATION-OTHER",
    "times": "AGE DATE TIME DURATION SET",
    "identifiers": "SOCIAL_SECURITY_NUMBER MEDICAL_RECORD_NUMBER HEALTH_PLAN_NUMBER ACCOUNT_NUMBER LICENSE_NUMBER "
    "VEHICLE_ID DEVICE_ID BIOMETRIC_ID ID_NUMBER",
}
SEVENTH = """
contact:
  types:
    PHONE: Telephone number.
    E-MAIL: Address for mail.
  examples:
    - "Ring <PHONE>5550 1820</PHONE>."
    - "Nothing here."
"""


def test_six_groups_with_their_types():
    assert {group.name: " ".join(group.types) for group in load_entity_groups()} == TYPES


@pytest.mark.parametrize("group", load_entity_groups(), ids=lambda group: group.name)
class TestBuiltInExamples:
    def test_there_are_five(self, group):
        assert len(group.examples) == 5

    def test_answers_without_their_tags_are_their_questions(self, group):
        chat = messages(Prompt.of(group), "hello")
        turns = list(zip(chat[1:-1:2], chat[2:-1:2], strict=True))
        assert len(turns) == 5
        for question, answer in turns:
            assert (question["role"], answer["role"]) == ("user", "assistant")
            assert strip_tags(answer["content"]) == question["content"]
            assert "<" not in question["content"]
            assert completion(*parse(answer["content"])) == answer["content"]

    def test_one_has_no_entity_and_one_has_two_types(self, group):
        types = [{span.type for span in parse(example)[1]} for example in group.examples]
        assert set() in types
        assert any(len(found) >= min(2, len(group.types)) for found in types)

    def test_both_languages_and_a_mix_occur(self, group):
        def chinese(text):
            return any("一" <= character <= "鿿" for character in text)

        def english(text):
            return any(character.isascii() and character.isalpha() for character in text)

        texts = [strip_tags(example) for example in group.examples]
        kinds = {(chinese(text), english(text)) for text in texts}
        assert kinds == {(True, False), (False, True), (True, True)}

    def test_none_is_taken_from_the_corpus(self, group, shared):
        corpus = "".join(file.read_text(encoding="utf-8") for file in (shared / "corpus").glob("*/task1_answer.txt"))
        assert corpus
        assert not [example for example in group.examples if strip_tags(example)[:20] in corpus]


def test_a_seventh_group_needs_no_code(tmp_path: Path):
    file = tmp_path / "entity_groups.yaml"
    file.write_text(SEVENTH, encoding="utf-8")
    (group,) = load_entity_groups(file)
    assert group.name == "contact"
    assert list(group.types) == ["PHONE", "E-MAIL"]
    assert parse(group.examples[0]) == ("Ring 5550 1820.", [Span("PHONE", 5, 14)])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    PHONE: Telephone number.", "    - PHONE", "is not valid YAML"),
        ("contact:", "Contact!:", "group Contact!"),
        ("examples:", "samples:", "group contact"),
        ("E-MAIL: Address", "PHONE: Address", "PHONE is written twice"),
        ("E-MAIL: Address", "e-mail: Address", "type e-mail"),
        ("Telephone number.", "3", "group contact"),
        ("</PHONE>", "</E-MAIL>", "group contact, example 1"),
        ("<PHONE>5550 1820</PHONE>", "<FAX>1</FAX>", "group contact, example 1: no type of this group is called FAX"),
        ("<PHONE>5550", "<PHONE> 5550", "group contact, example 1"),
        ("Nothing here.", "1 < 2", "group contact, example 2"),
        ("Nothing here.", "<PHONE>1", "group contact, example 2"),
        (SEVENTH, "[]", "holds no groups"),
        (SEVENTH, SEVENTH + SEVENTH.replace("contact", "more"), "PHONE is in group contact and again in group more"),
    ],
)
def test_a_malformed_file_is_named_with_its_group(tmp_path: Path, old: str, new: str, says: str):
    assert old in SEVENTH
    file = tmp_path / "entity_groups.yaml"
    file.write_text(SEVENTH.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_entity_groups(file)
    assert str(file) in str(error.value)
    assert says in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"groups\.yaml"):
        load_entity_groups(tmp_path / "entity_groups.yaml")
