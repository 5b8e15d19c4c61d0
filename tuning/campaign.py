"""The adapters of all groups on Ray Tune: one trial each, as many at once as the cluster has room for."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from ray import tune

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
    shutil.rmtree(storage, ignore_errors=True)
    results = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(_train, tasks=left), {"cpu": settings.num_cpus, "gpu": settings.num_gpus}
        ),
        param_space={"group": tune.grid_search(list(left))},
        run_config=tune.RunConfig(
            name=storage.name,
            storage_path=str(storage.parent),
            failure_config=tune.FailureConfig(max_failures=1),
            verbose=0,
        ),
    ).fit()
    every = [results[number] for number in range(len(results))]
    return {each.config["group"]: _reason(each.error) for each in every if each.error and each.config}


def read_sets(folder: Path) -> dict[str, pa.Table]:
    """Read the prepared sets of one group."""
    return {split: pq.read_table(folder / f"{split}.parquet") for split in ("train", "valid")}


def _train(config: dict[str, Any], tasks: Mapping[str, Task]) -> None:
    from tuning.adapter import prompt_of, train
    from tuning.export import export

    task = tasks[config["group"]]
    begun = time.perf_counter()
    sets = read_sets(task.sets)
    prompt = prompt_of(sets["train"], task.types, task.group, task.settings.few_shot)
    trained = train(sets, prompt, task.settings, task.work, lambda metrics, model: tune.report(metrics))
    export(trained, sets, task.settings, time.perf_counter() - begun, task.adapter)


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
