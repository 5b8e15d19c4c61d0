"""The adapters of all groups on Ray Tune: one trial each, as many at once as the cluster has room for."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import ray
from ray import tune

from pipeline.errors import UserError
from tuning.settings import Adapter


@dataclass(frozen=True)
class Task:
    """One adapter to train.

    Attributes:
        group: Name of the group.
        types: Its types, with the lines that describe them.
        sets: Folder with ``train.parquet`` and ``valid.parquet``.
        settings: The knobs.
        work: Folder of its checkpoints and logs.
        adapter: Where the adapter folder will be.
    """

    group: str
    types: Mapping[str, str]
    sets: Path
    settings: Adapter
    work: Path
    adapter: Path


def run(tasks: Sequence[Task], storage: Path) -> dict[str, str]:
    """Train adapters; a group whose adapter folder is there already is not trained again.

    Folders must mean the same on every node. An interrupted call goes on when it is made again.

    Args:
        tasks: What to train.
        storage: Folder for what Tune itself keeps.

    Returns:
        What went wrong, by group; the others are finished.
    """
    left = {task.group: task for task in tasks if not task.adapter.is_dir()}
    if not left:
        return {}
    settings = next(iter(left.values())).settings
    prepare_tune(settings)
    shutil.rmtree(storage, ignore_errors=True)
    results = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(_train, tasks=left), {"cpu": settings.num_cpus, "gpu": settings.num_gpus}
        ),
        param_space={"group": tune.grid_search(list(left))},
        tune_config=tune.TuneConfig(reuse_actors=True),  # what a training imports takes longer than a small training
        run_config=tune.RunConfig(
            name=storage.name,
            storage_path=str(storage.parent),
            failure_config=tune.FailureConfig(max_failures=1),
            verbose=0,
        ),
    ).fit()
    every = [results[number] for number in range(len(results))]
    return {each.config["group"]: _reason(each.error) for each in every if each.error and each.config}


def prepare_tune(settings: Adapter) -> int:
    """Let Ctrl-C end a job as everywhere, and return how many trainings the cluster has room for.

    Raises:
        UserError: It has not even room for one, which would wait for ever.
    """
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    there = ray.cluster_resources()
    rooms = []
    for kind, asked in (("CPU", settings.num_cpus), ("GPU", settings.num_gpus)):
        if asked > there.get(kind, 0.0):
            raise UserError(
                f"A training asks for {asked:g} {kind}s and Ray has {there.get(kind, 0.0):g}: give a smaller "
                f"--num-{kind.lower()}s, or --profile demo."
            )
        rooms += [int(there[kind] / asked)] if asked else []
    return min(rooms, default=1)


def read_sets(folder: Path) -> dict[str, pa.Table]:
    """Read the prepared sets of one group."""
    return {split: pq.read_table(folder / f"{split}.parquet") for split in ("train", "valid")}


def _train(config: dict[str, Any], tasks: Mapping[str, Task]) -> None:
    from tuning.adapter import prompt_of, train
    from tuning.export import export

    task = tasks[config["group"]]
    sets = read_sets(task.sets)
    prompt = prompt_of(sets["train"], task.types, task.group, task.settings.few_shot)
    trained = train(sets, prompt, task.settings, task.work, lambda metrics, model: tune.report(metrics))
    export(trained, sets, task.settings, task.adapter)


def _reason(error: BaseException) -> str:
    """Return the error's class: a library's message may quote a transcript."""
    lines = [line for line in str(error).strip().splitlines() if line and not line.startswith(" ")]
    return lines[-1].partition(":")[0].rpartition(".")[2] if lines else type(error).__name__
