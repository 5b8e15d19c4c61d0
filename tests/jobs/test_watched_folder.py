"""jobs.predict --watch: recordings that come later end in the results of a run that had them all at once."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import ray

from jobs import predict
from jobs.settled import Settled
from pipeline import demo, submission, tables
from pipeline.errors import UserError

ROOT = Path(__file__).parents[2]
CLIPS = sorted((demo.CLIPS / "audio").iterdir())
TABLES = ("transcripts", "entities", "failures")


def results(out: Path) -> dict[str, object]:
    found: dict[str, object] = {name: tables.read(str(out / name), tables.SCHEMAS[name]).to_pylist() for name in TABLES}
    return found | {name: (out / name).read_text() for name in (submission.TASK1, submission.TASK2)}


def rows(**states: str) -> dict[str, dict[str, str]]:
    return {recording_id: {"fingerprint": state} for recording_id, state in states.items()}


def test_a_file_is_taken_once_it_stays_as_it_is():
    settled = Settled(rows(known="a"))
    assert not settled(rows(known="a", copied="half"), 0.0)
    assert not settled(rows(known="a", copied="more"), 1.9), "it has grown"
    assert not settled(rows(known="a", copied="more"), 3.8)
    assert settled(rows(known="a", copied="more"), 3.9) == rows(copied="more")
    assert not settled(rows(known="a", copied="more"), 9.0), "it is known now"
    assert not settled(rows(known="b"), 10.0)
    assert settled(rows(known="b"), 12.0) == rows(known="b"), "what has changed is new"


def test_a_file_that_is_gone_for_a_moment_has_to_stay_anew():
    settled = Settled({})
    assert not settled(rows(one="a"), 0.0)
    assert not settled({}, 1.0)
    assert not settled(rows(one="a"), 2.0)
    assert not settled({"one": {"fingerprint": None}}, 9.0), "it went while it was looked at"
    assert not settled(rows(one="a"), 10.0)
    assert settled(rows(one="a"), 12.0) == rows(one="a")


@pytest.mark.parametrize("options", [["--limit", "3"], ["--transcripts", "folder"]])
def test_what_a_watch_cannot_do_is_refused(options, tmp_path):
    given = [] if "--transcripts" in options else ["--audio", str(demo.CLIPS / "audio")]
    with pytest.raises(UserError, match="--watch takes whatever comes into --audio"):
        predict.main([*given, "--out", str(tmp_path / "out"), "--watch", *options])


class Watched:
    """A folder that jobs.predict watches in a process of its own, with stand-ins for its models."""

    def __init__(self, folder: Path, options: list[str]):
        self.audio, self.out, self.log = folder / "audio", folder / "out", folder / "log"
        self.audio.mkdir(exist_ok=True)
        self.arguments = ["--audio", str(self.audio), "--out", str(self.out), *options]

    def start(self, *further: str) -> None:
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.stub_predict", *self.arguments, *further],
                cwd=ROOT,
                env=os.environ | {"RAY_ADDRESS": ray.get_runtime_context().gcs_address},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def drop(self, clip: Path, name: str) -> None:
        shutil.copy(clip, self.audio / name)

    def seconds(self) -> dict[str, float | None]:
        """Return the recordings of the closed run with their lengths; nothing while it is open."""
        if not (self.out / "summary.json").exists():
            return {}
        read = tables.read(str(self.out / "recordings"), tables.RECORDINGS)
        return dict(zip(read["recording_id"].to_pylist(), read["duration_s"].to_pylist(), strict=True))

    def wait(self, until: Callable[[], bool]) -> None:
        for _ in range(1200):
            if until():
                return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())


@pytest.mark.faults
def test_recordings_that_come_one_by_one_end_as_if_they_had_been_there(ray_cluster, model_options, tmp_path):
    watched = Watched(tmp_path, model_options)
    watched.start("--watch")
    watched.wait(lambda: "watching" in watched.log.read_text())
    watched.drop(CLIPS[0], "first.flac")
    whole = CLIPS[1].read_bytes()
    (watched.audio / "half.flac").write_bytes(whole[: len(whole) // 2])  # the copy pauses for long
    watched.wait(lambda: set(watched.seconds()) == {"first", "half"})
    half_s = watched.seconds()["half"]

    (watched.audio / "half.flac").write_bytes(whole)
    watched.drop(CLIPS[2], "clash.flac")
    watched.drop(CLIPS[2], "clash.wav")
    watched.wait(lambda: "would both be recording clash" in watched.log.read_text())
    (watched.audio / "clash.wav").unlink()
    (watched.audio / "broken.wav").write_text("no audio")
    watched.wait(lambda: set(watched.seconds()) == {"first", "half", "clash", "broken"})
    assert (watched.seconds()["half"] or 0.0) > (half_s or 0.0)
    assert watched.end() == 0, watched.log.read_text()
    printed = watched.log.read_text()
    assert "3 transcripts" in printed and "1 failures, from 4 recordings" in printed
    assert not {row["text"] for row in tables.read(str(watched.out / "transcripts"), tables.TRANSCRIPTS).to_pylist()
                if row["text"] in printed}  # fmt: skip

    (watched.audio / "first.flac").unlink()  # what is done may be taken away
    watched.drop(CLIPS[3], "last.flac")
    watched.start("--watch")
    watched.wait(lambda: set(watched.seconds()) == {"first", "half", "clash", "broken", "last"})
    watched.wait(lambda: "watching" in watched.log.read_text())
    assert watched.end() == 0, watched.log.read_text()

    shutil.copy(CLIPS[0], watched.audio / "first.flac")
    at_once = tmp_path / "at once"
    arguments = [sys.executable, "-m", "tests.stub_predict", *watched.arguments, "--out", str(at_once)]
    env = os.environ | {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    subprocess.run(arguments, cwd=ROOT, env=env, check=True, capture_output=True)
    assert results(watched.out) == results(at_once)
