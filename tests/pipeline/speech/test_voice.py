"""Stretches of a recording in which somebody speaks, none longer than the window."""

from itertools import pairwise

import numpy as np
import pytest

from pipeline.demo import CLIPS
from pipeline.settings import DecodingSettings
from pipeline.speech import voice
from pipeline.speech.audio import SAMPLE_RATE, decode
from pipeline.speech.voice import WINDOW_S, find_speech
from tests.nonspeech import SOUNDS

DEFAULT, ALL = DecodingSettings(), DecodingSettings(voice_threshold=0.0)


def clip(number: int) -> np.ndarray:
    return decode(str(CLIPS / "audio" / f"{number}.flac"), DEFAULT).samples


def noise(seconds: float, level: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, level, round(seconds * SAMPLE_RATE)).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.05, 10, 70])
@pytest.mark.parametrize("name", SOUNDS)
def test_where_nobody_speaks_there_is_no_speech(name, seconds):
    samples = SOUNDS[name](seconds).astype(np.float32)
    assert find_speech(samples, DEFAULT) == []
    is_silence = name == "silence"
    assert bool(find_speech(samples, ALL)) != is_silence, "with a threshold of 0 all that is heard is speech"


@pytest.mark.parametrize("pause_s", [0.5, 3.0])
@pytest.mark.parametrize("threshold", [0.5, 0.0])
def test_speech_is_parted_at_its_pauses_and_no_word_is_cut_off(pause_s, threshold):
    clips = [clip(number) for number in range(400000, 400024)]
    pause = noise(pause_s, 0.001)
    samples = np.concatenate([part for each in clips for part in (each, pause)])
    segments = find_speech(samples, DecodingSettings(voice_threshold=threshold))
    assert len(segments) > 3 and all(0 < segment.end - segment.start <= WINDOW_S * SAMPLE_RATE for segment in segments)
    assert all(one.end <= other.start for one, other in pairwise(segments))
    loud = np.abs(samples) > 0.05
    covered = np.zeros(len(samples), bool)
    for start, end in segments:
        covered[start:end] = True
    assert loud[covered].sum() / loud.sum() > 0.999
    edges = [edge for segment in segments[1:-1] for edge in segment]
    assert np.mean([np.abs(samples[edge - 800 : edge + 800]).max() < 0.1 for edge in edges]) > 0.8


def test_a_long_recording_is_heard_in_pieces_in_which_the_same_is_said(monkeypatch):
    pause = noise(0.7, 0.001)
    samples = np.concatenate([part for number in range(400000, 400024) for part in (clip(number), pause)])
    at_once = find_speech(samples, DEFAULT)
    monkeypatch.setattr(voice, "SECONDS_AT_ONCE", 20.0)
    in_pieces = find_speech(samples, DEFAULT)
    heard = [np.zeros(len(samples), bool) for _ in range(2)]
    for marks, segments in zip(heard, (at_once, in_pieces), strict=True):
        assert all(one.end <= other.start for one, other in pairwise(segments))
        for start, end in segments:
            marks[start:end] = True
    assert np.mean(heard[0] == heard[1]) > 0.99


def test_one_short_word_is_speech(shared):
    samples = decode(str(shared / "speech" / "en" / "fsdd_0_george_25.wav"), DEFAULT).samples
    assert find_speech(samples, DEFAULT)
