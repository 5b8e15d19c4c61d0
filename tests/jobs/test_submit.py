"""`ray job submit` against a real cluster on this machine, with token authentication, as the README says."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from pipeline import demo, submission

ROOT = Path(__file__).parents[2]
RAY = str(Path(sys.executable).with_name("ray"))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def cluster(tmp_path):
    """A head of its own, started as on a cluster; gives the environment and the dashboard's address."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64, "RAY_USAGE_STATS_ENABLED": "0"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    dashboard = free_port()
    command = [RAY, "start", "--head", "--block", "--num-cpus=4", "--dashboard-host=127.0.0.1"]
    command += [f"--dashboard-port={dashboard}", f"--port={free_port()}", f"--ray-client-server-port={free_port()}"]
    # A folder of its own, or this head would count as the machine's, also when it is gone; sockets want a short path.
    folder = tempfile.mkdtemp(prefix="ray")
    command += [f"--dashboard-agent-listen-port={free_port()}", f"--temp-dir={folder}"]
    log = tmp_path / "head.log"
    with log.open("w") as output:
        head = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=output, stderr=output)
    environment["RAY_ADDRESS"] = f"http://127.0.0.1:{dashboard}"
    try:
        takes_jobs = [RAY, "job", "submit", "--no-wait", "--", "true"]  # the dashboard answers before the agent does
        for _ in range(90):
            assert head.poll() is None, log.read_text()
            if subprocess.run(takes_jobs, env=environment, capture_output=True).returncode == 0:
                break
            time.sleep(1)
        yield environment
    finally:
        for child in psutil.Process(head.pid).children(recursive=True):
            child.kill()  # a head that is asked to end takes half a minute
        head.kill()
        head.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_submitted_job_writes_its_run_and_a_relative_path_is_refused(cluster, tiny_settings, tmp_path):
    models, out = tiny_settings.models, tmp_path / "out"
    (tmp_path / "audio").mkdir()
    for clip in sorted((demo.CLIPS / "audio").iterdir())[:8]:
        (tmp_path / "audio" / clip.name).symlink_to(clip)

    def submit(audio: str) -> subprocess.CompletedProcess[str]:
        job = ["python", "-m", "jobs.predict", "--audio", audio, "--out", str(out), "--tagger.max-entities", "2"]
        job += ["--whisper", models.whisper, "--parakeet", "none"]
        job += ["--base-model", models.base_model, "--adapters", models.adapters]
        command = [RAY, "job", "submit", "--working-dir", str(ROOT), "--", *job]
        return subprocess.run(command, env=cluster, capture_output=True, text=True)

    refused = submit("pipeline/demo/clips")
    assert refused.returncode == 1
    assert "--audio pipeline/demo/clips: a submitted job runs in a copy of the working folder" in refused.stdout

    done = submit(str(tmp_path / "audio"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "8 transcripts" in done.stdout and "succeeded" in done.stdout
    assert json.loads((out / "summary.json").read_text())["recordings"] == 8
    assert len(submission.read_task1(str(out / "task1_answer.txt"))) == 8

    (tmp_path / "shared").mkdir()
    job = ["python", "-m", "tests.stub_files", "--share", "group", str(tmp_path / "shared")]
    command = [RAY, "job", "submit", "--working-dir", str(ROOT), "--", *job]
    shared = subprocess.run(command, env=cluster, capture_output=True, text=True)
    assert shared.returncode == 0, shared.stdout[-3000:] + shared.stderr[-3000:]
    for written in ("job", "worker"):
        modes = [stat.S_IMODE((tmp_path / "shared" / path).stat().st_mode) for path in (written, f"{written}/file")]
        assert modes == [0o750, 0o640], f"{written}: with whatever umask the node's Ray was started"

    without_token = {key: value for key, value in cluster.items() if not key.startswith("RAY_AUTH")}
    without_token |= {"HOME": str(tmp_path)}
    stranger = subprocess.run([RAY, "job", "list"], env=without_token, capture_output=True, text=True)
    assert stranger.returncode != 0 and "uthentication" in stranger.stderr
