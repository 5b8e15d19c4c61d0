"""Recordings and results on S3, by the environment that every tool for S3 reads; here a server on this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec import AbstractFileSystem

from jobs import merge, redact, score
from pipeline import demo, run_folder, submission, tables

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
RECORDINGS = 24


@pytest.fixture
def bucket(monkeypatch) -> Iterator[AbstractFileSystem]:
    """A bucket `clinic` with recordings below `audio`."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    environment = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in (environment | {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}).items():
        monkeypatch.setenv(name, value)
    fs = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
    fs.mkdir("clinic")
    clips = sorted((demo.CLIPS / "audio").iterdir())
    for number in range(RECORDINGS):
        fs.put_file(str(clips[number % len(clips)]), f"clinic/audio/{number}.flac")
    yield fs
    fs.rm("clinic", recursive=True)
    server.stop()


@pytest.mark.slow
def test_recordings_and_results_lie_on_s3_and_an_interrupted_run_goes_on_there(bucket, tmp_path):
    command = [sys.executable, "-m", "jobs.predict", "--audio", "s3://clinic/audio", "--out", "s3://clinic/first"]
    command += ["--decoding.recordings-at-once", "2"]
    environment = os.environ | {"RAY_ADDRESS": "local"}
    with (tmp_path / "interrupted").open("wb") as log:
        interrupted = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        while interrupted.poll() is None and not bucket.glob("clinic/first/parts/*.parquet"):
            time.sleep(0.05)
        interrupted.kill()
        interrupted.wait()
    parts = bucket.glob("clinic/first/parts/*.parquet")
    assert parts and not bucket.exists("clinic/first/summary.json"), (tmp_path / "interrupted").read_text()

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"of {RECORDINGS} recordings are finished." in done.stdout and "0 failures" in done.stdout
    run = "s3://clinic/first"
    assert len(tables.read(f"{run}/transcripts", tables.TRANSCRIPTS)) == RECORDINGS
    assert len(submission.read_task1(f"{run}/task1_answer.txt")) == RECORDINGS
    assert not bucket.exists("clinic/first/parts")

    redact.main(["--run", run, "--out", "s3://clinic/redacted"])
    assert len(bucket.ls("clinic/redacted/audio")) == RECORDINGS
    bucket.copy("clinic/first", "clinic/second", recursive=True)
    merge.main(["vote", "--run", run, "--run", "s3://clinic/second", "--votes", "2", "--out", "s3://clinic/merged"])
    score.main(["--reference", run, "--submission", "s3://clinic/merged", "--json", "s3://clinic/scores.json"])
    assert bucket.exists("clinic/scores.json")


@pytest.mark.slow
def test_what_other_machines_write_meanwhile_is_seen(bucket):
    bucket.pipe_file("clinic/other/run.json", b'{"versions": {}}')
    assert run_folder.run_folder("s3://clinic/other").check(overwrite=False) == {"run.json"}
    assert not tables.is_there("s3://clinic/other/parts")
    bucket.pipe_file("clinic/other/parts/part-0.parquet", b"")
    assert tables.is_there("s3://clinic/other/parts")
