"""Merge several runs or submissions into one: take some types from another, or what most of them agree on.

python -m jobs.merge replace --base FOLDER --source FOLDER --types PROFESSION SET --out FOLDER
python -m jobs.merge vote --run FOLDER --run FOLDER --run FOLDER --out FOLDER
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from jobs.command_line import check_paths, run_job
from pipeline import submission, tables
from pipeline.errors import UserError
from pipeline.files import absolute, is_within
from pipeline.out_folder import OutFolder
from pipeline.outputs import merging
from pipeline.submission import Submission, read_submission
from pipeline.tagging.known_types import known_types

_MADE_HERE = [submission.TASK1, *tables.SCHEMAS]


@dataclass(frozen=True)
class Replace:
    """Take all entities of some types from another run.

    Entities of these types come from the source, all others from the base. The out folder gets task2_answer.txt, the
    table entities if both folders hold it, the base's transcripts and other tables, and merge.json.
    """

    base: str
    """Folder with task2_answer.txt or the tables of a run. Where it holds both, the tables are read."""

    source: str
    """Folder to take the types from, with the same kinds of files."""

    types: tuple[str, ...]
    """Types to take from the source, such as PROFESSION SET."""

    out: str
    """Folder for the result."""

    groups_file: Path | None = None
    """YAML file with entity groups, for types of your own."""

    overwrite: bool = False
    """Replace the result that the out folder holds."""


@dataclass(frozen=True)
class Vote:
    """Keep the entities that enough runs agree on.

    Entities agree if they have the same type and their times overlap enough. Of those that agree, the one with the
    most votes is kept with its times and text; ties are broken by weight and confidence, then by closeness to the
    others. The out folder gets task2_answer.txt, the table entities if all folders hold it, the first run's
    transcripts and other tables, and merge.json.
    """

    run: Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
    """Folder with task2_answer.txt or the tables of a run. Where it holds both, the tables are read. Give it again for
    each run."""

    out: str
    """Folder for the result."""

    weights: tuple[float, ...] = ()
    """Votes of each run, in the order of the runs. Without them, each has one."""

    votes: float = 2.0
    """Votes that an entity needs."""

    groups_file: Path | None = None
    """YAML file with entity groups, for types of your own."""

    iou: float = 0.5
    """Least intersection over union of the times of agreeing entities."""

    overwrite: bool = False
    """Replace the result that the out folder holds."""


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.merge --help``."""
    commands: dict[str, Callable[..., Any]] = {"replace": Replace, "vote": Vote}
    job: Replace | Vote = tyro.extras.subcommand_cli_from_dict(
        commands, prog="python -m jobs.merge", args=arguments, config=(tyro.conf.FlagCreatePairsOff,)
    )
    known = known_types(job.groups_file)
    given = [("--base", job.base), ("--source", job.source)] if isinstance(job, Replace) else _votes(job)
    folders = [_read(option, path, known) for option, path in given]
    check_paths({"--out": job.out})
    if any(is_within(job.out, folder.path) and is_within(folder.path, job.out) for folder in folders):
        raise UserError(f"--out {job.out} is one of the folders to merge: give a folder of its own.")
    out = OutFolder(job.out, "merge.json", submission.TASK2, _MADE_HERE)
    out.check(job.overwrite)
    runs = merging.comparable_entities(folders)
    if isinstance(job, Replace):
        _check_types(job.types, known.union(*(run["type"].to_pylist() for run in runs)))
        merged = merging.replace_types(runs[0], runs[1], job.types)
        base, source = map(merging.count_by_type, runs)
        for kind in job.types:
            print(f"{kind}: base and source had {base[kind]} and {source[kind]} entities.")
    else:
        merged = merging.vote(runs, job.votes, job.iou, job.weights or None)
    out.begin({"command": type(job).__name__.lower()} | asdict(job), job.overwrite)
    merging.write(merged, folders, job.out)
    before = ", ".join(f"{merging.count(run)} in {folder.path}" for run, folder in zip(runs, folders, strict=True))
    print(f"{merging.count(merged)} entities ({before}): {job.out}")
    if both := merging.overlapping(merged):
        print(f"{both} of them overlap one of another type in time; both are kept.")


def _check_types(types: Sequence[str], known: Collection[str]) -> None:
    if not types:
        raise UserError("--types is missing: give the types to take from the source, for example PROFESSION SET.")
    for kind in types:
        if kind not in known:
            raise UserError(f"--types {kind}: {submission.unknown_type(kind, known)}.")


def _votes(job: Vote) -> list[tuple[str, str]]:
    if not job.run:
        raise UserError("--run is missing: give it once for each run.")
    if len(set(map(absolute, job.run))) < len(job.run):
        raise UserError("--run: a folder is given twice; give a run more --weights if it is to count more.")
    weights = job.weights or (1.0,) * len(job.run)
    if len(weights) != len(job.run) or not all(0 < weight < float("inf") for weight in weights):
        raise UserError(f"--weights: give {len(job.run)} numbers above 0, one for each run.")
    most = round(sum(weights), 9)
    if not 0 < job.votes <= most:
        raise UserError(f"--votes {job.votes:g}: give a number above 0 and at most {most:g}, the votes of all runs.")
    if not 0 < job.iou <= 1:
        raise UserError(f"--iou {job.iou:g}: give a number above 0 and at most 1.")
    return [("--run", path) for path in job.run]


def _read(option: str, path: str, types: Collection[str]) -> Submission:
    check_paths({option: path})
    folder = read_submission(option, path, True, types)
    if folder.entities is None:
        raise UserError(f"{option} {path} holds transcripts but no entities: give a folder with {submission.TASK2}.")
    return folder


if __name__ == "__main__":
    run_job(main)
