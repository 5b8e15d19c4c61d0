"""A run that is killed, again and again and at any moment, ends in the files of one that never was."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import ray
import soundfile

ROOT = Path(__file__).parents[2]
RECORDINGS, KILLS = 40, 100


def start(arguments: list[str]) -> subprocess.Popen[str]:
    """Start a run as another driver of the tests' Ray."""
    address = ray.get_runtime_context().gcs_address
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stub_predict", *arguments],
        cwd=ROOT,
        env=os.environ | {"RAY_ADDRESS": address},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def results(out: Path) -> dict[str, object]:
    """Return what a run left, without its times."""
    files = [file for file in out.rglob("*") if file.is_file() and file.name != "config.yaml"]  # which names the folder
    found: dict[str, object] = {file.relative_to(out).as_posix(): file.read_bytes() for file in files}
    summary = json.loads((out / "summary.json").read_text())
    return found | {"summary.json": {key: summary[key] for key in summary if key not in ("seconds", "model_loads")}}


@pytest.mark.faults
@pytest.mark.slow
def test_killed_at_any_moment_a_run_ends_in_the_same_files(ray_cluster, model_options, tmp_path):
    (tmp_path / "audio").mkdir()
    noise = np.random.default_rng(0)
    for number in range(RECORDINGS):
        soundfile.write(tmp_path / "audio" / f"{number}.wav", noise.normal(0, 0.1, 5_000 + number), 16_000)
    options = ["--audio", str(tmp_path / "audio"), *model_options, "--decoding.recordings-at-once", "4"]

    def arguments(name: str) -> list[str]:
        return [*options, "--out", str(tmp_path / name)]

    moments = random.Random(1126)
    for name in ("first", "whole"):  # the first start takes longer than all that follow
        whole = start(arguments(name))
        clock = os.times().elapsed
        printed, _ = whole.communicate(timeout=300)
        seconds = os.times().elapsed - clock
        assert whole.returncode == 0, printed
    expected = results(tmp_path / "whole")

    killed, runs = 0, 0
    while killed < KILLS:
        runs += 1
        while killed < KILLS:
            process = start(arguments(f"run{runs}"))
            try:
                process.communicate(timeout=moments.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                killed += 1
                continue
            break
        process = start(arguments(f"run{runs}"))
        printed, _ = process.communicate(timeout=300)
        assert process.returncode == 0, printed
        assert results(tmp_path / f"run{runs}") == expected
