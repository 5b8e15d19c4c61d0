from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.tagging.entities import Entity
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.rules import Rule, apply_rules, load_rules

RULES = load_rules()
TYPES = {type_: group.name for group in load_entity_groups() for type_ in group.types}
ONE = """
- name: tea is no profession
  languages: [en, zh]
  types: [PROFESSION]
  pattern: ^tea$
  case: ignore
  action: retype
  to: SET
  examples:
    positive: [tea]
    negative: [teacher]
"""


def entity(type_: str, text: str) -> Entity:
    return Entity(type_, TYPES[type_], text, 5, 5 + len(text), 0.7, "adapter")


def outcome(text: str, type_: str, language: str) -> str | None:
    """The type that an entity has after the built-in rules, or None where it is dropped."""
    kept = [entity.type for entity in apply_rules(RULES, [entity(type_, text)], language) if entity.kept]
    assert len(kept) <= 1
    return kept[0] if kept else None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
class TestBuiltInRules:
    def test_it_applies_to_its_positive_and_to_no_negative_examples(self, rule: Rule):
        assert rule.positive and rule.negative
        for language in rule.languages:
            for type_ in rule.types:
                for text in rule.positive:
                    before, *after = apply_rules([rule], [entity(type_, text)], language)
                    assert not before.kept
                    assert [new.type for new in after] == ([rule.to] if rule.to else [])
                for text in rule.negative:
                    assert apply_rules([rule], [entity(type_, text)], language) == [entity(type_, text)]

    def test_it_leaves_other_types_and_languages_alone(self, rule: Rule):
        for text in rule.positive:
            for language in {"en", "zh"} - rule.languages:
                given = entity(min(rule.types), text)
                assert apply_rules([rule], [given], language) == [given]
            other = entity("USERNAME", text)
            assert apply_rules([rule], [other], min(rule.languages)) == [other]

    def test_its_types_exist(self, rule: Rule):
        assert (rule.types | ({rule.to} if rule.to else set())) <= set(TYPES)


@pytest.mark.parametrize(
    ("text", "type_", "language", "becomes"),
    [
        # Each rule of the reference method, in its order.
        ("therapist", "PROFESSION", "en", None),
        ("病人", "PROFESSION", "zh", None),
        ("usually", "SET", "en", None),
        ("一直", "SET", "zh", None),
        ("lately", "DATE", "en", None),
        ("剛才", "DATE", "zh", None),
        ("the time", "DURATION", "en", None),
        ("一輩子", "DURATION", "zh", None),
        ("church", "ORGANIZATION", "en", None),
        ("本院", "ORGANIZATION", "zh", None),
        ("every day", "DATE", "en", "SET"),
        ("every day", "TIME", "en", "SET"),
        ("every day", "DURATION", "en", "SET"),
        ("每天", "DURATION", "zh", "SET"),
        ("24 81630", "ID_NUMBER", "en", None),
        ("2481", "ID_NUMBER", "en", None),
        ("2481", "ID_NUMBER", "zh", "ID_NUMBER"),  # the last four of an identity number are asked for by telephone
        ("Bayside Health", "DEPARTMENT", "en", "HOSPITAL"),
        ("Bayside Hospital", "ORGANIZATION", "zh", "HOSPITAL"),
        ("青松醫院", "ORGANIZATION", "zh", "HOSPITAL"),
        ("Northern Pathology", "ORGANIZATION", "en", "DEPARTMENT"),
        ("Pain Clinic", "ORGANIZATION", "zh", "DEPARTMENT"),
        ("3095", "STATE", "en", "ZIP"),
        ("Northern Territory", "COUNTY", "en", "STATE"),
        ("this country", "COUNTRY", "en", None),
        ("Department of Surgery", "STREET", "en", None),
        ("Larkfield Hospital", "STREET", "en", None),
        ("青松醫院", "STREET", "zh", None),
        ("309", "ZIP", "en", None),
        ("3095", "ZIP", "en", "ZIP"),
        # What they come to together, and what they spare.
        ("3095", "CITY", "en", "ZIP"),
        ("3095", "CITY", "zh", "CITY"),
        ("10617", "ZIP", "zh", "ZIP"),  # a Taiwanese post code has five or six digits
        ("10617", "ZIP", "en", "ZIP"),  # and one of the United States has five
        ("106170", "ZIP", "en", None),
        ("three oh nine five", "ZIP", "en", "ZIP"),  # spelled out
        ("V nine one two", "ID_NUMBER", "en", "ID_NUMBER"),
        ("Larkfield Hospital", "ORGANIZATION", "en", "HOSPITAL"),
        ("Pain Clinic", "ORGANIZATION", "en", "DEPARTMENT"),
        ("Larkfield Hospital Pain Clinic", "ORGANIZATION", "en", "HOSPITAL"),
        ("know", "DATE", "en", "DATE"),
        ("then again", "DATE", "en", "DATE"),
    ],
)
def test_rules_together(text: str, type_: str, language: str, becomes: str | None):
    assert outcome(text, type_, language) == becomes


def test_a_retyped_entity_stands_beside_the_original():
    given = [entity("AGE", "41"), entity("DATE", "every day"), entity("TIME", "noon")]
    age, original, new, time = apply_rules(RULES, given, "en")
    assert (age, time) == (given[0], given[2])
    assert original == Entity("DATE", "times", "every day", 5, 14, 0.7, "adapter", False, "rule: every day is a set")
    assert new == Entity("SET", "times", "every day", 5, 14, 0.7, "rule")


def test_an_entity_is_not_retyped_into_one_that_is_there():
    result = apply_rules(RULES, [entity("DATE", "every day"), entity("SET", "every day")], "en")
    assert [(found.type, found.kept) for found in result] == [("DATE", False), ("SET", True)]


def test_what_a_pattern_found_is_left_alone():
    found = Entity("ID_NUMBER", "patterns", "A 123456789", 0, 11, 0.97, "pattern")
    assert apply_rules(RULES, [found], "en") == [found]


def test_a_dropped_entity_names_the_rule():
    (dropped,) = apply_rules(RULES, [entity("PROFESSION", "patient")], "en")
    assert dropped.cause == "rule: roles and relations are no professions"


def test_what_was_dropped_before_is_left_alone():
    (dropped,) = apply_rules(RULES, [entity("PROFESSION", "patient")], "en")
    assert apply_rules(RULES, [dropped], "en") == [dropped]


def test_no_black_list_contradicts_many_labels_of_the_training_corpus(shared):
    labels = [
        line.split("\t")
        for split in ("train1", "train2")
        for line in (shared / "corpus" / split / "task2_answer.txt").read_text(encoding="utf-8").splitlines()
    ]
    labels = [(fields[1], fields[4].strip()) for fields in labels if fields[1] in TYPES]
    changed = [
        (type_, text)
        for type_, text in labels
        for language in [("zh" if any("一" <= character <= "鿿" for character in text) else "en")]
        if outcome(text, type_, language) != type_
    ]
    assert len(labels) > 1000
    assert changed == []


def test_a_file_of_ones_own_and_an_empty_one(tmp_path: Path):
    file = tmp_path / "rules.yaml"
    file.write_text(ONE, encoding="utf-8")
    (rule,) = load_rules(file)
    assert (rule.name, rule.to, rule.types) == ("tea is no profession", "SET", {"PROFESSION"})
    file.write_text("[]", encoding="utf-8")
    assert load_rules(file) == ()


def test_a_file_may_take_in_the_built_in_rules_where_it_says_and_leave_out_some(tmp_path: Path):
    file = tmp_path / "rules.yaml"
    file.write_text(
        ONE + "- include: built-in\n  except: [a post code has four or five digits or is spelled out]\n",
        encoding="utf-8",
    )
    names = [rule.name for rule in RULES if rule.name != "a post code has four or five digits or is spelled out"]
    assert [rule.name for rule in load_rules(file)] == ["tea is no profession", *names]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (ONE, "name: x", "holds no list of rules"),
        (ONE, "- x", "rule 1"),
        (ONE, "- include: theirs", "rule 1: write `include: built-in`"),
        (ONE, "- include: built-in\n  except: [tea]", "no built-in rule is called 'tea'"),
        (ONE, "- include: built-in\n  without: [tea]", "`except:`"),
        (ONE, "- include: built-in\n- include: built-in", "two rules are called"),
        ("[teacher]", "[tea]", "example 1 under `negative:`"),
        ("positive: [tea]", "positive: [teas]", "example 1 under `positive:`"),
        (ONE, ONE + ONE, "two rules are called 'tea is no profession'"),
        ("pattern: ^tea$", "pattern: ^(tea$", "no regular expression"),
        ("pattern: ^tea$", "pattern: 42", "`pattern:`"),
        ("case: ignore", "case: lower", "`case:`"),
        ("action: retype", "action: drop", "to"),
        ("action: retype", "action: delete", "`action:`"),
        ("  to: SET\n", "", "missing or unknown: to"),
        ("  case: ignore\n", "", "missing or unknown: case"),
        ("  case: ignore\n", "  case: ignore\n  weight: 3\n", "missing or unknown: weight"),
        ("[en, zh]", "[en, de]", "`languages:`"),
        ("[PROFESSION]", "PROFESSION", "`types:`"),
        ("[teacher]", "[1]", "`examples:`"),
        ("    negative: [teacher]\n", "", "`examples:`"),
    ],
)
def test_a_malformed_file_is_named_with_its_rule(tmp_path: Path, old: str, new: str, says: str):
    assert old in ONE
    file = tmp_path / "rules.yaml"
    file.write_text(ONE.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_rules(file)
    assert str(file) in str(error.value)
    assert says in str(error.value)
