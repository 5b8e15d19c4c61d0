"""Differences between a run and its reference."""

import pytest

from pipeline.scoring.differences import Mark, differing_tokens, mark_entities
from pipeline.scoring.matching import Pair, TimedEntity, match, match_typed_first


def row(type_: str, start_s: float | None, end_s: float | None, kept: bool = True) -> dict:
    return {"type": type_, "text": "", "start_s": start_s, "end_s": end_s, "kept": kept}


def test_entities_are_found_of_a_wrong_type_missed_or_spurious():
    reference = [row("DATE", 0, 1), row("AGE", 2, 3), row("CITY", 5, 6), row("SET", None, None)]
    found = [row("DATE", 0.9, 2), row("DATE", 0, 1, kept=False), row("TIME", 2, 3), row("CITY", 6, 7)]
    assert mark_entities(reference, found) == (
        [Mark("found", 0), Mark("wrong type", 2), Mark("missed"), None],
        [Mark("found", 0), None, Mark("wrong type", 1), Mark("spurious")],
    )
    assert mark_entities([], []) == ([], [])


def test_the_same_type_comes_before_a_better_overlap_of_another():
    reference = [TimedEntity.from_row(row("DATE", 0, 2)), TimedEntity.from_row(row("TIME", 4, 5))]
    predicted = (("TIME", 0, 2), ("DATE", 1, 3), ("DATE", 4, 5))
    found = [TimedEntity.from_row(row(*each)) for each in predicted]
    assert match(reference, found, typed=False)[0] == Pair(0, 0, 1.0)
    assert match_typed_first(reference, found) == [Pair(0, 1, pytest.approx(1 / 3)), Pair(1, 2, 1.0)]


def test_tokens_that_differ_have_their_places_in_both_texts():
    def differing_parts(reference: str, answer: str) -> tuple[list[str], list[str]]:
        places = differing_tokens(reference, answer)
        return [reference[a:b] for a, b in places[0]], [answer[a:b] for a, b in places[1]]

    assert differing_parts("Take it, twice a day", "take it twice daily") == (["a", "day"], ["daily"])
    assert differing_parts("他在 Taipei 看臺北", "她在Taipei看台北 … 嗎") == (["他"], ["她", "嗎"])
    assert differing_parts("", "new") == ([], ["new"])
    assert differing_parts("gone", "") == (["gone"], [])
    assert differing_parts("Ｏ．Ｋ． 👩‍⚕️", "o.k.") == ([], [])
