"""The search over LoRA hyper-parameters: killed in the middle, it finishes and loses no trial."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs import search
from pipeline import tables
from pipeline.errors import UserError
from tests.jobs.test_finetune_taggers import datasets  # noqa: F401
from tuning import study
from tuning.search import TRIALS
from tuning.settings import ADAPTER_PROFILES, read_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def arguments(datasets, tagger_folders) -> list[str]:  # noqa: F811
    space = ["--space.rank", "2", "4", "--space.alpha", "4", "--space.epochs", "6", "--space.few-shot", "0", "1"]
    base = ["--datasets", str(datasets), "--base-model", str(tagger_folders.base), "--groups", "profession"]
    return [*base, "--trials", "3", "--num-cpus", "2", "--objective", "entity_f1", "--sample", "3", *space]


@pytest.mark.faults
def test_a_killed_search_finishes_with_all_its_trials(arguments, ray_cluster, tmp_path, capsys):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "jobs.search", *arguments, "--out", str(out)]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    while not (first := finished(out)):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    search.main([*arguments, "--out", str(out)])
    rows = tables.read(str(out / "trials"), TRIALS).to_pylist()
    assert len(rows) == 3 and first <= {row["trial"] for row in rows}
    scores = [row["entity_f1"] for row in rows]
    assert scores == sorted(scores, reverse=True) and all(row["error"] is None for row in rows)
    best = read_settings(out / "best.yaml", ADAPTER_PROFILES["demo"])["profession"]
    assert (best.rank, best.learning_rate) == (rows[0]["rank"], rows[0]["learning_rate"])
    out_text, errors = capsys.readouterr()
    assert "Going on with interrupted work." in out_text and "--settings" in out_text
    assert "profession: 3 of 3 trials" in errors and "best entity f1" in errors
    assert "/tmp/ray" not in out_text + errors and "Configuration" not in out_text


def finished(out: Path) -> set[str]:
    """Ids of the trials that are done."""
    return {trial.id for trial in study.read(out / "tune" / "profession" / "trials") if trial.finished}


def test_a_users_mistake_is_one_sentence(arguments, tmp_path):
    for change, sentence in (
        (["--trials", "0"], "--trials 0"),
        (["--space.rank", "0"], "--space.rank 0"),
        (["--space.dropout", "0", "2"], "--space.dropout 2"),
        (["--space.few-shot", "9"], "has 5 few-shot turns"),
        (["--objective", "valid_loss", "--loss", "all"], "cannot compare"),
    ):
        with pytest.raises(UserError, match=sentence):
            search.main([*arguments, "--out", str(tmp_path / "out"), *change])
