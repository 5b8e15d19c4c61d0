import pytest

from pipeline.errors import UserError
from pipeline.settings import CalibrationSettings, TaggerSettings
from pipeline.tagging.calibration import calibrated
from pipeline.tagging.entities import Entity
from pipeline.tagging.post_processing import PostProcessor


def confidence(given: float | None, calibration: CalibrationSettings, type_: str = "DATE", group: str = "times"):
    return calibrated(calibration, Entity(type_, group, "today", 0, 5, given, "adapter")).confidence


def test_without_a_calibration_confidences_stay_as_they_are():
    for given in (0.0, 0.3, 1.0, None):
        assert confidence(given, CalibrationSettings()) == given


def test_slope_intercept_and_shift_act_on_the_logit():
    assert confidence(0.5, CalibrationSettings(slope=0.7)) == 0.5
    assert confidence(0.8, CalibrationSettings(slope=0.5)) == pytest.approx(2 / 3)
    assert confidence(0.5, CalibrationSettings(intercept=1.0, shifts={"DATE": -1.0})) == 0.5
    assert confidence(0.5, CalibrationSettings(shifts={"TIME": -1.0, "DATE": 2.0})) == pytest.approx(0.8808, abs=1e-4)


def test_what_patterns_found_has_one_shift_whatever_its_type():
    calibration = CalibrationSettings(shifts={"PHONE": -5.0, "patterns": 0.0, "DATE": 1.0})
    assert confidence(0.7, calibration, "PHONE", "patterns") == pytest.approx(0.7)


def test_probabilities_keep_the_order_of_confidences_and_their_ends_are_finite():
    found = [confidence(given, CalibrationSettings(slope=5.0)) for given in (0.0, 1e-3, 0.2, 0.5, 0.9, 1.0)]
    assert found == sorted(found) and found[0] >= 0 and found[-1] <= 1
    assert confidence(None, CalibrationSettings(slope=0.5)) is None


def test_a_shift_of_no_type_is_refused():
    with pytest.raises(
        UserError, match=r"^--tagger.calibration.shifts PATIENTT: there is no type PATIENTT; the nearest"
    ):
        PostProcessor(TaggerSettings(calibration=CalibrationSettings(shifts={"PATIENTT": 1.0, "patterns": 1.0})))
