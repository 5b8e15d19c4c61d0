"""Turn folders in the competition's layout into tables, NeMo manifests and datasets of the adapters.

python -m jobs.prepare --train FOLDER --train FOLDER --valid FOLDER --out FOLDER
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from jobs.command_line import check_paths, run_job
from jobs.progress import track
from jobs.ray_cluster import connect_to_ray
from pipeline import models
from pipeline.corpus import preparation, report
from pipeline.corpus.alphabet import alphabet_of
from pipeline.corpus.folders import Folder, OnClash, Split, read_folder, refuse_empty, resolve_clashes
from pipeline.corpus.preparation import PreparationSettings
from pipeline.errors import UserError
from pipeline.files import absolute, is_within
from pipeline.out_folder import OutFolder
from pipeline.settings import DecodingSettings
from pipeline.speech.census import Ids
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.known_types import known_types


@dataclass(frozen=True)
class Prepare:
    """Turn folders in the competition's layout into tables, NeMo manifests and datasets of the adapters.

    A folder holds audio/, task1_answer.txt and task2_answer.txt. The out folder gets the tables recordings,
    transcripts, entities (each label with its span in the transcript, and how it was found) and failures, mono 16 kHz
    copies of the audio, manifests/{train,valid,test}.jsonl for Parakeet, for the adapters
    tagging/<entity group>/{train,valid}.parquet and prompt.json, prepare_report.json and prepare_report.html. Where a
    folder has no audio/, only what needs none is made.
    """

    train: Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
    """Labelled folder to train on. Give it again for each training folder."""

    valid: str
    """Labelled folder to validate on."""

    out: str
    """Folder for the results."""

    test: str | None = None
    """Folder to test on, with or without submission files. It goes into the tables and a manifest, into no dataset."""

    overwrite: bool = False
    """Replace what the out folder holds."""

    strict: bool = False
    """Stop at the first malformed line of a submission file. Without it, such lines are left out and counted."""

    on_clash: OnClash = "refuse"
    """What to do with a recording id that is in two folders: refuse, keep the recording of the first or of the last
    folder, or give the later one a suffix (<id>_<folder>). Audio, transcript and labels stay together."""

    ids: Ids = "stem"
    """What a recording is called in the answer files: the name of its audio file without the suffix (stem), or with the
    subfolders of audio/ before it, joined by __ (path), as in day1__001."""

    groups_file: Path | None = None
    """YAML file with entity groups in place of the six built in."""

    transcripts: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Transcripts that jobs.predict made of the folders' audio: its out folder, or the table. Give it again for each
    run. Taggers read what an ASR model wrote, so the labels are found in that text too, and part of the datasets is
    made of it. Recordings are known by their ids, so these have to differ from folder to folder."""

    parakeet: str | None = None
    """Parakeet model that will be trained, a .nemo file or a hub name: manifests are then written in the characters
    that its tokenizer knows. Without it: ASCII letters, digits and common punctuation."""

    settings: Annotated[PreparationSettings, tyro.conf.arg(name="")] = field(default_factory=PreparationSettings)


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.prepare --help``."""
    begun = time.perf_counter()
    job = tyro.cli(Prepare, prog="python -m jobs.prepare", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    _check(job)
    out = absolute(job.out)
    groups = load_entity_groups(job.groups_file)
    writes = alphabet_of(models.locate_parakeet(job.parakeet)) if job.parakeet else None
    types = known_types(job.groups_file)
    folders = [read_folder(absolute(path), split, job.strict, job.ids, types) for split, path in _labelled(job)]
    refuse_empty(folders)
    folders = resolve_clashes(folders, job.on_clash)
    recognised = preparation.read_recognised(job.transcripts, folders) if job.transcripts else None
    OutFolder(out, "prepare.json", preparation.REPORT, preparation.MADE).begin(asdict(job), job.overwrite)

    copies = _copy_audio(folders, out)
    content = preparation.write(out, folders, copies, recognised, groups, writes, job.settings, begun)
    _print(out, content)


def _labelled(job: Prepare) -> list[tuple[Split, str]]:
    given: list[tuple[Split, str]] = [*(("train", path) for path in job.train), ("valid", job.valid)]
    return given + ([("test", job.test)] if job.test else [])


def _check(job: Prepare) -> None:
    if not job.train:
        raise UserError("--train is missing: give at least one labelled folder to train on.")
    for option, path in [*_labelled(job), *(("transcripts", path) for path in job.transcripts), ("out", job.out)]:
        check_paths({f"--{option}": path})
    preparation.check(job.settings)
    for _, path in _labelled(job):
        if is_within(path, job.out) or is_within(job.out, f"{path}/audio"):
            raise UserError(f"--out {job.out} is, holds or lies in the data of {path}: give a folder of its own.")


def _copy_audio(folders: Sequence[Folder], out: str) -> list[dict[str, Any]]:
    """Copy what has to be copied; see ``pipeline.corpus.audio_copies``."""
    paths = {i: path for folder in folders for i, path in folder.audio.items()}
    if not paths:
        return []
    connect_to_ray()
    from pipeline import flow

    limits = DecodingSettings(0.0, math.inf)  # a recording's length is a fact, whatever the manifests' limits
    return list(track(flow.copy(paths, f"{out}/audio", limits), len(paths), "recordings"))


def _print(out: str, content: Mapping[str, Any]) -> None:
    matches = (match.replace("_", " ") for match in report.MATCHES)
    table = Table("folder", "used as", "recordings", "labels", *matches, box=None, pad_edge=False)
    for name, counts in content["labels"].items():
        folder = content["folders"][name]
        numbers = [folder["recordings"], counts["total"], *(counts[match] for match in report.MATCHES)]
        table.add_row(name, folder["split"], *map(str, numbers))
    Console().print(table)
    for note in content["notes"]:
        print(note)
    if content["malformed"]:
        print(f"{len(content['malformed'])} malformed lines were left out; the report lists them.")
    print(f"In {content['seconds']:.0f} s: {out}/{preparation.PAGE}")


if __name__ == "__main__":
    run_job(main)
