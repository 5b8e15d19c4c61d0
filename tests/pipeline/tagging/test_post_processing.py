import pytest

from pipeline.errors import UserError
from pipeline.settings import TaggerSettings
from pipeline.speech.words import Transcript, Word
from pipeline.tagging.entities import Entity
from pipeline.tagging.post_processing import PostProcessor, apply_thresholds, keep_or_drop
from pipeline.tagging.rules import load_rules

RULES = load_rules()


def entity(type_: str, text: str, start: int = 0, confidence: float | None = 0.5, source: str = "adapter") -> Entity:
    return Entity(type_, "group", text, start, start + len(text), confidence, source)


def causes(entities: list[Entity], thresholds: dict[str, float], language: str = "en") -> list[tuple[str, str | None]]:
    selected = keep_or_drop(entities, language, RULES, thresholds)
    assert all(found.kept == (found.cause is None) for found in selected)
    return [(found.type, found.cause) for found in selected]


def test_a_threshold_or_a_rule_for_an_unknown_type_is_refused_with_the_nearest_one(tmp_path):
    with pytest.raises(UserError, match=r"--tagger\.thresholds PATEINT: .*the nearest is PATIENT"):
        PostProcessor(TaggerSettings(thresholds={"DATE": 0.5, "PATEINT": 0.3}))
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- {name: titles, languages: [en], types: [DOKTOR, DATE], pattern: '^dr$', case: ignore, action: drop, "
        "examples: {positive: [Dr], negative: [Lee]}}"
    )
    with pytest.raises(UserError, match=r"--tagger\.rules, titles: .*the nearest is DOCTOR"):
        PostProcessor(TaggerSettings(rules=rules))


def test_what_is_below_its_types_threshold_is_dropped_with_its_cause():
    given = [entity("DATE", "today", 0, 0.4), entity("TIME", "noon", 9, 0.4), entity("DATE", "now", 20, 0.5)]
    assert causes(given, {"DATE": 0.5}) == [("DATE", "threshold"), ("TIME", None), ("DATE", None)]


def test_what_has_no_confidence_is_below_no_threshold():
    given = [entity("DATE", "today", confidence=None)]
    assert apply_thresholds({"DATE": 1.0}, given) == given


def test_a_rule_names_itself_as_the_cause():
    assert causes([entity("DATE", "recently")], {}) == [("DATE", "rule: vague order is no date")]


def test_what_a_threshold_dropped_meets_no_rule_and_what_a_rule_dropped_wins_no_overlap():
    given = [entity("DATE", "every day", 0, 0.2), entity("DATE", "soon", 20, 0.9), entity("TIME", "soon", 20, 0.3)]
    assert causes(given, {"DATE": 0.3}) == [
        ("DATE", "threshold"),
        ("DATE", "rule: vague order is no date"),
        ("TIME", None),
    ]


def test_a_retyped_entity_takes_part_in_overlaps():
    given = [entity("DATE", "every day", 0, 0.8), entity("TIME", "day", 6, 0.5)]
    assert causes(given, {}) == [("DATE", "rule: every day is a set"), ("SET", None), ("TIME", "overlap")]


def test_an_adapter_and_a_pattern_that_agree_make_one_entity():
    given = [entity("PHONE", "0912345678", 3, 0.7), entity("PHONE", "0912345678", 3, 0.9, "pattern")]
    assert keep_or_drop(given, "zh", RULES, {}) == [given[1]]


def test_rules_leave_alone_what_a_pattern_found():
    given = [entity("ID_NUMBER", "A 123456789", 0, 0.97, "pattern")]
    assert keep_or_drop(given, "en", RULES, {}) == given


def test_entities_come_in_the_order_of_the_text():
    given = [entity("DATE", "today", 30), entity("TIME", "noon", 3)]
    assert [found.char_start for found in keep_or_drop(given, "en", RULES, {})] == [3, 30]


def test_entities_of_timed_words_have_times_and_those_of_plain_text_have_none():
    process = PostProcessor(TaggerSettings())
    words = [Word("call", 0, 4, 0.0, 0.5), Word("0491570156", 5, 15, 1.0, 4.0)]
    for transcript, times in (
        (Transcript("call 0491570156", words), (1.0, 4.0)),
        (Transcript("call 0491570156"), (None, None)),
    ):
        (found,) = process(transcript, [])
        assert (found.type, found.text, found.start_s, found.end_s) == ("PHONE", "0491570156", *times)
