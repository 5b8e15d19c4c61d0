"""Thresholds that hold on other recordings, and confidences that are probabilities."""

from dataclasses import replace

import pytest

from pipeline import tables
from pipeline.calibration import confidences
from pipeline.calibration.candidates import Candidate, Recording, first_found, pair
from pipeline.calibration.cross_validation import calibrate
from pipeline.calibration.held_out import operation
from pipeline.calibration.picture import curve, draw
from pipeline.calibration.thresholds import ALL, SHARED, Dials, dials, fit, share
from pipeline.errors import UserError
from pipeline.settings import CalibrationSettings, TaggerSettings
from pipeline.speech.words import Transcript, Word
from pipeline.submission import Submission
from pipeline.tagging.entities import Entity
from pipeline.tagging.post_processing import PostProcessor
from tests.made_up_findings import alone, findings, recordings_of, row


def made_up(number: int, seed: int) -> list[Recording]:
    return recordings_of(*findings(number, seed), number)


@pytest.mark.parametrize("recall", [0.98, 0.9])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_wanted_recall_is_reached_on_other_recordings_and_most_false_entities_go(recall, seed):
    calibrated = calibrate(alone(made_up(400, seed)), recall, folds=5, seed=0)
    assert calibrated.dials.own == ["CITY", "DATE", "PATIENT"]
    others = [one.calibrated(calibrated.calibration) for one in made_up(1000, seed + 100)]
    before = operation([(one, {}) for one in others], calibrated.dials)
    after = operation([(one, calibrated.thresholds) for one in others], calibrated.dials)
    assert share(before.recall, ALL) == 1.0
    assert share(after.recall, ALL) == pytest.approx(recall, abs=0.01 if recall == 0.98 else 0.02)
    assert all(share(after.recall, type_) > recall - 0.02 for type_ in calibrated.dials.own)
    assert share(before.precision, ALL) < 0.75
    assert share(after.precision, ALL) > 0.9
    assert share(calibrated.held_out.recall, ALL) == pytest.approx(share(after.recall, ALL), abs=0.015)
    assert share(calibrated.held_out.precision, ALL) == pytest.approx(share(after.precision, ALL), abs=0.03)


def test_confidences_are_nearer_to_probabilities_on_other_recordings():
    calibrated = calibrate(alone(made_up(300, 1)), 0.98, folds=5, seed=0)
    found = [one for some in first_found(made_up(300, 2)) for one in some]
    before, after = (
        confidences.errors([one.entity.confidence for one in some], [one.right for one in some])
        for some in (found, [one.calibrated(calibrated.calibration) for one in found])
    )
    assert after["ece"] < 0.75 * before["ece"] and after["brier"] < 0.75 * before["brier"]
    assert calibrated.after["ece"] < calibrated.before["ece"] and calibrated.after["brier"] < calibrated.before["brier"]
    shifts = calibrated.calibration.shifts
    assert shifts["PATIENT"] < shifts["CITY"] < shifts["DATE"], "those that were too high come down"


def test_the_error_of_confidences_is_that_of_the_definition():
    assert confidences.errors([0.9, 0.9, 0.1], [True, False, False]) == {
        "ece": pytest.approx((0.8 + 0.1) / 3),
        "brier": pytest.approx((0.01 + 0.81 + 0.01) / 3),
    }
    assert confidences.errors([1.0], [True]) == {"ece": 0.0, "brier": 0.0}


def test_the_same_seed_gives_the_same_thresholds():
    one, other = (calibrate(alone(made_up(100, 1)), 0.9, folds=3, seed=7) for _ in range(2))
    assert (one.thresholds, one.calibration, one.held_out) == (other.thresholds, other.calibration, other.held_out)


def test_a_threshold_is_the_highest_that_leaves_the_share_covered():
    ladder = [row(n, "DATE", "times", 0.0, n / 10, "adapter") for n in range(1, 11)]
    recordings = recordings_of(ladder, [row(n, "DATE", "times", 0.0, None, "gold") for n in range(1, 11)], 10)
    for recall, threshold in ((1.0, 0.1), (0.9, 0.2), (0.55, 0.5), (0.5, 0.6)):
        assert fit(recordings, Dials(["DATE"], []), recall)["DATE"] == pytest.approx(threshold, abs=1e-4)


def test_entities_of_any_type_cover():
    found = [row(n, "TIME", "times", 0.0, 0.8, "adapter") for n in (1, 2)]
    found += [row(n, "DATE", "times", 0.0, 0.1, "adapter") | {"cause": "overlap", "kept": False} for n in (1, 2)]
    recordings = recordings_of(found, [row(n, "DATE", "times", 0.0, None, "gold") for n in (1, 2)], 2)
    assert fit(recordings, Dials(["DATE"], []), 1.0)["DATE"] > 0.1, "no DATE has to be kept"


def test_a_type_has_its_own_threshold_if_one_of_its_entities_may_be_lost():
    wanted = [row(n, "DATE", "times", 0.0, None, "gold") for n in range(1, 51)]
    wanted += [row(n, "CITY", "addresses", 2.0, None, "gold") for n in range(1, 50)]
    recordings = recordings_of([row(1, "AGE", "times", 0.0, 0.5, "adapter")], wanted, 50)
    assert dials(recordings, 0.98) == Dials(["DATE"], ["CITY"])
    assert dials(recordings, 1.0) == Dials([], ["CITY", "DATE"])
    assert Dials(["DATE"], ["CITY"]).by_type({"DATE": 0.1, SHARED: 0.2}) == {"CITY": 0.2, "DATE": 0.1}
    assert Dials(["DATE"], ["CITY"]).of("AGE") is None, "of a type that the reference lacks, everything is kept"


def test_of_a_type_that_cannot_reach_the_share_everything_is_kept():
    found = [row(n, "DATE", "times", 0.0, 0.01, "adapter") for n in range(1, 50)]
    found += [row(n, "CITY", "addresses", 2.0, 0.9 - 0.01 * (n > 95), "adapter") for n in range(1, 101)]
    wanted = [
        row(n, type_, "", start, None, "gold") for n in range(1, 101) for type_, start in (("DATE", 0), ("CITY", 2))
    ]
    thresholds = fit(recordings_of(found, wanted, 100), Dials(["CITY", "DATE"], []), 0.9)
    assert thresholds["DATE"] == 0.0


def test_what_redaction_covers_beside_an_entity_counts_if_asked():
    found = [row(1, "DATE", "times", 0.1, 0.9, "adapter")]
    wanted = [row(1, "DATE", "times", 0.0, None, "gold")]
    for padding_s, covered in ((0.0, 400), (0.05, 450), (0.1, 500)):
        recordings = recordings_of(found, wanted, 1, padding_s)
        assert operation([(recordings[0], {})], Dials(["DATE"], [])).recall[ALL] == (covered, 500)


@pytest.mark.parametrize("thresholds", [{}, {"DATE": 0.5}, {"DATE": 0.3, "TIME": 0.7, "AGE": 0.8}, {"TIME": 0.9}])
@pytest.mark.parametrize("shifts", [{}, {"TIME": 2.0, "DATE": -0.5, "patterns": -3.0}])
def test_a_run_is_replayed_as_the_post_processing_would_do_it(thresholds, shifts):
    text = "every day at noon today, or call 0912345678 tomorrow at noon; today"
    words = [Word(text[i : i + 1], i, i + 1, i / 10, (i + 1) / 10, None) for i in range(len(text))]
    transcript = Transcript(text, words, "made up")
    spans = [("DATE", 0, 9, 0.6), ("DATE", 13, 17, 0.55), ("TIME", 10, 17, 0.5), ("DATE", 18, 23, 0.4)]
    spans += [("AGE", 18, 23, 0.2), ("DATE", 44, 52, 0.9), ("TIME", 44, 60, 0.65), ("ID_NUMBER", 33, 43, 0.85)]
    tagged = [Entity(kind, "times", text[a:b], a, b, confidence, "adapter") for kind, a, b, confidence in spans]
    given = PostProcessor(TaggerSettings())(transcript, tagged)
    rows = [entity.to_row() | {"recording_id": "1"} for entity in given]
    recording = recordings_of(rows, [row(1, "DATE", "times", 0.0, None, "gold")], 1)[0]

    calibration = CalibrationSettings(slope=0.8, intercept=0.1, shifts=shifts)
    again = PostProcessor(TaggerSettings(calibration=calibration, thresholds=thresholds))(transcript, tagged)
    replayed = [one.entity for one in recording.calibrated(calibration).kept(thresholds)]
    assert {(one.type, one.char_start, one.char_end, one.confidence) for one in replayed} == {
        (one.type, one.char_start, one.char_end, one.confidence) for one in again if one.kept
    }


def test_what_a_rule_dropped_is_no_candidate_and_what_it_retyped_has_the_threshold_of_what_was_found():
    text = "every day"
    found = row(1, "DATE", "times", 0.0, 0.6, "adapter") | {"text": text, "kept": False}
    found["cause"] = "rule: every day is a set"
    retyped = row(1, "SET", "times", 0.0, 0.6, "rule") | {"text": text}
    recording = recordings_of([found, retyped], [row(1, "SET", "times", 0.0, None, "gold")], 1)[0]
    assert [(one.entity.type, one.found_as, one.right) for one in recording.candidates] == [("SET", "DATE", True)]
    assert recording.kept({"SET": 0.9}) and not recording.kept({"DATE": 0.9})


def test_an_entity_without_a_confidence_is_always_kept_and_teaches_nothing():
    recording = recordings_of(
        [row(1, "DATE", "times", 0, None, "adapter")], [row(1, "DATE", "times", 0, None, "gold")], 1
    )
    assert recording[0].calibrated(CalibrationSettings(slope=0.5)).kept({"DATE": 1.0})
    assert first_found(recording) == [[]]


def test_the_curve_of_a_type_goes_through_its_chosen_point():
    calibrated = calibrate(alone(made_up(200, 1)), 0.95, folds=4, seed=0)
    points = curve(calibrated, "DATE")
    assert points[0][0] == 1.0 and points[-1][0] < 0.95
    assert [recall for recall, _ in points] == sorted((recall for recall, _ in points), reverse=True)
    assert draw(calibrated, 0.95).startswith(b"\x89PNG")


def test_recordings_that_have_nothing_to_fit_are_refused():
    found, wanted = findings(10, 1)
    with pytest.raises(UserError, match=r"^--folds 20: 10 recordings are too few"):
        calibrate(alone(recordings_of(found, wanted, 10)), 0.9, folds=20, seed=0)
    with pytest.raises(UserError, match=r"^--run has no entity with a time"):
        recordings_of([], wanted, 10)
    with pytest.raises(UserError, match=r"^--reference has no entity with a time"):
        recordings_of(found, [], 10)
    other = [each | {"recording_id": f"x{each['recording_id']}"} for each in wanted]
    with pytest.raises(UserError, match=r"^--run and --reference have no recording in common"):
        pair(
            [
                {
                    "entities": tables.from_rows(found, tables.ENTITIES),
                    "transcripts": tables.from_rows([], tables.TRANSCRIPTS),
                }
            ],
            Submission("", None, tables.from_rows(other, tables.ENTITIES), False),
        )


def test_a_map_that_a_few_right_entities_give_claims_no_certainty():
    entity = Entity("DATE", "times", "today", 0, 5, 0.9, "adapter")
    right = [Candidate(entity, "DATE", (0, 1), (0, 1), True)] * 3
    found = right[0].calibrated(confidences.fit(right)).entity
    assert found.confidence is not None and 0.8 < found.confidence < 0.99
    wrong = [replace(one, right=False) for one in right]
    lower = wrong[0].calibrated(confidences.fit(wrong)).entity.confidence
    assert lower is not None and lower < 0.9
