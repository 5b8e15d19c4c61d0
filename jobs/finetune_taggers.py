"""Train the LoRA adapters that tag, one for each entity group.

python -m jobs.finetune_taggers --datasets FOLDER --out FOLDER [--profile demo|rtx4090|reference]
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
import tyro
from rich.console import Console
from rich.table import Table

from jobs.command_line import check_local, parse, run_job
from jobs.dry_run import print_work
from jobs.progress import follow
from jobs.ray_cluster import connect_to_ray
from pipeline.errors import UserError
from pipeline.files import write_json
from pipeline.models import locate_base_model
from pipeline.out_folder import OutFolder
from tuning import curves
from tuning.adapter_task import AdapterTask
from tuning.datasets import check_few_shot, examples_in_words, find_datasets, in_words
from tuning.progress import FILE as PROGRESS
from tuning.settings import ADAPTER_PROFILES, AdapterSettings, check_adapter, read_settings

STATE, CARD = "training.json", "card.json"


@dataclass(frozen=True)
class FinetuneTaggers:
    """Train the LoRA adapters that tag, one for each entity group.

    The out folder gets adapters/GROUP for jobs.predict --adapters, each with its card, metrics and curves, and
    work/GROUP with checkpoints and TensorBoard logs. As many adapters are trained at once as the cluster has room for:
    one after the other on one GPU. The checkpoint with the lowest validation loss is taken. When the same command is
    given again after an interruption, it goes on, and finished adapters stay as they are.
    """

    datasets: str
    """Out folder of jobs.prepare."""

    out: str
    """Folder for the adapters; every node has to see it."""

    profile: str = "demo"
    """Values of the settings: demo, laptop, rtx4090 or reference."""

    groups: tuple[str, ...] = ()
    """Entity groups to train, as in names care; without it, all that have examples."""

    best: Annotated[Path | None, tyro.conf.arg(name="settings")] = None
    """YAML file with settings for each entity group, as jobs.search writes it; they override those of the profile."""

    dry_run: bool = False
    """Check everything and print what would be done: examples of each entity group, the model, GPUs, free disk, and
    what is finished."""

    overwrite: bool = False
    """Replace the training that the out folder holds. To go on with an interrupted one, leave it out."""

    settings: Annotated[AdapterSettings, tyro.conf.arg(name="")] = field(default_factory=AdapterSettings)


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.finetune_taggers --help``."""
    job = parse(FinetuneTaggers, arguments, "python -m jobs.finetune_taggers", ADAPTER_PROFILES)
    out = check_local("--out", job.out)
    datasets, empty = find_datasets("--datasets", check_local("--datasets", job.datasets), job.groups)
    check_adapter(job.settings)
    settings = replace(job.settings, base_model=str(locate_base_model(job.settings.base_model)))
    own = read_settings(job.best, settings) if job.best else {}
    tasks = [AdapterTask(folder, own.get(folder.name, settings), out) for folder in datasets]
    for task in tasks:
        check_few_shot("--few-shot", task.settings.few_shot, datasets[task.dataset])
    asked = {task.group: task.asked() for task in tasks}
    folder = OutFolder(job.out, STATE, CARD, ["adapters", "work", "tune"])
    if resumed := folder.resume({"adapters": asked}, job.overwrite, job.dry_run):
        print(resumed)
    if empty:
        print(f"Not trained ({in_words(empty)}).")
    if job.dry_run:
        done = {task.group for task in tasks if resumed and task.adapter.is_dir()}
        work = {"adapters": f"{len(tasks) - len(done)} of {len(tasks)} to train"}
        for task in tasks:
            work[task.group] = examples_in_words(datasets[task.dataset]) + ", finished" * (task.group in done)
        gpus = [f"{settings.num_gpus:g} for each adapter"] if settings.num_gpus else []
        print_work(work, {"base_model": settings.base_model}, gpus, job.out)
        return

    from tuning import adapters_on_ray

    connect_to_ray()
    with follow({task.group: task.work / PROGRESS for task in tasks}):
        failed = adapters_on_ray.run(tasks, out / "tune")
    metrics = {task.group: task.adapter / "metrics.parquet" for task in tasks if task.group not in failed}
    trained = {group: curves.summary(pq.read_table(file)) for group, file in metrics.items()}
    _print(trained)
    if failed:
        causes = "; ".join(f"{group}: {cause}" for group, cause in sorted(failed.items()))
        raise UserError(f"{len(failed)} of {len(tasks)} adapters failed ({causes}). The same command tries them again.")
    write_json(str(out / CARD), {"adapters": trained, "without_examples": list(empty), "trained": asked})
    skip = " --tagger.missing-adapters skip" if empty else ""
    print(f"Give them to jobs.predict: --adapters {out / 'adapters'}{skip}")


def _print(trained: Mapping[str, Mapping[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("adapter", "valid loss", "chosen epoch", "of", "step", "seconds"):
        table.add_column(column, justify="left" if column == "adapter" else "right")
    for group, of in trained.items():
        numbers = (f"{of['valid_loss']:.4f}", f"{of['epoch']:.0f}", f"{of['epochs']:.0f}", of["step"], of["seconds"])
        table.add_row(group, *map(str, numbers))
    Console().print(table)


if __name__ == "__main__":
    run_job(main)
