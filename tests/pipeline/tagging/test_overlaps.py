from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.tagging.entities import Entity
from pipeline.tagging.overlaps import resolve_overlaps


def entity(
    type_: str, start: int, end: int, confidence: float | None = 0.5, source: str = "adapter", kept: bool = True
) -> Entity:
    cause = None if kept else "threshold"
    return Entity(type_, "group", "x" * (end - start), start, end, confidence, source, kept, cause)


def lost(given: Entity) -> Entity:
    return replace(given, kept=False, cause="overlap")


def overlap(one: Entity, other: Entity) -> bool:
    return max(one.char_start, other.char_start) < min(one.char_end, other.char_end)


ENTITIES = st.lists(
    st.builds(
        lambda type_, start, length, confidence, source, kept: entity(
            type_, start, start + length, confidence, source, kept
        ),
        st.sampled_from(["DATE", "TIME", "PHONE"]),
        st.integers(0, 20),
        st.integers(1, 6),
        st.none() | st.sampled_from([0.2, 0.5, 0.9]),
        st.sampled_from(["adapter", "pattern"]),
        st.booleans(),
    ),
    max_size=12,
)


def test_the_one_with_the_highest_confidence_stays():
    weak, strong = entity("DATE", 0, 9, 0.6), entity("PHONE", 5, 8, 0.7)
    assert resolve_overlaps([weak, strong]) == [lost(weak), strong]


def test_of_equally_sure_ones_the_longer_stays_then_the_first_then_the_alphabet():
    short, long = entity("DATE", 0, 3), entity("TIME", 2, 6)
    assert resolve_overlaps([short, long]) == [lost(short), long]
    first, second = entity("TIME", 0, 3), entity("DATE", 2, 5)
    assert resolve_overlaps([second, first]) == [lost(second), first]
    date, time = entity("DATE", 0, 3), entity("TIME", 0, 3)
    assert resolve_overlaps([time, date]) == [lost(time), date]


def test_one_that_nobody_estimated_is_the_least_sure():
    unknown, known = entity("DATE", 0, 9, None), entity("PHONE", 5, 8, 0.0)
    assert resolve_overlaps([unknown, known]) == [lost(unknown), known]


def test_neighbours_do_not_overlap():
    pair = [entity("DATE", 0, 3), entity("TIME", 3, 5)]
    assert resolve_overlaps(pair) == pair


def test_what_only_a_loser_overlapped_stays():
    left, middle, right = entity("DATE", 0, 4, 0.5), entity("TIME", 3, 8, 0.6), entity("PHONE", 7, 9, 0.7)
    assert resolve_overlaps([left, middle, right]) == [left, lost(middle), right]


def test_the_same_entity_from_two_sources_is_one_with_the_higher_confidence():
    adapter, pattern = entity("PHONE", 0, 5, 0.6), entity("PHONE", 0, 5, 0.9, "pattern")
    assert resolve_overlaps([adapter, pattern]) == [pattern]


def test_the_same_entity_twice_that_loses_is_one_loser():
    twice, winner = entity("PHONE", 0, 5, 0.6), entity("DATE", 0, 9, 0.9)
    assert resolve_overlaps([twice, replace(twice, source="pattern"), winner]) == [lost(twice), winner]


def test_what_was_dropped_before_neither_wins_nor_loses():
    dropped, kept = entity("DATE", 0, 9, 0.9, kept=False), entity("TIME", 0, 5, 0.1)
    assert resolve_overlaps([dropped, kept]) == [dropped, kept]


@given(ENTITIES)
def test_kept_entities_never_overlap_and_every_loser_overlaps_a_winner_as_sure(given: list[Entity]):
    result = resolve_overlaps(given)
    winners = [found for found in result if found.kept]
    assert not any(overlap(one, other) for one, other in combinations(winners, 2))
    for loser in (found for found in result if found.cause == "overlap"):
        assert any(overlap(loser, winner) and (winner.confidence or 0) >= (loser.confidence or 0) for winner in winners)


@given(ENTITIES, st.randoms(use_true_random=False))
def test_the_order_given_does_not_matter(given: list[Entity], random):
    shuffled = list(given)
    random.shuffle(shuffled)
    assert set(resolve_overlaps(shuffled)) == set(resolve_overlaps(given))
