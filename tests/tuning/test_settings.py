"""Training's settings: the reference's values, and no value that no training can work with."""

import dataclasses
import inspect
from dataclasses import replace

import pytest

from pipeline.errors import UserError
from tuning.settings import ASR_PROFILES, AsrSettings, check_asr


def test_the_reference_trains_as_the_reference_does():
    asr = ASR_PROFILES["reference"]
    assert asr.parakeet == "nvidia/parakeet-tdt-0.6b-v2"
    assert (asr.learning_rate, asr.betas, asr.weight_decay) == (1e-4, (0.9, 0.98), 1e-3)
    assert (asr.warmup_steps, asr.warmup_share, asr.min_learning_rate) == (5000, 1.0, 5e-6)
    assert (asr.batch_size, asr.batch_seconds, asr.accumulation, asr.dtype) == (2, 0.0, 2, "float32")
    assert (asr.freq_masks, asr.freq_width, asr.time_masks, asr.time_width) == (2, 27, 10, 0.05)
    assert (asr.min_duration_s, asr.max_duration_s) == (0.1, 35.0)
    assert (asr.epochs, asr.patience, asr.keep) == (50, 0, 5)


@pytest.mark.parametrize("name", ASR_PROFILES)
def test_the_profiles_values_are_accepted(name):
    check_asr(ASR_PROFILES[name])


def test_every_profile_has_room_for_the_longest_recording_in_a_batch():
    for asr in ASR_PROFILES.values():
        assert asr.batch_seconds == 0 or asr.batch_seconds >= asr.max_duration_s


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"epochs": 0}, "--epochs 0: give a number from 1."),
        ({"batch_size": 0}, "--batch-size 0: give a number from 1."),
        ({"batch_seconds": -1.0}, "--batch-seconds -1.0: give a number from 0."),
        ({"warmup_share": 2.0}, "--warmup-share 2.0: give a number from 0 to 1."),
        ({"min_learning_rate": 1.0}, "--min-learning-rate 1.0: give a number from 0 to 0.0001."),
        ({"learning_rate": float("nan")}, "--learning-rate nan: give a number from 0."),
        ({"betas": (0.9, 1.0)}, "--betas: give two numbers from 0 to below 1."),
        ({"min_duration_s": 40.0}, "--min-duration-s is above --max-duration-s"),
        ({"batch_seconds": 20.0}, "--batch-seconds 20.0: the longest recording has 35 s"),
    ],
)
def test_a_value_that_no_training_can_work_with_is_refused(changed, sentence):
    with pytest.raises(UserError) as refused:
        check_asr(replace(AsrSettings(), **changed))
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(AsrSettings)])
def test_every_setting_is_documented(name):
    after = inspect.getsource(AsrSettings).split(f"    {name}: ", 1)[1].split("\n", 1)[1]
    assert after.lstrip().startswith('"""')
