"""What travels together: blocks of recordings, bounded by their seconds before the next one is decoded."""

import gc
import weakref
from collections import deque

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch

from pipeline import stages
from pipeline.settings import DecodingSettings, ParakeetSettings, Pool, Settings, TaggerSettings
from pipeline.speech.words import Transcript

SETTINGS = DecodingSettings(voice_threshold=0.0)


@pytest.fixture
def batch(tmp_path, monkeypatch):
    """Recordings of 4, 3, 2, 20, 1 and 1 s, one that is none, and 10 s at once."""
    monkeypatch.setattr(stages, "SECONDS_AT_ONCE", 10.0)
    noise = np.random.default_rng(0).normal(0, 0.1, 20 * 16_000)
    for number, seconds in enumerate((4, 3, 2, 20, 1, 1)):
        soundfile.write(tmp_path / f"{number}.flac", noise[: seconds * 16_000], 16_000)
    (tmp_path / "6.flac").write_bytes(b"no sound")
    names = [str(number) for number in range(7)]
    return pa.table({"recording_id": names, "path": [str(tmp_path / f"{name}.flac") for name in names]})


def together(batch: pa.Table) -> list[list[str]]:
    return [block["recording_id"].to_pylist() for block in stages.read(batch, SETTINGS)]


def test_a_block_holds_so_many_seconds_or_one_recording_that_is_longer(batch):
    assert together(batch) == [["0", "1", "2"], ["3"], ["4", "5", "6"]]


def test_lengths_that_headers_do_not_tell_are_counted_once_they_are_known(batch, monkeypatch):
    monkeypatch.setattr(stages, "expected_s", lambda path: 0.0)
    assert together(batch) == [["0", "1", "2"], ["3"], ["4", "5", "6"]]


def test_what_waits_goes_on_before_a_long_recording_is_decoded(batch, monkeypatch):
    decoded, decode = [], stages.decode
    monkeypatch.setattr(stages, "decode", lambda path, settings: decoded.append(path) or decode(path, settings))
    blocks = stages.read(batch, SETTINGS)
    next(blocks)
    assert len(decoded) == 3


def test_samples_of_a_block_are_those_of_its_files(batch):
    for block in stages.read(batch, SETTINGS):
        assert block.schema.field("samples") == stages.SCHEMA.field("samples")
        for row in block.to_pylist():
            if row["recording_id"] == "6":
                assert row["samples"] is row["duration_s"] is None and row["failure"]["stage"] == "decode"
            else:
                expected, _ = soundfile.read(row["path"], dtype="float32")
                np.testing.assert_allclose(row["samples"], expected, atol=1e-4)


class Held:
    """Stands for a batch that is in a circle of references; each holds a part of Ray's store."""

    def __init__(self) -> None:
        self.itself, self.rows = self, [[] for _ in range(50)]


def test_a_model_computes_with_the_threads_of_its_pool_from_its_first_sound_on():
    before, seen = torch.get_num_threads(), []

    class Asr:
        def transcribe(self, batch):
            seen.append(torch.get_num_threads())
            return [Transcript("")]

    def load(*_):
        torch.set_num_threads(1)  # as Ray does
        return Asr()

    pool = Pool(threads=3)
    try:
        stages.TranscribeEnglish(load, Settings(parakeet=ParakeetSettings(pool=pool)))
        stages.Tag(load, "", "", TaggerSettings(pool=pool))
        assert [*seen, torch.get_num_threads()] == [3, 3]
    finally:
        torch.set_num_threads(before)


def test_batches_in_circles_of_references_are_let_go_of_beside_all_that_a_model_loads():
    loaded = []
    with stages.Clock("whisper").loading():
        loaded += [[] for _ in range(500_000)]
    in_hand, alive, most = deque(maxlen=3), weakref.WeakSet(), 0
    of_tests = gc.get_threshold()
    gc.set_threshold(700, 10, 10)  # Python's own, as in a worker
    for _ in range(20_000):
        in_hand.append(Held())
        alive.add(in_hand[-1])
        most = max(most, len(alive))
    gc.set_threshold(*of_tests)
    gc.unfreeze()
    assert most < 250, "without it, it is twice as many, and grows on"
