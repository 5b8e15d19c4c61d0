"""The search over LoRA hyper-parameters, one study for each group: Optuna proposes, ASHA ends what is behind."""

import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch

from tuning.campaign import Task, read_sets

Objective = Literal["valid_loss", "entity_f1"]

SCORE = "score"
"""The objective's best value so far, as Tune gets it."""

MODES: Mapping[Objective, str] = {"valid_loss": "min", "entity_f1": "max"}

TRIALS = pa.schema(
    [
        pa.field("group", pa.string(), nullable=False),
        pa.field("trial", pa.string(), nullable=False),
        pa.field("rank", pa.int64(), nullable=False),
        pa.field("alpha", pa.int64(), nullable=False),
        pa.field("dropout", pa.float64(), nullable=False),
        pa.field("learning_rate", pa.float64(), nullable=False),
        pa.field("epochs", pa.int64(), nullable=False),
        pa.field("few_shot", pa.int64(), nullable=False),
        pa.field("valid_loss", pa.float64()),
        pa.field("entity_f1", pa.float64()),
        pa.field("best_epoch", pa.float64()),
        pa.field("epochs_done", pa.float64()),
        pa.field("seconds", pa.float64()),
        pa.field("error", pa.string()),
    ]
)
"""One trial: its settings, and what it reached in its best epoch by the objective."""


@dataclass(frozen=True)
class Space:
    """What is tried: of dropout and learning rate all between two ends, of the others the values given."""

    rank: tuple[int, ...] = (4, 8, 16, 32, 64)
    """Ranks of the LoRA matrices."""

    alpha: tuple[int, ...] = (8, 16, 32, 64, 128)
    """Scales of what they add."""

    dropout: tuple[float, float] = (0.0, 0.2)
    """Least and most dropout."""

    learning_rate: tuple[float, float] = (1e-5, 5e-4)
    """Least and most learning rate; drawn evenly over the powers of ten."""

    epochs: tuple[int, ...] = (5, 10, 20)
    """Epochs at most; the learning rate falls to 0 over them."""

    few_shot: tuple[int, ...] = (0, 2, 5)
    """Few-shot turns before each example."""


def run(
    task: Task,
    space: Space,
    objective: Objective,
    trials: int,
    sample: int,
    at_once: int,
    storage: Path,
) -> list[dict[str, Any]]:
    """Search for one group; a call that was interrupted goes on when it is made again, and keeps finished trials.

    Args:
        task: The group, with the settings that are not searched.
        space: What is tried.
        objective: What is best: the lowest validation loss, or the highest strict F1 of decoded entities.
        trials: How many.
        sample: Recordings of the validation set that are decoded, with ``entity_f1``.
        at_once: Most trials side by side; a search that goes on keeps to the number that it began with.
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
        shutil.rmtree(storage, ignore_errors=True)  # it was interrupted before there was anything to keep
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
            run_config=tune.RunConfig(
                name=storage.name,
                storage_path=str(storage.parent),
                failure_config=tune.FailureConfig(max_failures=1),
                verbose=0,
            ),
        )
    results = tuner.fit()
    shutil.rmtree(task.work, ignore_errors=True)
    rows = [_row(task.group, results[number], objective) for number in range(len(results))]
    sign = 1 if MODES[objective] == "min" else -1
    return sorted(rows, key=lambda row: (row[objective] is None, sign * (row[objective] or 0.0)))


def best_settings(trial: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's settings as ``tuning.settings.read_settings`` reads them."""
    return {name: trial[name] for name in ("rank", "alpha", "dropout", "learning_rate", "epochs", "few_shot")}


def _try(config: dict[str, Any], task: Task, objective: Objective, sample: int) -> None:
    from transformers import AutoTokenizer

    from tuning.adapter import prompt_of, train
    from tuning.objective import entity_f1

    settings = replace(task.settings, **config)
    sets = read_sets(task.sets)
    prompt = prompt_of(sets["train"], task.types, task.group, settings.few_shot)
    tokenizer = AutoTokenizer.from_pretrained(settings.base_model)
    rows = random.Random(settings.seed).sample(range(len(sets["valid"])), min(sample, len(sets["valid"])))
    decoded = sets["valid"].take(sorted(rows))
    best = 0.0

    def report(metrics: dict[str, float], model: Any) -> None:
        nonlocal best
        score = metrics["best_valid_loss"]
        if objective == "entity_f1":
            metrics["entity_f1"] = entity_f1(model, tokenizer, prompt, decoded)
            score = best = max(best, metrics["entity_f1"])
        tune.report({**metrics, SCORE: score})

    train(sets, prompt, settings, task.work / tune.get_context().get_trial_id(), report)


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
        "error": type(result.error).__name__ if result.error else None,
    }
