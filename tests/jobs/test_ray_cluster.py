"""What the jobs take of a Ray cluster, and how they start Ray."""

import pytest
import ray

from jobs.ray_cluster import connect_to_ray, share_out
from pipeline.errors import UserError
from pipeline.settings import PROFILES, Models, ParakeetSettings, Pool, Settings, TaggerSettings, WhisperSettings


@pytest.mark.parametrize("pool", [Pool(num_gpus=0.5), Pool(actors=100)])
def test_a_cluster_that_is_too_small_is_refused_instead_of_waited_for(ray_cluster, pool):
    with pytest.raises(UserError, match="Ray has"):
        share_out(Settings(models=Models(), tagger=TaggerSettings(pool=pool)))


def test_shares_that_can_be_packed_so_that_the_last_actor_finds_no_card_are_refused(ray_cluster, monkeypatch):
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"GPU": 2.0, "CPU": 48.0})
    pool = Pool(num_gpus=0.6, actors=1)
    with pytest.raises(UserError, match="ask for 3 GPUs and Ray has 2"):
        share_out(
            Settings(
                whisper=WhisperSettings(pool=pool),
                parakeet=ParakeetSettings(pool=pool),
                tagger=TaggerSettings(pool=pool),
            )
        )


def test_with_a_gpu_each_pool_has_an_actor_for_every_gpu(ray_cluster, monkeypatch):
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"GPU": 3.0, "CPU": 48.0})
    settings = share_out(PROFILES["rtx4090"])
    pools = [settings.whisper.pool, settings.parakeet.pool, settings.tagger.pool]
    assert [pool.actors for pool in pools] == [3, 3, 3]


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
