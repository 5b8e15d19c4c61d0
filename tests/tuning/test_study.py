"""The trials of a search, whenever it was interrupted."""

import pytest
from ray import tune

from tuning import study

pytestmark = pytest.mark.faults

SPACE = {"rank": tune.choice([2, 4, 8]), "dropout": tune.uniform(0.0, 0.2)}


@pytest.fixture
def begin(tmp_path):
    """Give a call that makes the study of a search that is begun, or begun again."""

    def call() -> study.Study:
        made = study.Study(tmp_path / "trials", tmp_path / "work", seed=0)
        made.set_search_properties(study.SCORE, "max", SPACE)
        return made

    return call


def epoch(number: int, score: float) -> dict[str, float]:
    values = {"epoch": float(number), "valid_loss": 1.0, "entity_f1": score, study.SCORE: score}
    return values | {"time_total_s": 2.0 * number, "training_iteration": number, "config/rank": 2}


def test_an_interrupted_trial_is_the_next_and_keeps_settings_epochs_and_checkpoints(begin, tmp_path):
    first = begin()
    config = first.suggest("one")
    (tmp_path / "work" / "one").mkdir(parents=True)
    first.on_trial_result("one", epoch(1, 0.5))
    first.on_trial_result("one", epoch(2, 0.4))

    again = begin()
    assert again.suggest("two") == config
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["two"]
    assert study.score_so_far(tmp_path / "trials", "two") == 0.4
    again.on_trial_complete("two", epoch(2, 0.6))
    (trial,) = study.read(tmp_path / "trials")
    assert (trial.id, trial.config, trial.finished) == ("two", config, True)
    assert [(values["epoch"], values["entity_f1"], values["seconds"]) for values in trial.epochs] == [
        (1.0, 0.5, 2.0),
        (2.0, 0.6, 8.0),
    ]


def test_one_that_began_and_reported_nothing_is_the_next_too(begin):
    config = begin().suggest("one")
    assert begin().suggest("two") == config


def test_optuna_learns_from_what_is_done_and_proposes_something_else(begin):
    first = begin()
    config = first.suggest("one")
    first.on_trial_complete("one", epoch(1, 0.5))

    again = begin()
    assert [(trial.params, trial.value) for trial in again._ot_study.trials] == [(config, 0.5)]
    assert again.suggest("two") != config


def test_one_that_failed_is_tried_again_by_the_next_call(begin, tmp_path):
    first = begin()
    config = first.suggest("one")
    first.on_trial_complete("one", None, error=True)
    assert not study.read(tmp_path / "trials")[0].finished
    assert begin().suggest("two") == config
