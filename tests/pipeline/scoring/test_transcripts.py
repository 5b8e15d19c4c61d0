"""Error rates of transcripts."""

import unicodedata

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import submission
from pipeline.scoring.normalise import normalise
from pipeline.scoring.transcripts import count, scores, worst

WORDS = st.lists(st.sampled_from(["the", "The", "heart", "heart.", "don't", "a"]), max_size=8).map(" ".join)
CHINESE = st.text("我是臺台北 ，a1", max_size=10).map("醫".__add__)
TEXT = st.one_of(WORDS, CHINESE)
PAIRS = st.lists(st.tuples(TEXT, st.one_of(TEXT, st.none())), min_size=1, max_size=5)


def is_ideograph(character: str) -> bool:
    return unicodedata.name(character, "").startswith("CJK UNIFIED IDEOGRAPH")


def tokens_of(text: str) -> list[str]:
    return "".join(f" {c} " if is_ideograph(c) else c for c in text).split()


def distance(first: list[str], second: list[str]) -> int:
    row = list(range(len(second) + 1))
    for i, one in enumerate(first, start=1):
        above, row = row, [i]
        for j, other in enumerate(second, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (one != other)))
    return row[-1]


def as_folders(pairs) -> tuple[dict[str, str], dict[str, str]]:
    reference = {str(i): pair[0] for i, pair in enumerate(pairs)}
    return reference, {str(i): pair[1] for i, pair in enumerate(pairs) if pair[1] is not None}


@settings(deadline=None, derandomize=True, max_examples=60)
@given(PAIRS)
def test_wer_and_cer_are_those_of_jiwer(pairs):
    found = scores(count(*as_folders(pairs)))
    for language, measure, rate in (("en", "wer", jiwer.wer), ("zh", "cer", jiwer.cer)):
        of_language = [pair for pair in pairs if any(map(is_ideograph, pair[0])) == (language == "zh")]
        assert found[language]["clips"] == len(of_language)
        assert found[language]["missing"] == sum(answer is None for _, answer in of_language)
        for suffix, form in (("", str), ("_norm", normalise)):
            reference = [form(text) for text, _ in of_language]
            submitted = [form(answer or "") for _, answer in of_language]
            value = found[language][measure + suffix]
            if any(text.strip() for text in reference):
                assert value == pytest.approx(rate(reference, submitted))
            else:
                assert value is None


@settings(deadline=None, derandomize=True, max_examples=60)
@given(PAIRS)
def test_mer_is_edit_distance_in_mixed_tokens_by_reference_tokens(pairs):
    found = scores(count(*as_folders(pairs)))["all"]
    for suffix, form in (("", str), ("_norm", normalise)):
        tokens = [(tokens_of(form(text)), tokens_of(form(answer or ""))) for text, answer in pairs]
        total = sum(len(reference) for reference, _ in tokens)
        edits = sum(distance(*pair) for pair in tokens)
        assert found[f"mer{suffix}"] == (pytest.approx(edits / total) if total else None)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(PAIRS)
def test_mer_per_file_is_the_mean_of_jiwers_match_error_rates(pairs):
    found = scores(count(*as_folders(pairs)))["all"]
    rates = [1 if b is None else jiwer.mer(" ".join(tokens_of(a)), " ".join(tokens_of(b))) for a, b in pairs]
    assert found["mer_per_file"] == pytest.approx(sum(rates) / len(rates))


def test_rates_are_total_edits_by_total_tokens_and_a_missing_recording_is_empty():
    reference = {"1": "one two three four", "2": "five", "3": "我在 Taipei"}
    found = scores(count(reference, {"1": "one two too four", "3": "我 Taipei"}))
    assert found["en"]["wer"] == (1 + 1) / 5
    assert found["en"]["mer_per_file"] == (1 / 4 + 1) / 2
    assert found["zh"]["cer"] == 1 / 9 and found["zh"]["mer"] == 1 / 3
    assert found["all"]["mer"] == 3 / 8
    assert [found[language]["missing"] for language in ("en", "zh", "all")] == [1, 0, 1]
    assert "cer" not in found["en"] and "wer" not in found["zh"]


def test_spaces_are_characters_as_they_are_to_jiwer():
    assert scores(count({"1": "你好"}, {"1": "你 好"}))["zh"]["cer"] == 0.5


def test_normalised_rates_forgive_case_and_punctuation():
    found = scores(count({"1": "Yes, Doctor."}, {"1": "yes doctor"}))["en"]
    assert (found["wer"], found["wer_norm"], found["mer_norm"]) == (1, 0, 0)


def test_without_a_token_in_the_reference_there_is_no_rate():
    found = scores(count({"1": ""}, {"1": "noise"}))
    assert found["en"]["wer"] is None and found["en"]["intervals"]["wer"] is None
    assert found["en"]["mer_per_file"] == 1
    assert scores(count({"1": ""}, {"1": ""}))["en"]["mer_per_file"] == 0
    assert scores(count({"1": ""}, {}))["en"]["mer_per_file"] == 1


def test_without_recordings_there_is_no_rate():
    found = scores(count({}, {"1": "yes"}))
    assert found["all"] == found["all"] | {"clips": 0, "missing": 0, "mer": None, "mer_per_file": None}


def test_recordings_that_only_the_submission_has_change_nothing_and_are_counted():
    reference, submitted = {"1": "yes"}, {"1": "no", "7": "what"}
    assert scores(count(reference, submitted)) == scores(count(reference, {"1": "no"}))
    assert count(reference, submitted).extra == 1


def test_intervals_hold_the_rate_and_come_out_the_same_again():
    reference = {str(i): "one two three four" for i in range(30)}
    submitted = {str(i): "one two three four" if i % 3 else "one too" for i in range(30)}
    found = scores(count(reference, submitted))["en"]
    low, high = found["intervals"]["wer"]
    assert low < found["wer"] < high
    assert found == scores(count(reference, submitted))["en"]


def test_the_worst_recordings_come_first_and_right_ones_not_at_all():
    rows = worst(count({"1": "a b", "2": "a b c", "10": "a b c", "3": "a"}, {"1": "a x", "3": "A."}))
    assert [(row["recording_id"], row["edits"], row["missing"]) for row in rows] == [
        ("2", 3, True),
        ("10", 3, True),
        ("1", 1, False),
    ]
    assert rows[0]["tokens"] == 3 and rows[0]["mer_norm"] == 1


def test_the_validation_set_has_no_error_against_itself_and_is_all_wrong_against_nothing(shared):
    texts = submission.read_task1(str(shared / "corpus/valid/task1_answer.txt"))
    same, empty = scores(count(texts, texts)), scores(count(texts, dict.fromkeys(texts, "")))
    for measure in ("wer", "wer_norm", "mer", "mer_norm", "mer_per_file", "mer_per_file_norm"):
        assert (same["en"][measure], empty["en"][measure]) == (0, 1)
    assert (same["all"]["clips"], same["en"]["clips"], same["zh"]["clips"]) == (442, 442, 0)
    assert scores(count(texts, {}))["all"]["missing"] == 442
