"""Scores of entities, against definitions written out a second time."""

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import submission, tables
from pipeline.scoring import bootstrap
from pipeline.scoring.entities import MEASURES, count, scores, timed, worst
from pipeline.scoring.normalise import normalise_entity

TYPES = ["DATE", "TIME", "PATIENT"]
SCORES = ("precision", "recall", "f1")


def row(recording_id: str, kind: str, start_s: float | None, end_s: float | None, text: str = "now", kept: bool = True):
    found = {"recording_id": recording_id, "type": kind, "group": "", "text": text, "source": "gold", "kept": kept}
    return found | {"start_s": start_s, "end_s": end_s}


def entities(*rows):
    return tables.from_rows(rows, tables.ENTITIES)


def score(reference, predicted, languages=None):
    languages = languages or {r["recording_id"]: "en" for r in reference}
    return scores(count(languages, entities(*reference), entities(*predicted)))


ROWS = st.lists(
    st.builds(
        lambda recording_id, kind, start, length, text: row(
            recording_id, kind, start * 0.125, (start + length) * 0.125, text
        ),
        st.sampled_from(["1", "2", "3"]),
        st.sampled_from(TYPES),
        st.integers(0, 20),
        st.integers(0, 6),
        st.sampled_from(["now", "Now ", "臺 北", "台北"]),
    ),
    max_size=8,
)
LANGUAGES = {"1": "en", "2": "zh", "3": "en"}


def brute_force(reference, predicted, measure: str) -> dict[str, tuple[int, int, int]]:
    """Right, predicted and reference numbers by type."""
    if measure.endswith("_untyped"):
        reference, predicted = ([r | {"type": "ANY"} for r in rows] for rows in (reference, predicted))
    found = {}
    for kind in {r["type"] for r in (*reference, *predicted)}:
        right = in_predicted = in_reference = 0
        for recording_id in LANGUAGES:
            wanted, given = (
                [r for r in rows if (r["recording_id"], r["type"]) == (recording_id, kind)]
                for rows in (reference, predicted)
            )
            if measure == "duration":
                one, other = slots(wanted), slots(given)
                right, in_predicted, in_reference = (
                    right + len(one & other),
                    in_predicted + len(other),
                    in_reference + len(one),
                )
                continue
            in_predicted, in_reference = in_predicted + len(given), in_reference + len(wanted)
            if measure.startswith("strict"):
                form = str.strip if measure == "strict" else normalise_entity
                texts = [Counter(form(r["text"]) for r in rows) for rows in (wanted, given)]
                right += (texts[0] & texts[1]).total()
            else:
                right += matches(wanted, given, Fraction(1, 2) if measure.startswith("iou50") else Fraction(0))
        found[kind] = (right, in_predicted, in_reference)
    return found


def slots(rows) -> set[int]:
    return {slot for r in rows for slot in range(round(100 * r["start_s"]), round(100 * r["end_s"]))}


def matches(wanted, given, least: Fraction) -> int:
    def fraction(one, other) -> Fraction:
        if (one["start_s"], one["end_s"]) == (other["start_s"], other["end_s"]):
            return Fraction(1)
        common = min(one["end_s"], other["end_s"]) - max(one["start_s"], other["start_s"])
        both = max(one["end_s"], other["end_s"]) - min(one["start_s"], other["start_s"])
        return Fraction(max(common, 0.0)) / Fraction(both)

    # Times are multiples of an eighth of a second, so these fractions are exact.
    wanted = sorted(wanted, key=lambda r: (r["start_s"], r["end_s"], r["text"]))
    given = sorted(given, key=lambda r: (r["start_s"], r["end_s"], r["text"]))
    candidates = [(-fraction(one, other), i, j) for i, one in enumerate(wanted) for j, other in enumerate(given)]
    number = 0
    while candidates:
        negative, i, j = min(candidates)
        number += -negative > 0 and -negative >= least
        candidates = [c for c in candidates if c[1] != i and c[2] != j]
    return number


def rates(right: int, predicted: int, reference: int) -> tuple[float, float, float]:
    if not predicted and not reference:
        return 1.0, 1.0, 1.0
    precision = right / predicted if predicted else 0.0
    recall = right / reference if reference else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0


@settings(deadline=None, derandomize=True, max_examples=60)
@given(ROWS, ROWS)
def test_every_measure_is_what_its_definition_says(reference, predicted):
    found = score(reference, predicted, LANGUAGES)
    for measure in MEASURES:
        counts = brute_force(reference, predicted, measure)
        micro = rates(*map(sum, zip(*counts.values(), strict=True))) if counts else (1.0, 1.0, 1.0)
        kinds = {"ANY"} if measure.endswith("_untyped") else {r["type"] for r in reference}
        of_types = [rates(*counts[kind]) for kind in kinds if reference]
        macro = [sum(values) / len(values) for values in zip(*of_types, strict=True)] if of_types else micro
        assert found[measure]["micro"] == pytest.approx(dict(zip(SCORES, micro, strict=True)))
        assert found[measure]["macro"] == pytest.approx(dict(zip(SCORES, macro, strict=True)))
        if not measure.endswith("_untyped"):
            for kind, of_type in counts.items():
                expected = dict(zip(SCORES, rates(*of_type), strict=True))
                assert {name: found["by_type"][kind][measure][name] for name in SCORES} == pytest.approx(expected)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(ROWS, ROWS)
def test_leak_recall_is_the_covered_share_of_the_references_time(reference, predicted):
    def moments(rows) -> set[tuple[str, int]]:
        return {(r["recording_id"], m) for r in rows for m in range(int(r["start_s"] * 8), int(r["end_s"] * 8))}

    def share(some) -> float:
        time = moments(some)
        return len(time & moments(predicted)) / len(time) if time else 1.0

    found = score(reference, predicted, LANGUAGES)
    assert found["leak_recall"] == pytest.approx(share(reference))
    for kind in found["by_type"]:
        of_type = [r for r in reference if r["type"] == kind]
        assert found["by_type"][kind]["leak_recall"] == pytest.approx(share(of_type))


@settings(deadline=None, derandomize=True, max_examples=30)
@given(ROWS, ROWS)
def test_by_language_is_the_score_of_that_languages_recordings_alone(reference, predicted):
    found = score(reference, predicted, LANGUAGES)["by_language"]
    for language in ("en", "zh"):
        of_language = {i: own for i, own in LANGUAGES.items() if own == language}
        alone = score([r for r in reference if r["recording_id"] in of_language], predicted, of_language)
        assert found[language] == {name: alone[name] for name in found[language]}


@settings(deadline=None, derandomize=True, max_examples=30)
@given(ROWS, ROWS)
def test_the_confusion_table_holds_every_entity_once_and_agrees_with_overlap(reference, predicted):
    found = score(reference, predicted, LANGUAGES)
    confusion = found["confusion"]
    for kind in TYPES:
        assert sum(confusion.get(kind, {}).values()) == sum(r["type"] == kind for r in reference)
        assert sum(columns.get(kind, 0) for columns in confusion.values()) == sum(r["type"] == kind for r in predicted)
        assert confusion.get(kind, {}).get(kind, 0) == brute_force(reference, predicted, "overlap").get(kind, (0,))[0]
    assert all(number > 0 for columns in confusion.values() for number in columns.values())


def test_texts_are_multisets_within_a_recording():
    reference = [row("1", "DATE", 0, 1), row("1", "DATE", 2, 3), row("2", "DATE", 0, 1)]
    found = score(reference, [row("1", "DATE", 8, 9, " now ")] * 3)
    assert found["strict"]["micro"] == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3})


def test_entities_without_times_are_compared_by_their_texts():
    reference = [row("1", "DATE", 0, 1), row("2", "DATE", 0, 1)]
    untimed = [row("1", "DATE", None, None), row("2", "AGE", None, None), row("2", "DATE", None, None, kept=False)]
    assert score(reference, untimed)["strict"]["micro"] == pytest.approx({"precision": 0.5, "recall": 0.5, "f1": 0.5})
    partly = [row("1", "DATE", 0, 1), row("2", "DATE", None, None)]
    assert score(reference, partly)["strict"]["micro"]["recall"] == 0.5, "task 2 has no entity without a time"


def test_an_iou_of_exactly_one_half_counts_also_where_floats_would_say_less():
    found = score([row("1", "DATE", 0.1, 0.4)], [row("1", "DATE", 0.1, 0.7)])
    assert found["iou50"]["micro"]["f1"] == 1
    found = score([row("1", "DATE", 0.1, 0.4)], [row("1", "DATE", 0.1, 0.701)])
    assert (found["iou50"]["micro"]["f1"], found["overlap"]["micro"]["f1"]) == (0, 1)


def test_duration_counts_slots_of_ten_milliseconds():
    found = score([row("1", "DATE", 1.004, 1.096)], [row("1", "DATE", 1.006, 1.304)])["duration"]["micro"]
    assert found == pytest.approx({"precision": 9 / 29, "recall": 9 / 10, "f1": 18 / 39})


def test_the_wrong_type_costs_all_measures_but_the_untyped_and_the_leak():
    found = score([row("1", "DATE", 0, 1)], [row("1", "TIME", 0, 1)])
    f1 = {measure: found[measure]["micro"]["f1"] for measure in MEASURES}
    assert {measure for measure in MEASURES if f1[measure]} == {"iou50_untyped", "overlap_untyped"}
    assert found["leak_recall"] == 1
    assert found["confusion"] == {"DATE": {"TIME": 1}}
    assert found["by_type"]["TIME"]["strict"] == {"precision": 0, "recall": 0, "f1": 0, "f2": 0}


def test_an_entity_of_its_own_type_is_preferred_in_the_confusion_table():
    predicted = [row("1", "TIME", 0, 2), row("1", "DATE", 1, 2), row("1", "TIME", 8, 9)]
    found = score([row("1", "DATE", 0, 2), row("1", "AGE", 4, 5)], predicted)
    assert found["confusion"] == {"AGE": {"missed": 1}, "DATE": {"DATE": 1}, "spurious": {"TIME": 2}}


def test_f2_weighs_recall_four_times_as_much():
    found = score([row("1", "DATE", 0, 1), row("1", "DATE", 2, 3)], [row("1", "DATE", 0, 1)])
    assert found["f2"]["strict"]["micro"] == pytest.approx(5 * 1 * 0.5 / (4 * 1 + 0.5))
    assert found["by_type"]["DATE"]["strict"]["f2"] == found["f2"]["strict"]["macro"]


def test_macro_is_the_mean_over_the_references_types():
    reference = [row("1", "DATE", 0, 1), row("1", "DATE", 2, 3, "then"), row("1", "AGE", 4, 5, "9")]
    found = score(reference, [row("1", "DATE", 0, 1), row("1", "TIME", 6, 7)])["strict"]
    assert found["macro"] == pytest.approx({"precision": 1 / 2, "recall": 1 / 4, "f1": (2 / 3) / 2})


def test_nothing_to_find_and_nothing_found_is_1_and_anything_found_there_is_0():
    assert score([], [], {"1": "en"})["strict"]["macro"] == {"precision": 1, "recall": 1, "f1": 1}
    found = score([], [row("1", "DATE", 0, 1)], {"1": "en"})
    assert found["strict"] == {average: {"precision": 0, "recall": 0, "f1": 0} for average in ("micro", "macro")}
    assert found["leak_recall"] == 1


def test_only_kept_entities_with_times_count():
    dropped = [row("1", "DATE", 5, 6, kept=False), row("1", "DATE", None, None)]
    reference = [row("1", "DATE", 0, 1)]
    assert score(reference, reference + dropped) == score(reference, reference)


def test_entities_of_recordings_that_the_reference_lacks_are_counted_and_not_scored():
    reference = [row("1", "DATE", 0, 1)]
    found = score(reference, [*reference, row("9", "AGE", 0, 1), row("9", "DATE", 0, 1)])
    assert found.pop("not_scored") == {"recordings": 1, "entities": 2}
    alone = score(reference, reference)
    del alone["not_scored"]
    assert found == alone


def test_intervals_are_by_recording_hold_the_score_and_come_out_the_same_again():
    reference = [row(str(i), kind, 0, 1) for i in range(40) for kind in ("DATE", "AGE")]
    predicted = [r for r in reference if int(r["recording_id"]) % 4]
    found = score(reference, predicted)
    for measure in MEASURES:
        for average in ("micro", "macro"):
            low, high = found["intervals"][measure][average]["recall"]
            assert low < found[measure][average]["recall"] == 0.75 < high
    low, high = found["intervals"]["leak_recall"]
    # Whole recordings are right or wrong, so the spread is that of 40 draws and not of 80 entities.
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.75 * 0.25 / 40), rel=0.1)
    assert found == score(reference, predicted)


def test_every_match_of_a_recording_counts():
    reference = [row("1", "DATE", start, start + 1) for start in (0, 2, 4)]
    predicted = [row("1", "DATE", 0, 1), row("1", "DATE", 2, 3), row("1", "DATE", 4.9, 6)]
    found = score(reference, predicted)
    assert found["confusion"] == {"DATE": {"DATE": 3}}
    assert found["overlap"]["micro"]["recall"] == 1 and found["iou50"]["micro"]["recall"] == 2 / 3


def test_the_confusion_lists_types_in_order_and_what_has_no_match_last():
    reference = [row("1", "TIME", 0, 1), row("1", "DATE", 2, 3), row("1", "DATE", 4, 5), row("1", "SET", 8, 9)]
    predicted = [row("1", "ZIP", 0, 1), row("1", "ZIP", 2, 3), row("1", "AGE", 6, 7), row("1", "AGE", 8, 9)]
    found = score(reference, predicted)["confusion"]
    assert found == {"DATE": {"ZIP": 1, "missed": 1}, "SET": {"AGE": 1}, "TIME": {"ZIP": 1}, "spurious": {"AGE": 1}}
    assert [list(found), list(found["DATE"])] == [["DATE", "SET", "TIME", "spurious"], ["ZIP", "missed"]]


def test_the_numbers_of_entities_stand_beside_the_scores():
    reference = [row("10", "DATE", 0, 1), row("10", "DATE", 2, 3), row("2", "DATE", 0, 1)]
    found = score(reference, reference[:1])
    numbers = {"reference": 3, "predicted": 1}
    assert {name: found[name] for name in ("recordings", *numbers)} == {"recordings": 2, **numbers}
    assert {name: found["by_type"]["DATE"][name] for name in numbers} == numbers
    assert {name: found["by_language"]["en"][name] for name in numbers} == numbers
    assert (found["intervals"]["samples"], found["intervals"]["seed"]) == (bootstrap.SAMPLES, bootstrap.SEED)
    assert count({"10": "en", "2": "en"}, entities(*reference), entities()).ids == ["2", "10"], "as one counts"


def test_a_type_that_only_the_answer_has_lowers_the_micro_scores_alone():
    reference = [row("1", "DATE", 0, 1)]
    found = score(reference, [*reference, row("1", "AGE", 5, 6)])["strict"]
    assert (found["micro"]["precision"], found["macro"]["precision"]) == (0.5, 1.0)


def test_a_millisecond_that_is_not_covered_leaks():
    assert score([row("1", "DATE", 0, 0.001)], [])["leak_recall"] == 0


def test_entities_of_texts_alone_are_all_at_the_start():
    (entity,) = timed(entities(row("1", "DATE", None, None)))["1"]
    assert (entity.start_ms, entity.end_ms) == (0, 0)


def test_the_worst_recordings_leak_the_longest():
    reference = [row("1", "DATE", 0, 1), row("2", "DATE", 0, 2), row("3", "DATE", 0, 1), row("10", "DATE", 0, 1)]
    reference += [row("5", "DATE", 0, 1)] * 2
    predicted = [row("1", "DATE", 0, 0.5), row("3", "TIME", 0, 1), row("10", "DATE", 0, 1), row("5", "DATE", 0, 1)]
    predicted += [row("4", "AGE", 0, 1)] * 2
    languages = dict.fromkeys(["1", "2", "3", "4", "5", "10"], "en")
    counts = count(languages, entities(*reference), entities(*predicted))
    rows = worst(counts)
    assert worst(counts, 2) == rows[:2]
    assert rows == [
        {"recording_id": "2", "leaked_s": 2.0, "missed": 1, "spurious": 0},
        {"recording_id": "1", "leaked_s": 0.5, "missed": 0, "spurious": 0},
        {"recording_id": "3", "leaked_s": 0.0, "missed": 1, "spurious": 1},
        {"recording_id": "4", "leaked_s": 0.0, "missed": 0, "spurious": 2},
        {"recording_id": "5", "leaked_s": 0.0, "missed": 1, "spurious": 0},
    ]


@pytest.mark.parametrize("split", ["valid", "train2"])
def test_real_labels_score_1_against_themselves_and_0_against_nothing(shared, split):
    labels = submission.read_task2(str(shared / f"corpus/{split}/task2_answer.txt"))
    languages = dict.fromkeys(labels["recording_id"].to_pylist(), "en")
    same = scores(count(languages, labels, labels))
    nothing = scores(count(languages, labels, tables.ENTITIES.empty_table()))
    for found, value in ((same, 1), (nothing, 0)):
        parts = [found, found["by_language"]["en"], *found["by_type"].values()]
        assert {part["leak_recall"] for part in parts} == {value}
        for measure in MEASURES:
            for average in ("micro", "macro"):
                assert set(found[measure][average].values()) == {value}
                assert found["intervals"][measure][average]["f1"] == [value, value]
    assert same["reference"] == same["predicted"] == len(labels)
