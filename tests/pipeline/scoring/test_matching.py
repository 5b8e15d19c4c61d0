"""One to one by falling IoU."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.scoring.matching import TimedEntity, match


def entity(start: int, end: int, kind: str = "DATE", text: str = "now") -> TimedEntity:
    return TimedEntity(start, end, kind, text, (start // 10, end // 10))


ENTITIES = st.lists(
    st.builds(lambda s, n, kind, text: entity(s, s + n, kind, text), st.integers(0, 12), st.integers(0, 6),
              st.sampled_from(["DATE", "TIME"]), st.sampled_from(["a", "b"])),
    max_size=6,
)  # fmt: skip


def pairs(reference, predicted, typed=True):
    return [(pair.reference, pair.predicted) for pair in match(reference, predicted, typed)]


def test_the_higher_iou_is_matched_first_and_its_partners_are_gone():
    reference = [entity(0, 10), entity(10, 20)]
    predicted = [entity(4, 14), entity(9, 20)]
    assert pairs(reference, predicted) == [(1, 1), (0, 0)]
    assert pairs(reference, [entity(4, 17)]) == [(1, 0)]


def test_of_equal_ious_the_earlier_entity_is_matched_in_whatever_order_they_are_given():
    reference, predicted = [entity(10, 20), entity(0, 10)], [entity(5, 15)]
    assert pairs(reference, predicted) == [(1, 0)]
    assert pairs(reference[::-1], predicted) == [(0, 0)]


def test_times_are_those_that_task_2_shows():
    about = {"type": "DATE", "text": "now"}
    shown = TimedEntity.from_row({"start_s": 1.015, "end_s": 2.015} | about)
    assert TimedEntity.from_row({"start_s": 1.0154, "end_s": 2.0154} | about) == shown


def test_entities_that_touch_do_not_overlap():
    assert not pairs([entity(0, 10)], [entity(10, 20)])


def test_an_entity_without_length_overlaps_only_its_like():
    assert pairs([entity(5, 5)], [entity(5, 5)]) == [(0, 0)]
    assert not pairs([entity(5, 5)], [entity(0, 10)])


def test_types_count_only_where_they_should():
    assert not pairs([entity(0, 10, "DATE")], [entity(0, 10, "TIME")])
    assert pairs([entity(0, 10, "DATE")], [entity(0, 10, "TIME")], typed=False) == [(0, 0)]


def test_nothing_matches_nothing():
    assert pairs([], [entity(0, 1)]) == pairs([entity(0, 1)], []) == pairs([], []) == []


@settings(deadline=None, derandomize=True)
@given(ENTITIES, ENTITIES, st.booleans())
def test_matching_is_taking_the_best_pair_that_is_left_again_and_again(reference, predicted, typed):
    def overlap(one: TimedEntity, other: TimedEntity) -> Fraction:
        if one[:2] == other[:2]:
            return Fraction(1)
        common = min(one.end_ms, other.end_ms) - max(one.start_ms, other.start_ms)
        return Fraction(max(0, common), max(one.end_ms, other.end_ms) - min(one.start_ms, other.start_ms))

    left, right, expected = set(range(len(reference))), set(range(len(predicted))), []
    while candidates := [
        (-overlap(reference[i], predicted[j]), reference[i], predicted[j], i, j)
        for i in left
        for j in right
        if overlap(reference[i], predicted[j]) > 0 and (not typed or reference[i].type == predicted[j].type)
    ]:
        best = min(candidates)
        expected.append((best[3], best[4], float(-best[0])))
        left.remove(best[3])
        right.remove(best[4])
    assert match(reference, predicted, typed) == expected
