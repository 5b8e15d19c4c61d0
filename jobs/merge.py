"""Make one answer of several: take some types from another run, or what most runs agree on.

python -m jobs.merge replace --base FOLDER --source FOLDER --types PROFESSION SET --out FOLDER
python -m jobs.merge vote --run FOLDER --run FOLDER --run FOLDER --out FOLDER
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import fsspec
import pyarrow as pa
import tyro

from jobs.answer_folders import Answers, read_answers
from jobs.command_line import absolute, check_paths, run_job
from jobs.folders import is_within, names_in, open_out
from pipeline import answers, tables
from pipeline.errors import UserError
from pipeline.outputs.merging import replace_types, vote, without_foreign_spans

OPTIONS = "merge.json"

_MADE_HERE = [answers.TASK1, *tables.SCHEMAS]


@dataclass(frozen=True)
class Replace:
    """Take all entities of some types from another run.

    The base loses its entities of these types, the source gives its own, all else stays. The out folder gets
    task2_answer.txt, the table entities if both folders hold it, what the base says of its recordings, and merge.json.
    """

    base: str
    """Folder with task2_answer.txt or the tables of a run. Where it holds both, the tables are read."""

    source: str
    """Folder to take the types from, of the same kinds."""

    types: tuple[str, ...]
    """Types to take from the source: PROFESSION SET."""

    out: str
    """Folder for the result."""

    overwrite: bool = False
    """Replace the result that the out folder holds."""


@dataclass(frozen=True)
class Vote:
    """Keep what enough runs agree on.

    Entities agree if they have the same type and their times overlap enough. Of those that agree, the one with the
    most votes stays with its times and text; then weight and confidence, then closeness to the others decide. The
    out folder gets task2_answer.txt, the table entities if all folders hold it, what the first run says of its
    recordings, and merge.json.
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

    iou: float = 0.5
    """Intersection over union that the times of agreeing entities have at least."""

    overwrite: bool = False
    """Replace the result that the out folder holds."""


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.merge --help``."""
    commands: dict[str, Callable[..., Any]] = {"replace": Replace, "vote": Vote}
    job: Replace | Vote = tyro.extras.subcommand_cli_from_dict(
        commands, prog="python -m jobs.merge", args=arguments, config=(tyro.conf.FlagCreatePairsOff,)
    )
    if isinstance(job, Replace):
        _check_types(job.types)
        folders = [_read("--base", job.base), _read("--source", job.source)]
    else:
        _check_vote(job)
        folders = [_read("--run", path) for path in job.run]
    _check_out(job, folders)

    transcripts = folders[0].transcripts
    runs = [without_foreign_spans(_entities(folder), folder.transcripts, transcripts) for folder in folders]
    if isinstance(job, Replace):
        merged = replace_types(runs[0], runs[1], job.types)
        for kind in job.types:
            counts = " and ".join(str(Counter(run["type"].to_pylist())[kind]) for run in runs)
            print(f"{kind}: base and source had {counts} entities.")
    else:
        merged = vote(runs, job.votes, job.iou, job.weights or None)
    written = _write(job, merged, folders)
    had = ", ".join(str(_count(run)) for run in runs)
    print(f"{written} entities of {had}: {job.out}")


def _check_types(types: Sequence[str]) -> None:
    if not types:
        raise UserError("--types is missing: give the types to take from the source, for example PROFESSION SET.")
    for kind in types:
        if not answers.TYPE.fullmatch(kind):
            raise UserError(f"--types {kind}: types are made of capital letters, digits, _ and -, for example DATE.")


def _check_vote(job: Vote) -> None:
    if not job.run:
        raise UserError("--run is missing: give it once for each run.")
    if len(set(map(absolute, job.run))) < len(job.run):
        raise UserError("--run: a folder is given twice; give a run more --weights if it is to count more.")
    if job.weights and len(job.weights) != len(job.run):
        raise UserError(f"--weights: {len(job.weights)} weights for {len(job.run)} runs; give one for each.")
    weights = job.weights or (1.0,) * len(job.run)
    if not all(0 < weight < float("inf") for weight in weights):
        raise UserError("--weights: give numbers above 0.")
    most = round(sum(weights), 9)
    if not 0 < job.votes <= most:
        raise UserError(f"--votes {job.votes:g}: give a number above 0 and at most {most:g}, the votes of all runs.")
    if not 0 < job.iou <= 1:
        raise UserError(f"--iou {job.iou:g}: give a number above 0 and at most 1.")


def _read(option: str, path: str) -> Answers:
    folder = read_answers(option, path, prefer_tables=True)
    if folder.entities is None:
        raise UserError(f"{option} {path} holds transcripts but no entities: give a folder with {answers.TASK2}.")
    return folder


def _entities(folder: Answers) -> pa.Table:
    return tables.ENTITIES.empty_table() if folder.entities is None else folder.entities


def _check_out(job: Replace | Vote, folders: Sequence[Answers]) -> None:
    """Refuse a folder that cannot take the result; nothing is changed yet.

    Raises:
        UserError: It is an input, holds something else, or holds a result that may not be overwritten.
    """
    check_paths({"--out": job.out})
    if any(is_within(job.out, folder.path) and is_within(folder.path, job.out) for folder in folders):
        raise UserError(f"--out {job.out} is one of the folders to merge: give a folder of its own.")
    if answers.TASK2 in names_in(job.out, OPTIONS) and not job.overwrite:
        raise UserError(
            f"--out {job.out} already holds a merged answer: give another folder, or --overwrite to replace it."
        )


def _write(job: Replace | Vote, merged: pa.Table, folders: Sequence[Answers]) -> int:
    """Write the result, and return how many lines task 2 got."""
    out = absolute(job.out)
    options = {"command": type(job).__name__.lower()} | asdict(job)
    open_out(job.out, OPTIONS, answers.TASK2, _MADE_HERE, options, job.overwrite)
    first = absolute(folders[0].path)
    copied = ["transcripts"]
    if all(folder.has_tables for folder in folders):
        tables.write(merged, f"{out}/entities")
        copied += ["recordings", "failures"]
    _copy(first, out, copied)
    answers.write_task2(merged, f"{out}/{answers.TASK2}")
    return _count(merged)


def _copy(path: str, out: str, names: Sequence[str]) -> None:
    """Copy a folder's task 1 and tables as they are."""
    fs, root = fsspec.url_to_fs(path)
    out_fs, out_root = fsspec.url_to_fs(out)
    for name in names:
        if fs.glob(f"{root}/{name}/*.parquet"):
            tables.write(tables.read(f"{path}/{name}", tables.SCHEMAS[name]), f"{out}/{name}")
    if fs.exists(f"{root}/{answers.TASK1}"):
        out_fs.pipe_file(f"{out_root}/{answers.TASK1}", fs.cat_file(f"{root}/{answers.TASK1}"))


def _count(entities: pa.Table) -> int:
    return sum(
        kept and start is not None
        for kept, start in zip(entities["kept"].to_pylist(), entities["start_s"].to_pylist(), strict=True)
    )


if __name__ == "__main__":
    run_job(main)
