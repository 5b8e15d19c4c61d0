"""How much of the entities' time is redacted, worked out by hand and as properties."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.outputs.redaction import Redaction
from pipeline.scoring.coverage import SHARES, TOLERANCE_MS, clean_recordings, curves
from pipeline.scoring.coverage_picture import draw
from pipeline.scoring.matching import TimedEntity

NOTHING = [None] * len(SHARES)


def entity(start_s: float, end_s: float, kind: str = "DATE") -> TimedEntity:
    return TimedEntity.from_row({"start_s": start_s, "end_s": end_s, "type": kind, "text": "now"})


def of_one(reference: list[TimedEntity], predicted: list[TimedEntity]) -> dict:
    return curves(["1"], {"1": reference}, {"1": predicted})


def at(found: dict, name: str, share: float) -> float | None:
    return found[name][SHARES.index(share)]


def up_to(share: float) -> list[float]:
    return [float(each <= share) for each in SHARES]


TIMES = st.lists(
    st.builds(
        lambda start, length, kind: entity(start / 8, (start + length) / 8, kind),
        st.integers(0, 40),
        st.integers(0, 9),
        st.sampled_from(["DATE", "AGE"]),
    ),
    max_size=6,
)
SOME = st.fixed_dictionaries({"1": TIMES, "2": TIMES})


@pytest.mark.parametrize(
    ("predicted", "recalled_up_to"),
    [
        ([(1.0, 1.8)], 0.8),
        ([(0.0, 9.0)], 1.0),
        ([(1.0, 1.5), (1.3, 1.8)], 0.8),
        ([(1.0, 1.2), (1.4, 1.6)], 0.4),
        ([(1.0, 1.799)], 0.75),
        ([(1.95, 2.5)], 0.05),
        ([(2.0, 3.0)], 0.0),
        ([(1.5, 1.5)], 0.0),
        ([], 0.0),
    ],
    ids=["part", "all", "overlapping", "in parts", "1 ms short", "the end", "touching", "without length", "nothing"],
)
def test_an_entity_is_recalled_up_to_the_share_of_its_time_that_is_redacted(predicted, recalled_up_to):
    found = of_one([entity(1.0, 2.0)], [entity(*times, "AGE") for times in predicted])
    assert found["recall"] == up_to(recalled_up_to)
    assert found["by_type"] == {"DATE": {"entities": 1, "recall": found["recall"]}}


def test_precision_is_that_of_redacted_intervals_which_overlapping_and_touching_predictions_join():
    found = of_one([entity(1.0, 2.0), entity(1.5, 2.5)], [entity(0.5, 1.0), entity(1.0, 1.5), entity(1.4, 2.0)])
    assert (found["redacted"], found["precision"]) == (1, up_to(0.65)), "1.0 s of 1.5 s"
    found = of_one([entity(1.0, 2.0), entity(1.5, 2.5)], [entity(0.5, 2.5), entity(8, 9)])
    assert [at(found, "precision", share) for share in (0.05, 0.75, 0.8)] == [0.5, 0.5, 0.0]


def test_recall_counts_every_entity_and_is_also_told_by_type():
    reference = {"1": [entity(0, 1), entity(0, 2, "AGE")], "2": [entity(4, 5)]}
    found = curves(["1", "2"], reference, {"1": [entity(0, 1)], "9": [entity(4, 5)]})
    assert (found["entities"], found["redacted"]) == (3, 1)
    assert [at(found, "recall", share) for share in (0.5, 0.55, 1.0)] == [2 / 3, 1 / 3, 1 / 3]
    assert found["by_type"]["AGE"] == {"entities": 1, "recall": up_to(0.5)}
    assert found["by_type"]["DATE"] == {"entities": 2, "recall": [0.5] * len(SHARES)}


def test_what_there_is_none_of_has_no_share():
    assert of_one([entity(0, 1)], [])["precision"] == NOTHING
    assert of_one([entity(0, 1)], [])["intervals"]["precision"] == NOTHING
    spurious = of_one([], [entity(0, 1)])
    assert (spurious["recall"], spurious["precision"], spurious["by_type"]) == (NOTHING, up_to(0), {})
    assert of_one([entity(1, 1)], [entity(0, 2)])["by_type"] == {"DATE": {"entities": 0, "recall": NOTHING}}
    for found in (of_one([], []), curves([], {}, {}), curves(["1"], {}, {})):
        assert (found["recall"], found["precision"], found["entities"]) == (NOTHING, NOTHING, 0)


@settings(max_examples=40)
@given(SOME, SOME)
def test_recall_and_precision_fall_with_the_threshold_and_lie_in_their_intervals(reference, predicted):
    found = curves(["1", "2"], reference, predicted)
    for name in ("recall", "precision"):
        if found[name] != NOTHING:
            assert found[name] == sorted(found[name], reverse=True)
            ends = zip(found[name], found["intervals"][name], strict=True)
            assert all(low <= value <= high for value, (low, high) in ends)


@settings(max_examples=40)
@given(SOME, SOME, TIMES)
def test_another_prediction_never_lowers_recall_and_never_leaves_a_recording_less_clean(reference, predicted, more):
    after = predicted | {"1": predicted["1"] + more}
    recalls = [curves(["1", "2"], reference, each)["recall"] for each in (predicted, after)]
    assert recalls[0] == NOTHING or all(map(float.__le__, *recalls))
    clean = [clean_recordings(["1", "2"], reference, each)["count"] for each in (predicted, after)]
    assert clean[0] <= clean[1]


@settings(max_examples=40)
@given(SOME)
def test_recall_of_entities_that_do_not_touch_is_precision_with_the_sides_changed(predicted):
    joined = {"1": [entity(0, 1), entity(2, 3)], "2": [entity(5, 7)]}
    recall = curves(["1", "2"], joined, predicted)["recall"]
    assert recall == curves(["1", "2"], predicted, joined)["precision"]


@pytest.mark.parametrize(
    ("predicted", "clean"),
    [
        ([(1.0, 2.0), (4.0, 5.0)], True),
        ([(0.0, 9.0)], True),
        ([(1.1, 1.9), (4.0, 4.9)], True),
        ([(1.0, 1.4), (1.6, 2.0), (4.0, 5.0)], True),
        ([(1.101, 2.0), (4.0, 5.0)], False),
        ([(1.0, 1.4), (1.601, 2.0), (4.0, 5.0)], False),
        ([(1.0, 2.0)], False),
        ([(1.0, 2.0), (4.5, 4.5)], False),
        ([], False),
    ],
)
def test_a_recording_is_clean_if_all_its_entities_are_covered_but_for_a_tenth_of_a_second(predicted, clean):
    found = clean_recordings(["1"], {"1": [entity(1, 2), entity(4, 5)]}, {"1": [entity(*each) for each in predicted]})
    assert found == {"count": clean, "total": 1, "share": clean, "interval": [clean, clean]}


def test_the_tolerance_is_what_jobs_redact_adds():
    assert 1000 * Redaction().padding_s == TOLERANCE_MS


def test_a_short_entity_is_not_clean_because_it_is_short():
    assert clean_recordings(["1"], {"1": [entity(1, 1.05)]}, {"1": [entity(3, 4)]})["count"] == 0


def test_only_recordings_with_an_entity_that_has_a_length_can_be_clean():
    reference = {"1": [entity(0, 1)], "2": [], "3": [entity(1, 1)], "5": [entity(0, 1)]}
    found = clean_recordings(["1", "2", "3", "4", "5"], reference, {"1": [entity(0, 1)], "2": [entity(0, 1)]})
    assert (found["count"], found["total"], found["share"]) == (1, 2, 0.5)
    for recordings in ([], ["2"]):
        assert clean_recordings(recordings, reference, {}) == {"count": 0, "total": 0, "share": None, "interval": None}


@pytest.mark.parametrize("predicted", [[], [entity(0, 1)]])
def test_the_curves_are_drawn_also_where_there_is_none(predicted):
    picture = Image.open(io.BytesIO(draw(of_one([entity(0, 2)], predicted))))
    assert picture.format == "PNG" and picture.width > 500
