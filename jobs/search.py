"""Search for the best LoRA hyper-parameters, for one or more groups.

python -m jobs.search --sets FOLDER --out FOLDER --groups names times [--trials 20] [--profile demo|rtx4090|reference]
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
import yaml
from rich.console import Console
from rich.table import Table

from jobs.command_line import absolute, check_local, connect_to_ray, parse, run_job
from jobs.finetune_taggers import about, check_few_shot, find_base_model
from jobs.folders import take_up
from jobs.training_sets import find_sets
from pipeline import tables
from pipeline.errors import UserError
from pipeline.files import write_text
from pipeline.run_folder import write_json
from pipeline.tagging.groups import load_groups
from tuning import search
from tuning.campaign import Task, prepare_tune
from tuning.settings import ADAPTER_PROFILES, Adapter, check_adapter

OPTIONS, SUMMARY, BEST = "search.json", "summary.json", "best.yaml"

_MADE_HERE = ["trials", "tune", "work", BEST]


@dataclass(frozen=True)
class Search:
    """Search for the best LoRA hyper-parameters, for one or more groups.

    Optuna proposes rank, alpha, dropout, learning rate, epochs and few-shot turns; ASHA ends trials that are behind
    after the same epochs. The out folder gets the table trials/ and best.yaml, which jobs.finetune_taggers takes as
    --settings. An interrupted search goes on when the same command is given again, with all finished trials.
    """

    sets: str
    """Out folder of jobs.prepare."""

    out: str
    """Folder for the results; every node has to see it."""

    profile: str = "demo"
    """Values of the settings that are not searched: demo, rtx4090 or reference."""

    groups: tuple[str, ...] = ()
    """Groups to search for, as in names times; without it, all that have examples, one after the other."""

    groups_file: Path | None = None
    """YAML file with groups of types in place of the six built in, as given to jobs.prepare."""

    trials: int = 20
    """Trials for each group."""

    objective: search.Objective = "valid_loss"
    """What is best: the lowest validation loss, or the highest strict F1 of entities that are really decoded."""

    sample: int = 200
    """Recordings of the validation set that are decoded, with --objective entity_f1."""

    space: search.Space = field(default_factory=search.Space)

    overwrite: bool = False
    """Replace the search that the out folder holds. To go on with an interrupted one, leave it out."""

    settings: Annotated[Adapter, tyro.conf.arg(name="")] = field(default_factory=Adapter)


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.search --help``."""
    job = parse(Search, arguments, "python -m jobs.search", ADAPTER_PROFILES)
    out = check_local("--out", job.out)
    for option, value in (("--trials", job.trials), ("--sample", job.sample)):
        if value < 1:
            raise UserError(f"{option} {value}: at least 1 is needed.")
    check_adapter(job.settings)
    _check_space(job.space)
    if job.objective == "valid_loss" and job.settings.loss == "all" and len(job.space.few_shot) > 1:
        raise UserError(
            "--objective valid_loss cannot compare numbers of few-shot turns that are learned from too: give one "
            "--space.few-shot, --loss answer or --objective entity_f1."
        )
    groups = {group.name: group for group in load_groups(job.groups_file)}
    sets, empty = find_sets("--sets", job.sets, list(groups.values()), job.groups)
    settings = find_base_model(job.settings)
    tasks = [
        Task(name, groups[name].types, folder, settings, out / "work" / name, out / "adapters" / name)
        for name, folder in sets.items()
    ]
    for task in tasks:
        check_few_shot(task, "--space.few-shot", max(job.space.few_shot))
    options = {key: value for key, value in asdict(job).items() if key not in ("out", "overwrite")}
    options |= {"groups_file": str(job.groups_file), "sets": {task.group: about(task) for task in tasks}}
    take_up(job.out, OPTIONS, SUMMARY, _MADE_HERE, options, job.overwrite)
    if empty:
        print(f"Without examples, so left out: {', '.join(empty)}.")

    connect_to_ray()
    at_once = prepare_tune(settings)
    rows: list[dict[str, Any]] = []
    for task in tasks:
        print(f"{task.group}: {job.trials} trials")
        rows += search.run(task, job.space, job.objective, job.trials, job.sample, at_once, out / "tune" / task.group)
    tables.write(tables.from_rows(rows, search.TRIALS), f"{absolute(job.out)}/trials")
    best = {task.group: _best(rows, task.group, job.objective) for task in tasks}
    _print(rows, job.objective)
    failed_trials = sum(row["error"] is not None for row in rows)
    if failed_trials:
        print(f"{failed_trials} trials failed; the table trials/ names their errors.")
    if failed := [group for group, trial in best.items() if trial is None]:
        raise UserError(f"No trial finished an epoch for {', '.join(failed)}: the table trials/ says what went wrong.")
    chosen = {group: search.best_settings(trial) for group, trial in best.items() if trial}
    write_text(f"{absolute(job.out)}/{BEST}", yaml.safe_dump(chosen, sort_keys=False))
    write_json(f"{absolute(job.out)}/{SUMMARY}", {"objective": job.objective, "best": best})
    print(f"Train with them: python -m jobs.finetune_taggers --settings {out / BEST}")


def _check_space(space: search.Space) -> None:
    """Refuse values that no training can work with."""
    for name, values in asdict(space).items():
        option = f"--space.{name.replace('_', '-')}"
        if not values:
            raise UserError(f"{option}: give at least one value.")
        for value in values:
            check_adapter(Adapter(**{name: value}), "space.")
        if name in ("dropout", "learning_rate") and (values[0] > values[1] or (name != "dropout" and not values[0])):
            raise UserError(f"{option} {values[0]:g} {values[1]:g}: give the least, and then the most.")


def _best(rows: Sequence[Mapping[str, Any]], group: str, objective: str) -> Mapping[str, Any] | None:
    return next((row for row in rows if row["group"] == group and row[objective] is not None), None)


def _print(rows: Sequence[Mapping[str, Any]], objective: str) -> None:
    """Print the five best trials of each group."""
    columns = ["group", "trial", objective, "rank", "alpha", "dropout", "learning_rate", "epochs", "few_shot"]
    table = Table(*(column.replace("_", " ") for column in columns), box=None, pad_edge=False)
    for group in dict.fromkeys(row["group"] for row in rows):
        for row in [row for row in rows if row["group"] == group][:5]:
            table.add_row(*(f"{row[c]:.4g}" if isinstance(row[c], float) else str(row[c]) for c in columns))
    Console().print(table)


if __name__ == "__main__":
    run_job(main)
