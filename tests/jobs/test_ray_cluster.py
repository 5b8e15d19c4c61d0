"""What the jobs take of a Ray cluster, and how they start Ray."""

import os
import signal
from collections.abc import Iterator

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


class Ended(BaseException):
    """What a handler of the job raises."""


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def ending(request) -> Iterator[signal.Signals]:
    """A signal that ends the job."""

    def end(*_):
        raise Ended

    before = signal.signal(request.param, end)
    yield request.param
    signal.signal(request.param, before)


@pytest.mark.faults
def test_a_signal_that_comes_while_ray_forks_ends_the_job_when_it_has_started(monkeypatch, ending):
    forks, handler = [], signal.getsignal(ending)
    os.register_at_fork(after_in_parent=lambda: forks and signal.raise_signal(forks.pop()))
    calls = start_failing(monkeypatch, times=0)
    init = ray.init

    def init_and_fork(**options):
        ray._private.utils.set_sigterm_handler(lambda *_: None)
        forks.append(ending)
        if os.fork() == 0:
            os._exit(0)
        init(**options)

    monkeypatch.setattr(ray, "init", init_and_fork)
    with pytest.raises(Ended):
        connect_to_ray()
    assert len(calls) == 1 and not forks and signal.getsignal(ending) is handler
