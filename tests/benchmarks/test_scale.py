"""The benchmark of scale measures what it says, on few recordings."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import scale

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_recordings_come_out_of_the_stream_on_each_number_of_gpus_and_the_figures_are_written(tmp_path):
    """In a process of its own, with a Ray that believes in two GPUs."""
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.benchmarks.scale", "--rows", "64", "--gpus", "1", "2", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(file.read_text())
    assert [(run["gpus"], run["rows"]) for run in figures["runs"]] == [(1, 32), (2, 64)]
    assert figures["runs"][0]["efficiency"] == 1.0 and figures["overhead_ms"] > 0
    assert all(min(run["driver_mib"]) > 0 for run in figures["runs"])


def test_memory_is_the_median_of_a_tenth_of_the_time():
    samples = [(float(second), 100.0 + second, 7.0) for second in range(101)]
    memory = scale.Memory([*samples[:50], (50.0, 9_999.0, 9_999.0), *samples[51:]])
    assert memory.at(0.1) == (110.0, 7.0) and memory.at(0.5) == (151.0, 7.0)
