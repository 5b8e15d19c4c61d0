"""The search over LoRA hyper-parameters, one study for each entity group: Optuna proposes, ASHA ends weak trials."""

import random
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import ConcurrencyLimiter

from pipeline import tables
from pipeline.corpus import tagging_datasets
from pipeline.errors import only_without_text
from tuning import study
from tuning.adapter_task import AdapterTask
from tuning.adapters_on_ray import run_config, why
from tuning.search_space import MODES, Objective, Space

TRIALS_FOLDER = "trials"

TRIALS = tables.schema(
    "group: string, trial: string, rank: int64, alpha: int64, dropout: float64, learning_rate: float64, epochs: int64, "
    "few_shot: int64, valid_loss: float64?, entity_f1: float64?, best_epoch: float64?, epochs_done: float64?, "
    "seconds: float64?, error: string?"
)
"""One trial: its settings, the values of its best epoch by the objective, its epochs and seconds, and the class of the
error that ended it."""


def run(
    task: AdapterTask, space: Space, objective: Objective, trials: int, sample: int, at_once: int, storage: Path
) -> list[dict[str, Any]]:
    """Search for one entity group; an interrupted call goes on when it is made again, and keeps finished trials.

    Args:
        task: The dataset, with the settings that are not searched.
        space: The values to try.
        objective: What is best: the lowest validation loss, or the highest strict F1 of decoded entities.
        trials: The number of trials.
        sample: Recordings of the validation split that are decoded, with ``entity_f1``.
        at_once: Most trials side by side.
        storage: Folder of the study, which every node sees.

    Returns:
        Rows of ``TRIALS``, the best first.
    """
    folder = storage / TRIALS_FOLDER
    done = sum(trial.finished for trial in study.read(folder))
    errors: list[tuple[Any, str]] = []
    if done < trials:
        shutil.rmtree(storage / "tune", ignore_errors=True)
        trainable = tune.with_parameters(_try, task=task, objective=objective, sample=sample, folder=folder)
        results = tune.Tuner(
            tune.with_resources(trainable, {"cpu": task.settings.num_cpus, "gpu": task.settings.num_gpus}),
            param_space={
                "rank": tune.choice(list(space.rank)),
                "alpha": tune.choice(list(space.alpha)),
                "dropout": tune.uniform(*space.dropout),
                "learning_rate": tune.loguniform(*space.learning_rate),
                "epochs": tune.choice(list(space.epochs)),
                "few_shot": tune.choice(list(space.few_shot)),
            },
            tune_config=tune.TuneConfig(
                metric=study.SCORE,
                mode=MODES[objective],
                search_alg=ConcurrencyLimiter(
                    study.Study(folder, task.work, task.settings.seed), max_concurrent=at_once
                ),
                scheduler=ASHAScheduler(time_attr="epoch", max_t=max(space.epochs), grace_period=1, reduction_factor=3),
                num_samples=trials - done,
                reuse_actors=True,
            ),
            run_config=run_config(storage / "tune"),
        ).fit()
        every = [results[number] for number in range(len(results))]
        errors = [(result.config, why(result.error)) for result in every if result.error]
    shutil.rmtree(task.work, ignore_errors=True)
    rows = [_row(task.group, trial, objective, errors) for trial in study.read(folder)]
    sign = 1 if MODES[objective] == "min" else -1
    return sorted(rows, key=lambda row: (row[objective] is None, sign * (row[objective] or 0.0)))


def best_settings(trial: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's settings as ``tuning.settings.read_settings`` reads them."""
    return {name: trial[name] for name in ("rank", "alpha", "dropout", "learning_rate", "epochs", "few_shot")}


@only_without_text()
def _try(config: dict[str, Any], task: AdapterTask, objective: Objective, sample: int, folder: Path) -> None:
    from transformers import AutoTokenizer

    from tuning.adapter import train
    from tuning.entity_f1 import entity_f1

    settings = replace(task.settings, **config)
    dataset = tagging_datasets.read(str(task.dataset))
    prompt, valid = dataset.prompt.with_examples(settings.few_shot), dataset.splits["valid"]
    tokenizer = AutoTokenizer.from_pretrained(settings.base_model)
    rows = random.Random(settings.seed).sample(range(len(valid)), min(sample, len(valid)))
    decoded = valid.take(sorted(rows))
    trial = tune.get_context().get_trial_id()
    best = study.score_so_far(folder, trial)

    def report(metrics: dict[str, float], model: Any) -> None:
        nonlocal best
        score = metrics["best_valid_loss"]
        if objective == "entity_f1":
            metrics["entity_f1"] = entity_f1(model, tokenizer, prompt, decoded)
            score = best = max(best, metrics["entity_f1"])
        tune.report({**metrics, study.SCORE: score})

    train(dataset, settings, task.work / trial, report)


def _row(group: str, trial: study.Trial, objective: Objective, errors: list[tuple[Any, str]]) -> dict[str, Any]:
    choose = min if MODES[objective] == "min" else max
    best: Mapping[str, float] = choose(trial.epochs, key=lambda epoch: epoch[objective], default={})
    last = trial.epochs[-1] if trial.epochs else {}
    error = next((why for config, why in errors if config == trial.config), None)
    return {
        "group": group,
        "trial": trial.id,
        **best_settings(trial.config),
        "valid_loss": best.get("valid_loss"),
        "entity_f1": best.get("entity_f1"),
        "best_epoch": best.get("epoch"),
        "epochs_done": last.get("epoch"),
        "seconds": last.get("seconds"),
        "error": None if trial.finished else error,
    }
