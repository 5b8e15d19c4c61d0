"""Hand a run to people and other programs, and take their corrections back.

python -m jobs.exchange to-label-studio --run FOLDER --out FILE
python -m jobs.exchange from-label-studio --file FILE --out FOLDER
python -m jobs.exchange to-transcriptions --run FOLDER
python -m jobs.exchange from-transcriptions --file FILE --out FOLDER
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

import pyarrow as pa
import tyro

from jobs.command_line import absolute, check_paths, run_job
from jobs.folders import check_file, open_out, read_run
from pipeline import answers, run_folder, tables
from pipeline.errors import UserError
from pipeline.files import write_text
from pipeline.outputs import label_studio, transcriptions
from pipeline.tagging.groups import load_groups
from pipeline.tagging.patterns import load_patterns

_MADE_HERE = ["recordings", "transcripts", "entities", answers.TASK2]


@dataclass(frozen=True)
class ToLabelStudio:
    """Write a run as tasks for Label Studio, and beside them (.xml) the labelling interface that they need.

    A task shows the recording, its transcript to be corrected, and the entities as a prediction. The files hold
    patients' words.
    """

    run: str
    """Folder of a finished run of jobs.predict."""

    out: str
    """JSON file for the tasks."""

    audio_url: str | None = None
    """Where Label Studio finds the recordings, as in /data/local-files/?d=recordings/; file names are put behind it.
    Without it, the paths that the run has."""

    overwrite: bool = False
    """Replace the files."""


@dataclass(frozen=True)
class FromLabelStudio:
    """Turn a project of Label Studio, exported as JSON, into a folder that jobs.prepare takes.

    The folder gets task1_answer.txt, task2_answer.txt and the tables recordings, transcripts and entities, of the
    latest annotation of each task. Tasks that nobody annotated are left out. Put the recordings into the folder as
    audio/ (a link will do) to train recognition on them too.
    """

    file: str
    """The exported file."""

    out: str
    """Folder for the results."""

    overwrite: bool = False
    """Replace what the out folder holds."""


@dataclass(frozen=True)
class ToTranscriptions:
    """Write transcriptions_corrected.json, transcripts and word times in the reference method's form, into a run."""

    run: str
    """Folder of a finished run of jobs.predict."""

    overwrite: bool = False
    """Replace the file."""


@dataclass(frozen=True)
class FromTranscriptions:
    """Turn a transcriptions.json of the reference method into the table transcripts and task1_answer.txt."""

    file: str
    """The file."""

    out: str
    """Folder for the results. jobs.prepare takes it as --transcripts."""

    overwrite: bool = False
    """Replace what the out folder holds."""


Command = (
    Annotated[ToLabelStudio, tyro.conf.subcommand("to-label-studio")]
    | Annotated[FromLabelStudio, tyro.conf.subcommand("from-label-studio")]
    | Annotated[ToTranscriptions, tyro.conf.subcommand("to-transcriptions")]
    | Annotated[FromTranscriptions, tyro.conf.subcommand("from-transcriptions")]
)


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.exchange --help``."""
    command: Any = tyro.cli(
        Command,  # type: ignore[arg-type]
        prog="python -m jobs.exchange",
        description="Hand a run to people and other programs, and take their corrections back.",
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    check_paths({f"--{name}": path for name, path in asdict(command).items() if name in ("run", "file", "out")})
    match command:
        case ToLabelStudio():
            _to_label_studio(command)
        case FromLabelStudio():
            _from_label_studio(command)
        case ToTranscriptions():
            _to_transcriptions(command)
        case FromTranscriptions():
            _from_transcriptions(command)


def _to_label_studio(job: ToLabelStudio) -> None:
    run, out = read_run(job.run), absolute(job.out)
    interface = str(PurePosixPath(out).with_suffix(".xml")) if "://" not in out else f"{out.removesuffix('.json')}.xml"
    if interface == out:
        raise UserError(f"--out {job.out}: the labelling interface gets the suffix .xml: give a .json file.")
    for path in (out, interface):
        check_file("--out", path, job.overwrite)
    recordings = {row["recording_id"]: row for row in run["recordings"].to_pylist()}
    entities: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    without_place = 0
    for row in run["entities"].to_pylist():
        if row["kept"] and row["char_start"] is not None:
            entities[row["recording_id"]].append(row)
        without_place += row["kept"] and row["char_start"] is None
    tasks = []
    for row in sorted(run["transcripts"].to_pylist(), key=lambda row: answers.id_order(row["recording_id"])):
        about = recordings.get(row["recording_id"], {})
        path = about.get("path")
        audio = f"{job.audio_url}{quote(path.rpartition('/')[2])}" if path and job.audio_url is not None else path
        data = {"audio": audio, "path": path, "duration_s": about.get("duration_s")}
        tasks.append(label_studio.task(row, entities[row["recording_id"]], data))
    types = [type_ for group in load_groups() for type_ in group.types]
    types += [pattern.type for pattern in load_patterns()]
    types += sorted({entity["type"] for some in entities.values() for entity in some})
    write_text(interface, label_studio.labelling_interface(dict.fromkeys(types)))
    write_text(out, json.dumps(tasks, ensure_ascii=False, indent=1) + "\n")
    print(f"{len(tasks)} tasks with {sum(map(len, entities.values()))} entities: {out}")
    print(f"Give the project this labelling interface: {interface}")
    if without_place:
        print(f"{without_place} entities without a place in their transcript were left out.")


def _from_label_studio(job: FromLabelStudio) -> None:
    made, without, lost = label_studio.read(absolute(job.file))
    out = _open(job)
    for name, table in made.items():
        tables.write(table, f"{out}/{name}")
    answers.write_task2(made["entities"], f"{out}/{answers.TASK2}")
    answers.write_task1(made["transcripts"], f"{out}/{answers.TASK1}")
    print(f"{len(made['transcripts'])} transcripts with {len(made['entities'])} entities: {out}")
    if without:
        print(f"{without} tasks that nobody annotated were left out.")
    if lost:
        numbers = ", ".join(map(str, sorted(set(lost))))
        print(f"{len(lost)} entities are not in the corrected text any more, so look at their tasks: {numbers}.")
    untimed = made["entities"]["start_s"].null_count
    if untimed:
        print(f"{untimed} entities have no times, and are not in {answers.TASK2}: their tasks came without words.")


def _to_transcriptions(job: ToTranscriptions) -> None:
    read_run(job.run)
    path = f"{absolute(job.run)}/transcriptions_corrected.json"
    check_file("--run", path, job.overwrite)
    run_folder.write_transcriptions_json(absolute(job.run))
    print(path)


def _from_transcriptions(job: FromTranscriptions) -> None:
    made: pa.Table = transcriptions.read(absolute(job.file))
    out = _open(job)
    tables.write(made, f"{out}/transcripts")
    answers.write_task1(made, f"{out}/{answers.TASK1}")
    print(f"{len(made)} transcripts: {out}")


def _open(job: FromLabelStudio | FromTranscriptions) -> str:
    open_out(job.out, "exchange.json", answers.TASK1, _MADE_HERE, {"file": absolute(job.file)}, job.overwrite)
    return absolute(job.out)


if __name__ == "__main__":
    run_job(main)
