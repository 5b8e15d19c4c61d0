"""Export a run to annotators and other programs, and import their corrections.

python -m jobs.exchange to-label-studio --run FOLDER --out FILE
python -m jobs.exchange from-label-studio --file FILE --out FOLDER
python -m jobs.exchange from-corrections --run FOLDER --file FILE --out FOLDER
python -m jobs.exchange to-transcriptions --run FOLDER
python -m jobs.exchange from-transcriptions --file FILE --out FOLDER
python -m jobs.exchange to-table --run FOLDER --out FILE.csv
"""

import json
from pathlib import Path, PurePosixPath

import tyro

from jobs.command_line import check_paths, run_job
from jobs.exchange_corrections import from_corrections
from jobs.exchange_folder import write_folder
from jobs.exchange_table import to_table
from pipeline import submission
from pipeline.errors import UserError
from pipeline.files import absolute, check_file, write_text
from pipeline.outputs import label_studio, label_studio_import, transcriptions
from pipeline.run_folder import audio_folder, read_run
from pipeline.tagging.known_types import known_types


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.exchange --help``."""
    of_people = (to_label_studio, from_label_studio, from_corrections)
    commands = (*of_people, to_transcriptions, from_transcriptions, to_table)
    tyro.extras.subcommand_cli_from_dict(
        {command.__name__.replace("_", "-"): command for command in commands},
        prog="python -m jobs.exchange",
        description="Export a run to annotators and other programs, and import their corrections.",
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def to_label_studio(run: str, out: str, audio_url: str | None = None, overwrite: bool = False) -> None:
    """Write a run as tasks for Label Studio, and beside them (.xml) the labelling interface that they need.

    A task shows a recording, its transcript to be corrected, and its entities as a prediction. The files hold patient
    text.

    Args:
        run: Folder of a finished run of jobs.predict.
        out: JSON file for the tasks.
        audio_url: Where Label Studio finds the recordings, as in /data/local-files/?d=recordings/; their paths in the
            run's --audio folder are appended. Without it, the run's own paths.
        overwrite: Replace the files.
    """
    check_paths({"--run": run, "--out": out})
    read, file = read_run(run), absolute(out)
    interface = str(PurePosixPath(file).with_suffix(".xml")) if "://" not in out else f"{out.removesuffix('.json')}.xml"
    if interface == file:
        raise UserError(f"--out {out}: the labelling interface gets the suffix .xml: give a .json file.")
    for path in (file, interface):
        check_file("--out", path, overwrite)
    export = label_studio.export(read, audio_url, audio_folder(run))
    write_text(interface, export.interface)
    write_text(file, json.dumps(export.tasks, ensure_ascii=False, indent=1) + "\n")
    print(f"{len(export.tasks)} tasks with {export.entities} entities: {file}")
    print(f"Give the project this labelling interface: {interface}")
    if export.without_span:
        print(f"{export.without_span} entities without a place in their transcript were left out.")


def from_label_studio(file: str, out: str, groups_file: Path | None = None, overwrite: bool = False) -> None:
    """Turn a project of Label Studio, exported as JSON, into a labelled folder for jobs.prepare.

    The folder gets task1_answer.txt, task2_answer.txt and the tables recordings, transcripts and entities, from the
    latest annotation of each task. Tasks without an annotation are left out, and so are tasks and regions that cannot
    be used: each is named with the reason. To train the ASR models on the folder too, put the recordings into it as
    audio/; a link will do.

    Args:
        file: The exported file.
        out: Folder for the results.
        groups_file: YAML file with entity groups, for types of your own.
        overwrite: Replace the results that the out folder holds.
    """
    check_paths({"--file": file, "--out": out})
    found = label_studio_import.read(absolute(file), known_types(groups_file))
    made = found.tables
    write_folder(made, {"file": absolute(file)}, out, overwrite)
    print(f"{len(made['transcripts'])} transcripts with {len(made['entities'])} entities: {absolute(out)}")
    if found.without:
        print(f"{found.without} tasks that nobody annotated were left out.")
    if found.faults:
        print(f"{len(found.faults)} tasks or regions were left out:", *found.faults, sep="\n  ")
    if untimed := made["entities"]["start_s"].null_count:
        print(f"{untimed} entities have no times, and are not in {submission.TASK2}: their tasks came without words.")


def to_transcriptions(run: str, overwrite: bool = False) -> None:
    """Write a run's transcripts and word times in the reference method's form, as its transcriptions_corrected.json.

    Args:
        run: Folder of a finished run of jobs.predict.
        overwrite: Replace the file.
    """
    check_paths({"--run": run})
    read_run(run)
    path = f"{absolute(run)}/{transcriptions.CORRECTED}"
    check_file("--run", path, overwrite)
    transcriptions.write_transcriptions_json(absolute(run))
    print(path)


def from_transcriptions(file: str, out: str, overwrite: bool = False) -> None:
    """Turn a transcriptions.json of the reference method into the table transcripts and task1_answer.txt.

    Args:
        file: The file.
        out: Folder for the results, which jobs.prepare takes as --transcripts.
        overwrite: Replace the results that the out folder holds.
    """
    check_paths({"--file": file, "--out": out})
    made = transcriptions.read(absolute(file))
    write_folder({"transcripts": made}, {"file": absolute(file)}, out, overwrite)
    print(f"{len(made)} transcripts: {absolute(out)}")


if __name__ == "__main__":
    run_job(main)
