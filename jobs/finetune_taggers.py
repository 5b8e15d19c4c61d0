"""Train the LoRA adapters that tag, one for each group of types.

python -m jobs.finetune_taggers --sets FOLDER --out FOLDER [--profile demo|rtx4090|reference]
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
import tyro
from rich.console import Console
from rich.table import Table

from jobs.command_line import absolute, check_local, connect_to_ray, parse, run_job
from jobs.folders import take_up
from jobs.progress import follow
from jobs.training_sets import find_sets
from pipeline.errors import UserError
from pipeline.models import locate_base_model
from pipeline.run_folder import write_json
from pipeline.tagging.groups import load_groups
from tuning import campaign
from tuning.curves import lowest
from tuning.progress import FILE as PROGRESS
from tuning.settings import ADAPTER_PROFILES, Adapter, check_adapter, read_settings

OPTIONS, CARD = "training.json", "card.json"

_MADE_HERE = ["adapters", "work", "tune"]


@dataclass(frozen=True)
class FinetuneTaggers:
    """Train the LoRA adapters that tag, one for each group of types.

    The out folder gets adapters/GROUP for jobs.predict --adapters, each with its card, metrics and curves, and
    work/GROUP with checkpoints and TensorBoard logs. As many adapters are trained at once as the cluster has room for:
    one after the other on one GPU. The checkpoint with the lowest validation loss is taken. An interrupted campaign
    goes on when the same command is given again, and finished adapters stay as they are.
    """

    sets: str
    """Out folder of jobs.prepare."""

    out: str
    """Folder for the adapters; every node has to see it."""

    profile: str = "demo"
    """Values of the settings: demo, rtx4090 or reference."""

    groups: tuple[str, ...] = ()
    """Groups to train, as in names care; without it, all that have examples."""

    groups_file: Path | None = None
    """YAML file with groups of types in place of the six built in, as given to jobs.prepare."""

    best: Annotated[Path | None, tyro.conf.arg(name="settings")] = None
    """YAML file with settings for each group, as jobs.search writes it; they override those of the profile."""

    overwrite: bool = False
    """Train anew what the out folder holds. To go on with an interrupted campaign, leave it out."""

    settings: Annotated[Adapter, tyro.conf.arg(name="")] = field(default_factory=Adapter)


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.finetune_taggers --help``."""
    job = parse(FinetuneTaggers, arguments, "python -m jobs.finetune_taggers", ADAPTER_PROFILES)
    out = check_local("--out", job.out)
    groups = {group.name: group for group in load_groups(job.groups_file)}
    sets, empty = find_sets("--sets", job.sets, list(groups.values()), job.groups)
    check_adapter(job.settings)
    settings = find_base_model(job.settings)
    own = read_settings(job.best, settings) if job.best else {}
    tasks = [
        campaign.Task(
            name, groups[name].types, folder, own.get(name, settings), out / "work" / name, out / "adapters" / name
        )
        for name, folder in sets.items()
    ]
    for task in tasks:
        check_few_shot(task, "--few-shot", task.settings.few_shot)
    options = {task.group: about(task) for task in tasks}
    take_up(job.out, OPTIONS, CARD, _MADE_HERE, options, job.overwrite)
    if empty:
        print(f"Without examples, so not trained: {', '.join(empty)}.")

    connect_to_ray()
    with follow({task.group: task.work / PROGRESS for task in tasks}):
        failed = campaign.run(tasks, out / "tune")
    trained = {task.group: _summary(task.adapter) for task in tasks if task.group not in failed}
    _print(trained)
    if failed:
        causes = "; ".join(f"{group}: {cause}" for group, cause in sorted(failed.items()))
        raise UserError(f"{len(failed)} of {len(tasks)} adapters failed ({causes}). The same command tries them again.")
    write_json(f"{absolute(job.out)}/{CARD}", {"adapters": trained, "without_examples": empty, "trained": options})
    print(f"Give them to jobs.predict: --adapters {out / 'adapters'}")


def check_few_shot(task: campaign.Task, option: str, few_shot: int | None) -> None:
    """Refuse more few-shot turns than the sets have.

    Raises:
        UserError: They have fewer.
    """
    turns = [turn["role"] for turn in pq.read_table(task.sets / "train.parquet")["prompt"][0].as_py()]
    there = turns.count("assistant")
    if few_shot is not None and few_shot > there:
        raise UserError(f"{option} {few_shot}: the sets of the group {task.group} have {there} few-shot turns.")


def about(task: campaign.Task) -> dict[str, Any]:
    """Return what a training is known by when it goes on: settings, types, and the sets with their contents."""
    contents = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(task.sets.glob("*.parquet"))
    }
    return {"sets": str(task.sets), "sha256": contents, "types": dict(task.types), "settings": asdict(task.settings)}


def find_base_model(settings: Adapter) -> Adapter:
    """Return settings with the base model's folder."""
    return replace(settings, base_model=str(locate_base_model(settings.base_model)))


def _summary(adapter: Path) -> dict[str, Any]:
    metrics = pq.read_table(adapter / "metrics.parquet")
    step, loss = lowest(metrics, "valid_loss")
    rows = [row for row in metrics.to_pylist() if row["name"] == "valid_loss"]
    return {
        "valid_loss": loss,
        "step": step,
        "epoch": next(row["epoch"] for row in rows if row["step"] == step),
        "epochs": rows[-1]["epoch"],
        "seconds": round(max(metrics["seconds"].to_pylist()), 1),
    }


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
