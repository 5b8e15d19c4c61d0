"""Types from another run, and votes of many."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import submission, tables
from pipeline.outputs.merging import overlapping, replace_types, vote, without_foreign_spans

TYPES = ["DATE", "TIME", "SET"]


def row(recording_id: str, kind: str, start_s, end_s, text: str = "now", **others):
    found = {"recording_id": recording_id, "type": kind, "group": "", "text": text, "source": "adapter", "kept": True}
    return found | {"start_s": start_s, "end_s": end_s} | others


def table(*rows):
    return tables.from_rows(rows, tables.ENTITIES)


def lines(entities, tmp_path) -> list[str]:
    submission.write_task2(entities, str(tmp_path / "task2_answer.txt"))
    return (tmp_path / "task2_answer.txt").read_text(encoding="utf-8").splitlines()


def brief(entities):
    return [(r["recording_id"], r["type"], r["start_s"], r["end_s"], r["text"]) for r in entities.to_pylist()]


ROWS = st.lists(
    st.builds(
        lambda recording_id, kind, start, length, text: row(recording_id, kind, start / 4, (start + length) / 4, text),
        st.sampled_from(["2", "10", "x"]),
        st.sampled_from(TYPES),
        st.integers(0, 12),
        st.integers(0, 5),
        st.sampled_from(["now", "then", ""]),
    ),
    max_size=8,
)


@settings(deadline=None, derandomize=True)
@given(ROWS, ROWS, st.sets(st.sampled_from(TYPES)))
def test_replacing_is_the_references_rule_on_lines(base, source, types):
    """Lines of the base without the types, lines of the source with them, sorted by id and time, each once."""
    expected = {
        (r["recording_id"], r["start_s"], r["end_s"], r["type"], r["text"])
        for rows, wanted in ((base, False), (source, True))
        for r in rows
        if (r["type"] in types) == wanted
    }
    merged = replace_types(table(*base), table(*source), types)
    ids = {"2": 0, "10": 1, "x": 2}
    assert [(i, start, end, kind, text) for i, kind, start, end, text in brief(merged)] == sorted(
        expected, key=lambda r: (ids[r[0]], *r[1:])
    )


def test_what_clashes_across_types_stays_side_by_side(tmp_path):
    base = table(row("1", "DATE", 1, 2, "every day"), row("1", "TIME", 4, 5), row("2", "SET", 1, 2, "weekly"))
    source = table(row("1", "SET", 1, 2, "every day"), row("1", "TIME", 4, 6), row("3", "SET", 0, 1, "daily"))
    assert lines(replace_types(base, source, ["SET"]), tmp_path) == [
        "1\tDATE\t1.000\t2.000\tevery day",
        "1\tSET\t1.000\t2.000\tevery day",
        "1\tTIME\t4.000\t5.000\tnow",
        "3\tSET\t0.000\t1.000\tdaily",
    ]


def test_an_empty_source_takes_the_types_away_and_an_empty_base_gets_them():
    some, none = table(row("1", "DATE", 1, 2), row("1", "SET", 3, 4)), table()
    assert brief(replace_types(some, none, ["SET"])) == [("1", "DATE", 1, 2, "now")]
    assert brief(replace_types(none, some, ["SET"])) == [("1", "SET", 3, 4, "now")]
    assert len(replace_types(none, none, ["SET"])) == 0


def test_of_rows_that_would_be_the_same_line_the_surest_stays():
    base = table(row("1", "SET", 1, 2, confidence=0.4), row("1", "SET", 1.0001, 2, confidence=0.9))
    assert replace_types(table(), base, ["SET"])["confidence"].to_pylist() == [0.9]


@pytest.mark.parametrize(("first", "second", "stays"), [(None, 0.4, 1), (0.4, None, 0), (0.4, 0.4, 0), (0.4, 0.3, 0)])
def test_no_confidence_is_the_least_and_of_equals_the_first_stays(first, second, stays):
    rows = [row("1", "SET", 1, 2, confidence=value, source=f"{i}") for i, value in enumerate((first, second))]
    assert replace_types(table(), table(*rows), ["SET"])["source"].to_pylist() == [f"{stays}"]


def test_rows_go_by_start_end_and_place_and_what_has_none_comes_last():
    times = [(None, None), (0.5, 1.0), (0.0, 0.5), (0.0, 0.0)]
    merged = replace_types(table(), table(*(row("1", "SET", *time) for time in times)), ["SET"])
    assert [(r["start_s"], r["end_s"]) for r in merged.to_pylist()] == times[::-1]
    dropped = [row("1", "SET", 1, 2, kept=False, char_start=at) for at in (None, 3, 1, 0)]
    assert replace_types(table(), table(*dropped), ["SET"])["char_start"].to_pylist() == [0, 1, 3, None]


def test_entities_that_were_dropped_stay_in_the_table_and_off_the_lines(tmp_path):
    dropped = row("1", "SET", 1, 2, kept=False, cause="rule")
    merged = replace_types(table(), table(dropped, dropped, row("1", "SET", None, None)), ["SET"])
    assert len(merged) == 3
    assert lines(merged, tmp_path) == []


def test_kept_entities_that_overlap_one_of_another_type_are_counted():
    clash = [row("1", "DATE", 1, 3), row("1", "TIME", 2, 4)]
    alone = [row("1", "DATE", 2, 3), row("1", "SET", 4, 5), row("2", "TIME", 1, 3), row("1", "AGE", 0, 1)]
    assert overlapping(table(*clash, *alone)) == 3, "both, and the other date"
    assert overlapping(table(*alone)) == overlapping(table(clash[0], clash[1] | {"kept": False})) == 0


def test_what_two_of_three_runs_agree_on_is_kept_once():
    first = table(row("1", "DATE", 1.0, 2.0, "may"), row("1", "TIME", 5, 6))
    second = table(row("1", "DATE", 1.1, 2.1, "May"), row("2", "DATE", 1, 2))
    third = table(row("1", "TIME", 8, 9), row("1", "DATE", 1.2, 2.2, "May!"))
    assert brief(vote([first, second, third])) == [("1", "DATE", 1.1, 2.1, "May")]


def test_the_winner_lies_amid_the_others_and_of_equals_the_first_run_wins():
    runs = [table(row("1", "DATE", start, start + 1, f"{start}")) for start in (1.0, 1.2, 1.1)]
    assert brief(vote(runs)) == [("1", "DATE", 1.1, 2.1, "1.1")]
    runs = [table(row("1", "DATE", start, start + 1, f"{start}")) for start in (1.0, 1.2, 1.15)]
    assert brief(vote(runs)) == [("1", "DATE", 1.15, 2.15, "1.15")], "by little"
    pair = [table(row("1", "DATE", 1, 2, "b")), table(row("1", "DATE", 1, 2, "a"))]
    assert brief(vote(pair)) == [("1", "DATE", 1, 2, "b")]
    assert brief(vote(pair[::-1])) == [("1", "DATE", 1, 2, "a")]


def test_the_surer_entity_wins_and_confidence_is_the_weighted_mean_over_all_runs():
    first, second = (table(row("1", "DATE", 1, 2, str(c), confidence=c)) for c in (0.5, 0.9))
    (kept,) = vote([first, second, table()]).to_pylist()
    assert kept["text"] == "0.9" and kept["confidence"] == pytest.approx((0.5 + 0.9 + 0) / 3)
    (kept,) = vote([first, second, table()], weights=[2, 1, 1]).to_pylist()
    assert kept["text"] == "0.5" and kept["confidence"] == pytest.approx((2 * 0.5 + 0.9) / 4)
    (kept,) = vote([first, table(row("1", "DATE", 1, 2, "sure"))]).to_pylist()
    assert kept["text"] == "sure" and kept["confidence"] == pytest.approx((0.5 + 1) / 2)
    assert vote([table(row("1", "DATE", 1, 2))], votes=1)["confidence"].to_pylist() == [None]


def test_a_run_votes_with_its_closest_entity_and_for_its_own_with_that_itself():
    first = table(row("1", "DATE", 1, 2, "a", confidence=0.9), row("1", "DATE", 1.05, 2.05, "b", confidence=0.1))
    second = table(row("1", "DATE", 1.3, 2.3, confidence=0.2), row("1", "DATE", 1.1, 2.1, confidence=0.4))
    (kept,) = vote([first, second]).to_pylist()
    assert kept["text"] == "a" and kept["confidence"] == pytest.approx((0.9 + 0.4) / 2)


def test_an_entity_without_confidence_is_as_sure_as_one_can_be_and_no_surer():
    sure, unknown = table(row("1", "DATE", 1, 2, "sure", confidence=1.0)), table(row("1", "DATE", 1, 2, "unknown"))
    assert vote([sure, unknown])["text"].to_pylist() == ["sure"]
    assert vote([unknown, sure])["text"].to_pylist() == ["unknown"]


def test_types_have_to_agree():
    runs = [table(row("1", kind, 1, 2)) for kind in ("DATE", "DATE", "TIME")]
    assert brief(vote(runs)) == [("1", "DATE", 1, 2, "now")]
    assert len(vote(runs, votes=3)) == 0


def test_iou_has_to_reach_the_setting_exactly():
    runs = [table(row("1", "DATE", 0.1, 0.4)), table(row("1", "DATE", 0.1, 0.7))]
    assert len(vote(runs, least_iou=0.5)) == 1
    assert len(vote(runs, least_iou=0.51)) == 0


def test_a_run_votes_once_however_often_it_says_it():
    twice = table(row("1", "DATE", 1, 2, "a"), row("1", "DATE", 1, 2, "b"), row("1", "DATE", 1, 2.1))
    assert len(vote([twice, table()])) == 0
    assert len(vote([twice, table()], votes=1)) == 1


def test_weights_are_votes():
    runs = [table(row("1", "DATE", 1, 2)), table(row("1", "TIME", 1, 2)), table(row("1", "TIME", 1, 2))]
    assert brief(vote(runs, votes=0.3, weights=[0.3, 0.1, 0.1])) == [("1", "DATE", 1, 2, "now")]
    assert brief(vote(runs, votes=0.2, weights=[0.1, 0.1, 0.1])) == [("1", "TIME", 1, 2, "now")]


def test_one_vote_is_the_union_without_doubles():
    runs = [
        table(row("1", "DATE", 1, 2), row("2", "SET", 1, 2)),
        table(row("1", "DATE", 1.1, 2), row("1", "AGE", 7, 8)),
    ]
    assert [r[:2] for r in brief(vote(runs, votes=1))] == [("1", "DATE"), ("1", "AGE"), ("2", "SET")]


def test_dropped_entities_have_no_vote_and_those_without_times_stay_once():
    """An entity without times keeps jobs.redact from copying its recording out, so it must not get lost."""
    runs = [table(row("1", "DATE", 1, 2, kept=False), row("1", "SET", None, None))] * 2
    assert brief(vote(runs)) == [("1", "SET", None, None, runs[0]["text"].to_pylist()[1])]
    others = [row("1", "SET", None, None, text, **at) for text, at in (("a", {}), ("b", {}), ("b", {"char_start": 3}))]
    assert len(vote([table(*others)] * 2)) == 3, "they are different ones"


def test_what_went_with_a_winner_votes_for_nothing_else():
    """The second run's entity takes two with it, one of which was all that agreed with the first run's later one."""
    first = table(row("1", "DATE", 0.0, 1.0, "a"), row("1", "DATE", 0.9, 1.9, "d"))
    runs = [first, table(row("1", "DATE", 0.3, 1.3, "b")), table(row("1", "DATE", 0.6, 1.6, "c"))]
    assert brief(vote(runs)) == [("1", "DATE", 0.3, 1.3, "b")]


def test_empty_runs_agree_on_nothing():
    assert vote([table(), table()]).equals(table())


@settings(deadline=None, derandomize=True)
@given(st.lists(ROWS, min_size=1, max_size=4), st.sampled_from([1, 2, 3]), st.sampled_from([0.25, 0.5, 1.0]))
def test_every_winner_has_its_votes_and_no_two_winners_agree(rows, votes, least_iou):
    def iou(one, other) -> float:
        if one[2:4] == other[2:4]:
            return 1.0
        shared = max(0, min(one[3], other[3]) - max(one[2], other[2]))
        return shared / (max(one[3], other[3]) - min(one[2], other[2]))

    def agree(one, other) -> bool:
        return one[:2] == other[:2] and iou(one, other) >= least_iou

    runs = [table(*some) for some in rows]
    winners = brief(vote(runs, votes, least_iou))
    for winner in winners:
        assert any(winner in brief(run) for run in runs)
        assert sum(any(agree(winner, entity) for entity in brief(run)) for run in runs) >= votes
    assert not any(agree(one, other) for one, other in itertools.combinations(winners, 2))
    # What has the votes is kept, or something that agrees with it, or with what gave it its votes, is.
    for entity in itertools.chain(*map(brief, runs)):
        friends = [[other for other in brief(run) if agree(entity, other)] for run in runs]
        if sum(map(bool, friends)) >= votes:
            assert any(agree(winner, friend) for winner in winners for friend in itertools.chain(*friends))


@settings(deadline=None, derandomize=True)
@given(st.lists(ROWS, min_size=1, max_size=3), st.randoms())
def test_the_order_of_rows_does_not_matter(rows, random):
    shuffled = [random.sample(some, len(some)) for some in rows]
    assert vote([table(*some) for some in rows]).equals(vote([table(*some) for some in shuffled]))


@settings(deadline=None, derandomize=True)
@given(ROWS)
def test_a_run_that_votes_with_itself_loses_only_what_agrees_with_another_of_its_own(rows):
    run = table(*rows)
    assert brief(vote([run, run], 2, 1.0)) == brief(vote([run], 1, 1.0))


def test_spans_stay_only_where_the_transcript_stays():
    spans = {"char_start": 0, "char_end": 3}
    entities = table(row("1", "DATE", 1, 2, **spans), row("2", "DATE", 1, 2, **spans))
    kept = without_foreign_spans(entities, {"1": "now", "2": "now"}, {"1": "now", "2": "now."})
    assert kept.schema == tables.ENTITIES
    assert kept["char_start"].to_pylist() == [0, None] and kept["char_end"].to_pylist() == [3, None]
    assert without_foreign_spans(entities, None, {"1": "now"})["char_end"].to_pylist() == [None, None]
