"""Settings from a file: what it says holds, options override it, and mistakes are named with file and key."""

from pathlib import Path

import pytest

from jobs.command_line import parse
from jobs.predict import Predict
from pipeline.errors import UserError
from pipeline.settings import PROFILES, Settings
from pipeline.settings_file import read_settings

CONTENT = """
routing: identify
tagger:
  batch_size: 3
  opening_bias: {names: 1, times: -0.5}
  calibration: {slope: 0.8, shifts: {PATIENT: -0.2}}
  thresholds: {PATIENT: 0.31, DATE: 0.5}
  rules: my_rules.yaml
"""


def written(folder: Path, content: str) -> Path:
    (folder / "settings.yaml").write_text(content, encoding="utf-8")
    return folder / "settings.yaml"


def parsed(path: Path, *options: str) -> Settings:
    arguments = ["--out", "out", "--settings", str(path), *options]
    return parse(Predict, arguments, "python -m jobs.predict").settings


def test_a_file_overrides_the_values_that_it_names_and_no_others(tmp_path):
    found, profile = parsed(written(tmp_path, CONTENT)), PROFILES["demo"]
    assert (found.routing, found.tagger.batch_size, found.tagger.rules) == ("identify", 3, Path("my_rules.yaml"))
    assert found.tagger.opening_bias == {"names": 1.0, "times": -0.5}
    assert (found.tagger.calibration.slope, found.tagger.calibration.intercept) == (0.8, 0.0)
    assert found.tagger.calibration.shifts == {"PATIENT": -0.2}
    assert (found.whisper, found.tagger.dtype) == (profile.whisper, profile.tagger.dtype)


def test_options_override_single_values_of_a_file_and_single_types(tmp_path):
    options = ["--tagger.batch-size", "4", "--tagger.thresholds", "DATE", "0.9", "TIME", "0.1"]
    found = parsed(written(tmp_path, CONTENT), *options).tagger
    assert (found.batch_size, found.opening_bias["names"]) == (4, 1.0)
    assert found.thresholds == {"PATIENT": 0.31, "DATE": 0.9, "TIME": 0.1}


def test_a_file_goes_with_any_profile(tmp_path):
    found = parsed(written(tmp_path, "tagger: {thresholds: {SET: 0.4}}"), "--profile", "rtx4090")
    assert found.tagger.thresholds == {"SET": 0.4} and found.models.whisper == PROFILES["rtx4090"].models.whisper


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("tager: {}", ": there is no setting tager; the nearest is tagger."),
        ("tagger: {treshold: {}}", ": there is no setting tagger.treshold; the nearest is tagger.thresholds."),
        ("tagger: {batch_size: many}", ": tagger.batch_size 'many': it should be a valid integer."),
        ("tagger: {thresholds: {SET: high}}", ": tagger.thresholds {'SET': 'high'}: it should be a valid number."),
        ("tagger: {repeats: often}", ": tagger.repeats 'often': it should be 'recording', 'run' or 'none'."),
        ("tagger: {thresholds: {SET: 1.5}}", ": --tagger.thresholds: a threshold is a confidence from 0 to 1."),
        ("tagger: {calibration: {slope: 0}}", ": --tagger.calibration.slope 0.0: give a number from 0.001."),
        ("tagger: 3", ", tagger: give settings by name, such as `pool:`."),
        ("", ": give settings by name, such as `routing:`."),
    ],
)
def test_a_mistake_is_one_sentence_with_file_and_key(tmp_path, content, sentence):
    path = written(tmp_path, content)
    with pytest.raises(UserError) as refused:
        read_settings(path, PROFILES["demo"])
    assert str(refused.value) == f"--settings {path}{sentence}"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml"):
        parsed(tmp_path / "none.yaml")
