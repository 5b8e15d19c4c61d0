"""Damaged files of every kind: no crash, no endless wait, no flood of memory, and no sound that is not in the file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.speech.test_reader import NOTED, REFUSED, WHOLE

pytestmark = pytest.mark.faults

FILES = 2_000
ROOT = Path(__file__).parents[3]
ALONE_OF_LIBSNDFILE = {"wav NMS ADPCM", "au G.721", "caf ALAC"}  # FFmpeg reads these not at all, or less of them


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """Damage a file as disks, networks and careless programs do."""
    data = bytearray(content)
    for _ in range(random.integers(1, 4)):
        kind, place = random.integers(7), int(random.integers(len(data) or 1))
        some = random.bytes(int(random.integers(1, 64)))
        if kind == 0:  # a few bytes anywhere
            data[place : place + len(some)] = some
        elif kind == 1:  # a few bytes of the header
            at = int(random.integers(min(len(data), 256) or 1))
            data[at : at + 4] = random.bytes(4)
        elif kind == 2:
            del data[place:]
        elif kind == 3:
            data[place:place] = some
        elif kind == 4:  # a piece twice
            data[place:place] = data[place : place + int(random.integers(1, 4_096))]
        elif kind == 5:
            data[place : place + 512] = bytes(len(data[place : place + 512]))
        else:
            del data[place : place + int(random.integers(1, 4_096))]
    return bytes(data)


@pytest.mark.slow
def test_two_thousand_damaged_files_crash_nothing_and_give_no_sound_that_is_not_there(tmp_path):
    random = np.random.default_rng(20)
    made = {name: make() for name, (make, *_) in (WHOLE | NOTED | REFUSED).items()}
    names = [name for name in made if name != "mp3 behind a large picture"]
    source = {}
    for number in range(FILES):
        source[f"{number:04}"] = names[number % len(names)]
        (tmp_path / f"{number:04}").write_bytes(mutated(made[source[f"{number:04}"]], random))

    command = [sys.executable, str(Path(__file__).with_name("decode_all.py")), str(tmp_path)]
    run = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0, f"{source.get(lines[-1].get('begun', ''))} {lines[-1]}: {run.stderr[-2000:]}"
    results = [line for line in lines if "file" in line]
    assert len(results) == FILES
    assert max(line["took_s"] for line in results) < 5
    assert lines[-1]["peak_kb"] < 1.5e6

    read = [line for line in results if not line["error"] and source[line["file"]] not in ALONE_OF_LIBSNDFILE]
    more = [(line, source[line["file"]]) for line in read if line["seconds"] > line["by_ffmpeg"] + 0.1]
    print(f"{len(read)} of {FILES} could be read")
    assert not more
