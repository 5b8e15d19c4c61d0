"""A Ray that a job starts for itself: who reaches it, what it leaves, and how it ends."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import ray
import soundfile

from jobs import local_ray

ROOT = Path(__file__).parents[2]


@pytest.fixture
def options(tmp_path, model_options) -> list[str]:
    noise = np.random.default_rng(0)
    (tmp_path / "audio").mkdir()
    for number in range(24):
        soundfile.write(tmp_path / "audio" / f"{number}.wav", noise.normal(0, 0.1, 5_000 + number), 16_000)
    own = ["--audio", str(tmp_path / "audio"), "--out", str(tmp_path / "out"), "--decoding.recordings-at-once", "2"]
    return [*model_options, *own]


def start(options: list[str], temporary: Path, work_s: float) -> subprocess.Popen[str]:
    """Start a run with a Ray of its own, whatever Ray the tests have."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stub_predict", *options],
        cwd=ROOT,
        env=environment | {"TMPDIR": str(temporary), "STUB_WORK_S": str(work_s)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def open_to_others(process: subprocess.Popen[str]) -> list[str]:
    """Return the addresses, not of the loopback, at which a process and its children listen."""
    own = psutil.Process(process.pid)
    pids = {process.pid, *(child.pid for child in own.children(recursive=True))}
    listening = [each for each in psutil.net_connections("tcp") if each.pid in pids and each.status == "LISTEN"]
    assert len(listening) > 5
    return [each.laddr.ip for each in listening if each.laddr.ip.removeprefix("::ffff:") not in ("127.0.0.1", "::1")]


@pytest.mark.faults
def test_a_local_run_is_private_and_ends_at_once_when_it_is_told_to(options, tmp_path):
    temporary = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    process = start(["--share", "group", *options], temporary, work_s=0.5)
    while not list((tmp_path / "out").glob("parts/*.parquet")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
    assert not open_to_others(process)
    (session,) = temporary.glob("shi-ray-*")
    assert stat.S_IMODE(session.stat().st_mode) == 0o700, "though Ray opens its own folder to everybody"
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 143
    assert errors.splitlines()[-1] == "Interrupted." and "SIGTERM" not in errors and "Traceback" not in errors
    assert not psutil.wait_procs(children, timeout=30)[1], "Ray's processes are gone"
    assert not list(temporary.iterdir()), "and so is what they wrote"

    made = {path: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "out", *(tmp_path / "out").rglob("*")]}
    assert {made[path] for path in made if path.is_file()} == {0o640}
    assert {made[path] for path in made if path.is_dir()} == {0o750}
    temporary.rmdir()


@pytest.mark.faults
@pytest.mark.parametrize(("options", "folder", "file"), [([], 0o700, 0o600), (["--share", "group"], 0o750, 0o640)])
def test_what_a_job_writes_is_for_its_owner_or_the_group(tmp_path, options, folder, file):
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "task1_answer.txt").write_text("1\tGood morning Lee\n")
        (tmp_path / run / "task2_answer.txt").write_text("1\tPATIENT\t0\t1\tLee\n")
    arguments = ["vote", "--run", "first", "--run", "second", "--out", "out", *options]
    done = subprocess.run(
        [sys.executable, "-m", "jobs.merge", *arguments], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = {path: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "out", *(tmp_path / "out").rglob("*")]}
    assert {made[path] for path in made if path.is_dir()} == {folder}
    assert {made[path] for path in made if path.is_file()} == {file}


@pytest.mark.faults
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_told_to_end_while_ray_starts_leaves_nothing(options, tmp_path, number, status):
    temporary = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    process = start(options, temporary, work_s=0.0)
    while not list(temporary.glob("shi-ray-*/r/session_latest/sockets")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == status
    assert errors.splitlines()[-1] == "Interrupted." and "SIGTERM" not in errors and "Traceback" not in errors
    assert not psutil.wait_procs(children, timeout=30)[1] and not list(temporary.iterdir())
    temporary.rmdir()


@pytest.mark.faults
def test_what_a_killed_process_has_left_is_removed_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(local_ray, "_LONGEST", 1_000)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    elsewhere = tmp_path / f"shi-ray-{ended.pid}-y"  # of another container, whose processes have other numbers
    for name in (f"shi-ray-{ended.pid}-x", elsewhere.name, f"shi-ray-{os.getpid()}-x", "shi-ray-other", "others"):
        (tmp_path / name).mkdir()
    held = local_ray._lock(str(elsewhere))
    made = Path(local_ray.session_folder()).parent
    os.close(held)
    assert made.parent == tmp_path and stat.S_IMODE(made.stat().st_mode) == 0o700
    assert {path.name for path in tmp_path.iterdir()} == {
        *(made.name, elsewhere.name, f"shi-ray-{os.getpid()}-x", "shi-ray-other", "others")
    }


def test_the_processes_of_tasks_outlive_a_pause_where_they_outnumber_the_cores(ray_cluster):
    @ray.remote(num_cpus=0.5)
    def process() -> int:
        time.sleep(1)
        return os.getpid()

    pids = set(ray.get([process.remote() for _ in range(8)]))
    assert len(pids) > 4, "the tests' Ray has four cores"
    time.sleep(3)  # by itself, Ray ends what is idle for one
    assert all(map(psutil.pid_exists, pids))
