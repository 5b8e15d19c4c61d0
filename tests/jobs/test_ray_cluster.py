"""What the jobs take of a Ray cluster, and how they start Ray."""

import pytest
import ray

from jobs import local_ray
from jobs.ray_cluster import connect_to_ray, share_out
from pipeline.errors import UserError
from pipeline.settings import PROFILES, Pool, Settings, TaggerSettings


def test_a_cluster_that_is_too_small_is_refused_instead_of_waited_for(ray_cluster):
    with pytest.raises(UserError, match="Ray has"):
        share_out(Settings(tagger=TaggerSettings(pool=Pool(num_gpus=0.5))))


def test_cards_are_counted_on_every_node_that_is_alive(monkeypatch):
    resources = {"GPU": 1.0, "CPU": 8.0}
    nodes = [{"Alive": alive, "Resources": resources} for alive in (True, True, False)]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    assert share_out(PROFILES["rtx4090"]).cards == {key: [0, 1] for key in ("whisper", "parakeet", "tagger")}


TIMED_OUT = Exception("The current node timed out during startup.")


def start_failing(monkeypatch, times: int, error: Exception = TIMED_OUT) -> list[dict]:
    """Let Ray fail to start so often; gather the calls."""
    calls = []

    def init(**options):
        calls.append(options)
        if len(calls) <= times:
            raise error

    monkeypatch.setattr(ray, "is_initialized", lambda: len(calls) > times)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(local_ray, "session_folder", lambda: "/nowhere")
    return calls


def test_a_ray_that_did_not_come_up_in_time_is_started_once_more(monkeypatch):
    calls = start_failing(monkeypatch, times=1)
    connect_to_ray()
    assert len(calls) == 2


def test_a_ray_that_never_comes_up_is_one_sentence(monkeypatch):
    calls = start_failing(monkeypatch, times=5)
    with pytest.raises(UserError, match=r"^Ray cannot be reached or started \(no RAY_ADDRESS; Exception\): "):
        connect_to_ray()
    assert len(calls) == 2


def test_a_cluster_that_does_not_answer_is_asked_once(monkeypatch):
    calls = start_failing(monkeypatch, times=5, error=ConnectionError("no answer"))
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    with pytest.raises(UserError, match=r"^Ray cannot be reached \(RAY_ADDRESS is 10.0.0.1:6379; ConnectionError\)"):
        connect_to_ray()
    assert len(calls) == 1
