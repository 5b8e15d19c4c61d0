"""The search over LoRA hyper-parameters, one study for each entity group: Optuna proposes, ASHA ends weak trials."""

import random
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch

from pipeline import tables
from pipeline.corpus import tagging_datasets
from pipeline.errors import UserError, only_without_text
from tuning.adapters_on_ray import AdapterTask, run_config, why
from tuning.settings import AdapterSettings, check_adapter

Objective = Literal["valid_loss", "entity_f1"]

SCORE = "score"
"""Name of the objective's best value so far, in what Tune gets."""

MODES: Mapping[Objective, str] = {"valid_loss": "min", "entity_f1": "max"}

TRIALS = tables.schema(
    "group: string, trial: string, rank: int64, alpha: int64, dropout: float64, learning_rate: float64, epochs: int64, "
    "few_shot: int64, valid_loss: float64?, entity_f1: float64?, best_epoch: float64?, epochs_done: float64?, "
    "seconds: float64?, error: string?"
)
"""One trial: its settings, the values of its best epoch by the objective, its epochs and seconds, and the class of the
error that ended it."""


@dataclass(frozen=True)
class Space:
    """The values to try: all between two ends for dropout and learning rate, those listed for the others."""

    rank: tuple[int, ...] = (4, 8, 16, 32, 64)
    """Ranks of the LoRA matrices."""

    alpha: tuple[int, ...] = (8, 16, 32, 64, 128)
    """Scales of the LoRA update; it is divided by the rank."""

    dropout: tuple[float, float] = (0.0, 0.2)
    """Lowest and highest dropout."""

    learning_rate: tuple[float, float] = (1e-5, 5e-4)
    """Lowest and highest learning rate; drawn evenly over its logarithm."""

    epochs: tuple[int, ...] = (5, 10, 20)
    """Most epochs; the learning rate falls to 0 over them."""

    few_shot: tuple[int, ...] = (0, 2, 5)
    """Few-shot turns before each example."""


def check_space(space: Space) -> None:
    """Raise a UserError if a value is missing or out of its range, or two ends are in the wrong order."""
    for name, values in asdict(space).items():
        option = f"--space.{name.replace('_', '-')}"
        if not values:
            raise UserError(f"{option}: give at least one value.")
        for value in values:
            check_adapter(AdapterSettings(**{name: value}), "space.")
        if name in ("dropout", "learning_rate") and (values[0] > values[1] or (name != "dropout" and not values[0])):
            raise UserError(f"{option} {values[0]:g} {values[1]:g}: give the least, and then the most.")


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
        at_once: Most trials side by side; a search that goes on keeps the number of its first call.
        storage: Folder of the study, which every node sees.

    Returns:
        Rows of ``TRIALS``, the best first.
    """
    trainable = tune.with_resources(
        tune.with_parameters(_try, task=task, objective=objective, sample=sample),
        {"cpu": task.settings.num_cpus, "gpu": task.settings.num_gpus},
    )
    if any(storage.glob("experiment_state-*.json")):
        tuner = tune.Tuner.restore(str(storage), trainable=trainable, resume_unfinished=True, resume_errored=True)
    else:
        shutil.rmtree(storage, ignore_errors=True)  # an earlier call may have been interrupted before its first trial
        seed = task.settings.seed
        tuner = tune.Tuner(
            trainable,
            param_space={
                "rank": tune.choice(list(space.rank)),
                "alpha": tune.choice(list(space.alpha)),
                "dropout": tune.uniform(*space.dropout),
                "learning_rate": tune.loguniform(*space.learning_rate),
                "epochs": tune.choice(list(space.epochs)),
                "few_shot": tune.choice(list(space.few_shot)),
            },
            tune_config=tune.TuneConfig(
                metric=SCORE,
                mode=MODES[objective],
                search_alg=ConcurrencyLimiter(OptunaSearch(seed=seed), max_concurrent=at_once),
                scheduler=ASHAScheduler(time_attr="epoch", max_t=max(space.epochs), grace_period=1, reduction_factor=3),
                num_samples=trials,
                reuse_actors=True,
            ),
            run_config=run_config(storage),
        )
    results = tuner.fit()
    shutil.rmtree(task.work, ignore_errors=True)
    rows = [_row(task.group, results[number], objective) for number in range(len(results))]
    sign = 1 if MODES[objective] == "min" else -1
    return sorted(rows, key=lambda row: (row[objective] is None, sign * (row[objective] or 0.0)))


def best_settings(trial: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's settings as ``tuning.settings.read_settings`` reads them."""
    return {name: trial[name] for name in ("rank", "alpha", "dropout", "learning_rate", "epochs", "few_shot")}


@only_without_text()
def _try(config: dict[str, Any], task: AdapterTask, objective: Objective, sample: int) -> None:
    from transformers import AutoTokenizer

    from tuning.adapter import train
    from tuning.entity_f1 import entity_f1

    settings = replace(task.settings, **config)
    dataset = tagging_datasets.read(str(task.dataset))
    prompt, valid = dataset.prompt.with_examples(settings.few_shot), dataset.splits["valid"]
    tokenizer = AutoTokenizer.from_pretrained(settings.base_model)
    rows = random.Random(settings.seed).sample(range(len(valid)), min(sample, len(valid)))
    decoded = valid.take(sorted(rows))
    best = 0.0

    def report(metrics: dict[str, float], model: Any) -> None:
        nonlocal best
        score = metrics["best_valid_loss"]
        if objective == "entity_f1":
            metrics["entity_f1"] = entity_f1(model, tokenizer, prompt, decoded)
            score = best = max(best, metrics["entity_f1"])
        tune.report({**metrics, SCORE: score})

    train(dataset, settings, task.work / tune.get_context().get_trial_id(), report)


def _row(group: str, result: tune.Result, objective: Objective) -> dict[str, Any]:
    frame = result.metrics_dataframe
    history = [] if frame is None else frame.to_dict("records")
    choose = min if MODES[objective] == "min" else max
    best: Mapping[str, Any] = choose(history, key=lambda row: row[objective], default={})
    return {
        "group": group,
        "trial": (result.metrics or {}).get("trial_id", Path(result.path).name),
        **best_settings(result.config or {}),
        "valid_loss": best.get("valid_loss"),
        "entity_f1": best.get("entity_f1"),
        "best_epoch": best.get("epoch"),
        "epochs_done": history[-1]["epoch"] if history else None,
        "seconds": history[-1]["time_total_s"] if history else None,
        "error": why(result.error) if result.error else None,
    }
