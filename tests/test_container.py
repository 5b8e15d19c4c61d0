"""The Dockerfile is sound, takes what there is, and where Docker is at hand its image does the demo."""

import fnmatch
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


def test_the_linter_finds_nothing():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_is_copied_is_there_and_is_let_into_the_build():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    let_in = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    copied = [source for line in LINES if line.startswith("COPY ") for source in shlex.split(line)[1:-1]]
    assert {"jobs", "pipeline", "tuning", "requirements.txt"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists() and any(fnmatch.fnmatch(source, pattern) for pattern in let_in)


@pytest.mark.slow
def test_the_image_does_the_demo():
    if not shutil.which("docker"):
        pytest.skip("left out: there is no Docker here to build the image with")
    subprocess.run(["docker", "build", "--quiet", "--tag", "shi-speech:test", ROOT], check=True)
    command = ["docker", "run", "--rm", "--shm-size", "2g", "--network", "none", "shi-speech:test"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "Leak recall" in done.stdout, done.stderr[-2000:]
