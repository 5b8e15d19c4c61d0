"""What the report shows and plays of a recording."""

import io

import numpy as np
import pytest
import soundfile

from pipeline.outputs.report.sound import ENVELOPE_HZ, envelope, preview, small_copy
from pipeline.speech.audio import SAMPLE_RATE


def tone(seconds: float, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * 440 * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


def test_the_envelope_has_25_values_a_second_and_the_loudest_is_255():
    samples = np.concatenate([tone(1, 0.25), np.zeros(SAMPLE_RATE, np.float32), tone(1, 0.5)])
    values = np.frombuffer(envelope(samples), np.uint8)
    assert len(values) == 3 * ENVELOPE_HZ
    assert set(values[:25]) <= {127, 128} and not values[25:50].any() and set(values[50:]) == {255}


@pytest.mark.parametrize(("samples", "values"), [(1, 1), (640, 1), (641, 2)])
def test_what_is_left_at_the_end_of_the_envelope_has_a_value(samples, values):
    assert len(envelope(np.full(samples, 0.5, np.float32))) == values


def test_noise_that_nobody_would_hear_stays_flat():
    assert max(envelope(tone(1, 0.0005))) == 13 and not any(envelope(np.zeros(SAMPLE_RATE, np.float32)))


@pytest.mark.parametrize("seconds", [0.0001, 0.1, 3.0, 40.0])
def test_the_small_copy_is_as_long_as_the_recording_and_takes_two_kilobytes_a_second(seconds):
    copy = small_copy(tone(seconds))
    info = soundfile.info(io.BytesIO(copy))
    assert (info.format, info.subtype, info.frames) == ("OGG", "OPUS", round(seconds * SAMPLE_RATE))
    assert len(copy) < 1000 + 2500 * seconds


def test_the_small_copy_sounds_when_the_recording_does():
    samples = np.concatenate([np.zeros(SAMPLE_RATE, np.float32), tone(0.5), np.zeros(SAMPLE_RATE, np.float32)])
    heard = np.abs(soundfile.read(io.BytesIO(small_copy(samples)))[0]) > 0.1
    assert np.flatnonzero(heard)[[0, -1]] / SAMPLE_RATE == pytest.approx([1.0, 1.5], abs=0.01)


def test_a_recording_that_cannot_be_heard_says_why(tmp_path):
    path = str(tmp_path / "one.wav")
    soundfile.write(path, tone(2), SAMPLE_RATE)
    assert preview(path, 2.0, copy=False).sound is None and preview(path, None, copy=True).sound is not None
    assert preview(path, 2.0, copy=True).no_audio is None
    assert preview(path, 3.0, copy=True) == (None, None, "no sound: 2.0 s long now, and 3.0 s in the run")
    assert preview(None, 3.0, copy=True).no_audio == "no sound: the run does not know where it is"
    assert preview(f"{path}.wav", 2.0, copy=True).no_audio == "no sound: unreadable: No such file or directory"
