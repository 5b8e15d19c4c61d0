"""The adapters of all entity groups on Ray Tune: one trial each, as many at once as the cluster has room for."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
from ray import tune

from pipeline.corpus import tagging_datasets
from pipeline.errors import UserError, WithoutTextError, only_without_text
from tuning.adapter_task import AdapterTask
from tuning.settings import AdapterSettings


def run(tasks: Sequence[AdapterTask], storage: Path) -> dict[str, str]:
    """Train adapters; one whose adapter folder is there already is not trained again.

    All folders lie on storage that every node mounts. An interrupted call goes on when it is made again.

    Args:
        tasks: What to train.
        storage: Folder for Tune's own files.

    Returns:
        The errors by entity group; the other adapters are finished.
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
        run_config=run_config(storage),
    ).fit()
    every = [results[number] for number in range(len(results))]
    return {each.config["group"]: why(each.error) for each in every if each.error and each.config}


def prepare_tune(settings: AdapterSettings) -> int:
    """Return how many trainings the cluster has room for; let Ctrl-C end a job that uses Tune, which prints nothing.

    Raises:
        UserError: The cluster has no room for a single one, so the job would wait for ever.
    """
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # the new one prints boxes, also where it is to be silent
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


def run_config(storage: Path) -> tune.RunConfig:
    """Return how Tune keeps trials in a folder: one that failed is tried once more."""
    failures = tune.FailureConfig(max_failures=1)
    return tune.RunConfig(name=storage.name, storage_path=str(storage.parent), failure_config=failures, verbose=0)


@only_without_text()
def _train(config: dict[str, Any], tasks: Mapping[str, AdapterTask]) -> None:
    from tuning.adapter import train
    from tuning.export import export

    task = tasks[config["group"]]
    dataset = tagging_datasets.read(str(task.dataset))
    trained = train(dataset, task.settings, task.work, lambda metrics, model: tune.report(metrics))
    export(trained, dataset, task.settings, task.adapter)


def why(error: BaseException) -> str:
    """Return the error's class, or a sentence for the user: a library's message may quote a transcript."""
    cause = getattr(error, "cause", None) or error
    return str(cause) if isinstance(cause, UserError | WithoutTextError) else type(cause).__name__
