"""Search for the best LoRA hyper-parameters of entity groups.

python -m jobs.search --datasets FOLDER --out FOLDER --groups names times [--profile demo|rtx4090|reference]
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any

import tyro
import yaml
from rich.console import Console
from rich.table import Table

from jobs.command_line import check_local, parse, run_job
from jobs.dry_run import print_work
from jobs.ray_cluster import connect_to_ray
from jobs.search_progress import follow_search
from pipeline import tables
from pipeline.errors import UserError
from pipeline.files import write_json, write_text
from pipeline.models import locate_base_model
from pipeline.out_folder import OutFolder
from pipeline.settings import check_numbers
from tuning.adapter_task import AdapterTask
from tuning.datasets import check_few_shot, examples_in_words, find_datasets, in_words
from tuning.search_space import Objective, Space, check_space
from tuning.settings import ADAPTER_PROFILES, AdapterSettings, check_adapter

STATE, SUMMARY, BEST = "search.json", "summary.json", "best.yaml"


@dataclass(frozen=True)
class Search:
    """Search for the best LoRA hyper-parameters of entity groups.

    Optuna proposes rank, alpha, dropout, learning rate, epochs and few-shot turns; ASHA ends trials that are worse
    than others after the same epochs. The out folder gets the table trials/ and best.yaml, which jobs.finetune_taggers
    takes as --settings. An interrupted search goes on when the same command is given again, with all finished trials.
    """

    datasets: str
    """Out folder of jobs.prepare."""

    out: str
    """Folder for the results; every node has to see it."""

    profile: str = "demo"
    """Values of the settings that are not searched: demo, rtx4090 or reference."""

    groups: tuple[str, ...] = ()
    """Entity groups to search for, as in names times; without it, all that have examples, one after the other."""

    trials: int = 20
    """Trials for each entity group."""

    objective: Objective = "valid_loss"
    """What is best: the lowest validation loss, or the highest strict F1 of decoded entities."""

    sample: int = 200
    """Recordings of the validation split that are decoded, with --objective entity_f1."""

    space: Space = field(default_factory=Space)

    dry_run: bool = False
    """Check everything and print what would be done: examples and trials of each entity group, the model, GPUs and
    free disk."""

    overwrite: bool = False
    """Replace the search that the out folder holds. To go on with an interrupted one, leave it out."""

    settings: Annotated[AdapterSettings, tyro.conf.arg(name="")] = field(default_factory=AdapterSettings)


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.search --help``."""
    job = parse(Search, arguments, "python -m jobs.search", ADAPTER_PROFILES)
    out = check_local("--out", job.out)
    check_numbers({"trials": job.trials, "sample": job.sample}, {"trials": 1, "sample": 1})
    check_adapter(job.settings)
    check_space(job.space)
    if job.objective == "valid_loss" and job.settings.loss == "all" and len(job.space.few_shot) > 1:
        raise UserError(
            "--objective valid_loss cannot compare numbers of few-shot turns that are learned from too: give one "
            "--space.few-shot, --loss answer or --objective entity_f1."
        )
    datasets, empty = find_datasets("--datasets", check_local("--datasets", job.datasets), job.groups)
    for dataset in datasets.values():
        check_few_shot("--space.few-shot", max(job.space.few_shot), dataset)
    settings = replace(job.settings, base_model=str(locate_base_model(job.settings.base_model)))
    tasks = [AdapterTask(folder, settings, out) for folder in datasets]
    asked = {name: value for name, value in asdict(job).items() if name in ("trials", "objective", "sample", "space")}
    asked["adapters"] = {task.group: task.asked() for task in tasks}
    folder = OutFolder(job.out, STATE, SUMMARY, ["trials", "tune", "work", BEST])
    if resumed := folder.resume(asked, job.overwrite, job.dry_run):
        print(resumed)
    if empty:
        print(f"Left out ({in_words(empty)}).")

    from tuning import search, study
    from tuning.adapters_on_ray import prepare_tune

    trials = {task.group: out / "tune" / task.group / search.TRIALS_FOLDER for task in tasks}
    if job.dry_run:
        work = {"trials": f"{job.trials} for each entity group"}
        for task in tasks:
            done = sum(trial.finished for trial in study.read(trials[task.group]) if resumed)
            work[task.group] = f"{examples_in_words(datasets[task.dataset])}, {done} of {job.trials} trials finished"
        gpus = [f"{settings.num_gpus:g} for each trial"] if settings.num_gpus else []
        print_work(work, {"base_model": settings.base_model}, gpus, job.out)
        return

    connect_to_ray()
    at_once = prepare_tune(settings)
    rows: list[dict[str, Any]] = []
    for task in tasks:
        with follow_search(task.group, job.trials, trials[task.group], job.objective):
            storage = trials[task.group].parent
            rows += search.run(task, job.space, job.objective, job.trials, job.sample, at_once, storage)
    tables.write(tables.from_rows(rows, search.TRIALS), str(out / "trials"))
    best = {task.group: _best(rows, task.group, job.objective) for task in tasks}
    _print(rows, job.objective)
    failed_trials = sum(row["error"] is not None for row in rows)
    if failed_trials:
        print(f"{failed_trials} trials failed; the table trials/ names their errors.")
    if failed := [group for group, trial in best.items() if trial is None]:
        raise UserError(f"No trial finished an epoch for {', '.join(failed)}: the table trials/ says what went wrong.")
    chosen = {group: search.best_settings(trial) for group, trial in best.items() if trial}
    write_text(str(out / BEST), yaml.safe_dump(chosen, sort_keys=False))
    write_json(str(out / SUMMARY), {"objective": job.objective, "best": best})
    print(f"Train with them: python -m jobs.finetune_taggers --settings {out / BEST}")


def _best(rows: Sequence[Mapping[str, Any]], group: str, objective: str) -> Mapping[str, Any] | None:
    return next((row for row in rows if row["group"] == group and row[objective] is not None), None)


def _print(rows: Sequence[Mapping[str, Any]], objective: str) -> None:
    """Print the five best trials of each entity group."""
    columns = ["group", "trial", objective, "rank", "alpha", "dropout", "learning_rate", "epochs", "few_shot"]
    table = Table(*(column.replace("_", " ") for column in columns), box=None, pad_edge=False)
    for group in dict.fromkeys(row["group"] for row in rows):
        for row in [row for row in rows if row["group"] == group][:5]:
            table.add_row(*(f"{row[c]:.4g}" if isinstance(row[c], float) else str(row[c]) for c in columns))
    Console().print(table)


if __name__ == "__main__":
    run_job(main)
