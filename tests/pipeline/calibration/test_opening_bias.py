"""The opening bias of each entity group, chosen among those of runs."""

import pytest

from pipeline.calibration.cross_validation import calibrate
from pipeline.calibration.held_out import operation, parts
from pipeline.calibration.opening_bias import choose, judge
from pipeline.calibration.runs import Runs
from pipeline.calibration.thresholds import ALL, share
from tests.made_up_findings import Rows, findings, recordings_of, row

GROUPS = {"names": ["PATIENT"], "times": ["DATE", "TIME"], "addresses": ["CITY"]}
NUMBER = 200


def runs(found: dict[float, Rows], wanted: Rows, number: int = NUMBER) -> Runs:
    """Make a run of each bias, which all entity groups have."""
    recordings = [recordings_of(rows, wanted, number) for rows in found.values()]
    return Runs(recordings, [dict.fromkeys(GROUPS, bias) for bias in found], GROUPS)


def chosen(of: Runs, recall: float = 0.95) -> dict[str, float]:
    return choose(of, judge(of, recall, 5, 0), recall)


def without(rows: Rows, type_: str, share: int) -> Rows:
    """Leave out one of so many entities of a type."""
    return [one for one in rows if one["type"] != type_ or int(one["recording_id"]) % share]


def wrong(type_: str, group: str, confidence: float) -> Rows:
    return [row(number, type_, group, 9.0, confidence, "adapter") for number in range(1, NUMBER + 1)]


def test_a_group_whose_entities_only_a_higher_bias_finds_gets_it_and_the_others_keep_the_lowest():
    found, wanted = findings(NUMBER, 1)
    of = runs({0.0: without(found, "PATIENT", 3), 2.0: found, 4.0: found}, wanted)
    assert chosen(of) == {"names": 2.0, "times": 0.0, "addresses": 0.0}


@pytest.mark.parametrize("confidence", [0.001, 0.999])
def test_a_group_to_which_a_higher_bias_only_adds_wrong_ones_keeps_the_lowest(confidence):
    found, wanted = findings(NUMBER, 1)
    more = found + wrong("CITY", "addresses", confidence)
    assert chosen(runs({0.0: found, 2.0: more}, wanted))["addresses"] == 0.0
    assert chosen(runs({2.0: more, 0.0: found}, wanted))["addresses"] == 0.0, "in whatever order the runs are given"


def test_of_biases_that_hold_the_recall_the_highest_precision_counts():
    _, wanted = findings(NUMBER, 1)
    unsure = [one | {"confidence": 0.2 + int(one["recording_id"]) % 7 / 10, "source": "adapter"} for one in wanted]
    unsure += wrong("CITY", "addresses", 0.5)
    sure = [one | {"confidence": 0.9} for one in unsure if one["start_s"] != 9.0] + wrong("CITY", "addresses", 0.1)
    assert chosen(runs({0.0: unsure, 2.0: sure}, wanted))["addresses"] == 2.0


def test_where_no_bias_holds_the_recall_the_one_that_covers_the_most_is_chosen():
    found, wanted = findings(NUMBER, 1)
    of = runs({0.0: without(found, "CITY", 2), 2.0: without(found, "CITY", 4), 4.0: without(found, "CITY", 4)}, wanted)
    assert chosen(of, 0.98) == {"names": 0.0, "times": 0.0, "addresses": 2.0}


@pytest.mark.parametrize(("more", "bias"), [(1, 0.0), (3, 2.0)])
def test_where_no_bias_holds_the_recall_a_hundredth_of_it_is_worth_a_higher_bias_and_less_is_not(more, bias):
    wanted = [row(number, "CITY", "addresses", 0, None, "gold") for number in range(1, NUMBER + 1)]
    found = [row(number, "CITY", "addresses", 0, 0.9, "adapter") for number in range(1, NUMBER + 1)]
    half = NUMBER // 2
    of = runs({0.0: found[:half], 2.0: found[: half + more] + wrong("CITY", "addresses", 0.9)}, wanted)
    assert chosen(of)["addresses"] == bias


def test_a_group_that_the_reference_lacks_keeps_the_lowest():
    found, wanted = findings(NUMBER, 1)
    known = [one for one in wanted if one["type"] != "CITY"]
    assert chosen(runs({2.0: found, -1.0: found}, known)) == {"names": -1.0, "times": -1.0, "addresses": -1.0}


def test_the_bias_of_a_single_run_stays_unjudged():
    found, wanted = findings(NUMBER, 1)
    of = Runs([recordings_of(found, wanted, NUMBER)], [{"names": 2.0, "times": 1.0}], GROUPS)
    assert judge(of, 0.95, 5, 0) == {}
    assert chosen(of) == {"names": 2.0, "times": 1.0}
    assert of.mixed(chosen(of)) == of.recordings[0]


def test_what_was_found_of_a_type_comes_from_the_run_of_its_group_and_overlaps_are_resolved_anew():
    date, patient = row(1, "DATE", "times", 0, 0.8, "adapter"), row(1, "PATIENT", "names", 0.2, 0.9, "adapter")
    phone, again = row(1, "PHONE", "patterns", 4, 0.9, "pattern"), row(1, "PATIENT", "names", 5, 0.9, "repeat")
    late = row(1, "DATE", "times", 6, 0.9, "adapter")
    hidden = date | {"kept": False, "cause": "overlap"}
    of = runs({0.0: [date, phone], 2.0: [hidden, patient, again, late]}, [row(1, "DATE", "", 0, None, "gold")], 1)
    (mixed,) = of.mixed({"names": 2.0, "times": 0.0})
    assert [one.found_as for one in mixed.candidates] == ["DATE", "PHONE", "PATIENT", "PATIENT"]
    assert [one.found_as for one in mixed.kept({})] == ["PHONE", "PATIENT", "PATIENT"]
    (other,) = of.mixed({"names": 0.0, "times": 0.0})
    assert [one.found_as for one in other.kept({})] == ["DATE", "PHONE"]


def test_each_fold_is_judged_by_a_bias_that_the_others_chose():
    """One bias finds what is in one half alone, the other what is in the other: chosen on all, half would be held."""
    part = parts(40, 2, 0)
    wanted = [row(number, "CITY", "addresses", 0, None, "gold") for number in range(1, 41)]
    everywhere = [row(number, "DATE", "times", 4, 0.9, "adapter") for number in range(1, 41)]
    found = [row(number, "CITY", "addresses", 0, 0.9, "adapter") for number in range(1, 41)]
    halves = [[one for one, of in zip(found, part, strict=True) if of == half] + everywhere for half in (0, 1)]
    calibrated = calibrate(runs({0.0: halves[0], 2.0: halves[1]}, wanted, 40), 0.9, folds=2, seed=0)
    assert share(calibrated.everything.recall, ALL) == 0.5
    assert share(calibrated.held_out.recall, ALL) == 0.0


def test_with_the_chosen_biases_the_wanted_recall_is_reached_on_other_recordings():
    def drawn(seed: int) -> Runs:
        found, wanted = findings(400, seed)
        return runs({0.0: without(found, "PATIENT", 3), 2.0: found + wrong("CITY", "addresses", 0.95)}, wanted, 400)

    calibrated = calibrate(drawn(1), 0.95, folds=5, seed=0)
    assert calibrated.opening_bias == {"names": 2.0, "times": 0.0, "addresses": 0.0}
    others = [one.calibrated(calibrated.calibration) for one in drawn(2).mixed(calibrated.opening_bias)]
    reached = operation([(one, calibrated.thresholds) for one in others], calibrated.dials)
    assert share(reached.recall, ALL) == pytest.approx(0.95, abs=0.02)
    assert share(reached.recall, ALL) == pytest.approx(share(calibrated.held_out.recall, ALL), abs=0.02)
    assert share(reached.precision, ALL) > 0.9
