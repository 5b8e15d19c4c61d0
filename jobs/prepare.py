"""Turn folders in the competition's layout into tables, NeMo manifests and tagging sets.

python -m jobs.prepare --phase FOLDER --phase FOLDER --valid FOLDER --out FOLDER
"""

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import tyro
from rich.console import Console
from rich.table import Table

from jobs.command_line import absolute, check_paths, connect_to_ray, run_job
from jobs.folders import is_within, open_out
from jobs.progress import track
from pipeline import answers, models, tables
from pipeline.corpus import gold, manifests, report, tagging_sets
from pipeline.corpus.alphabet import alphabet_of, plain_english
from pipeline.corpus.folders import Folder, OnClash, Split, read_folder, settle_clashes
from pipeline.errors import UserError
from pipeline.run_folder import write_json
from pipeline.settings import Decoding
from pipeline.tagging.groups import Group, load_groups
from pipeline.tagging.prompts import Prompt

OPTIONS = "prepare.json"
REPORT = "prepare_report.json"

_MADE_HERE = [*tables.SCHEMAS, "recognised", "audio", "manifests", "tagging", "prepare_report.html"]


@dataclass(frozen=True)
class Prepare:
    """Turn folders in the competition's layout into tables, NeMo manifests and tagging sets.

    A folder holds audio/, task1_answer.txt and task2_answer.txt. The out folder gets the tables recordings,
    transcripts, entities (each label with its span in the transcript, and how it was found) and failures, mono 16 kHz
    copies of the audio, manifests/{train,valid,test}.jsonl for Parakeet, tagging/<group>/{train,valid}.parquet for the
    adapters, prepare_report.json and prepare_report.html. Where a folder has no audio/, only what needs none is made.
    """

    phase: Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
    """Labelled folder to train on. Give it again for each phase."""

    valid: str
    """Labelled folder to validate on."""

    out: str
    """Folder for the results."""

    test: str | None = None
    """Folder to test on, with or without answers. It goes into the tables and a manifest, into no tagging set."""

    overwrite: bool = False
    """Replace what the out folder holds."""

    strict: bool = False
    """Stop at the first malformed line of an answer file. Without it, such lines are left out and counted."""

    on_clash: OnClash = "refuse"
    """What to do with a recording id that is in two folders: refuse, keep the recording of the first or of the last
    folder, or give the later one a suffix (<id>_<folder>). Audio, transcript and labels stay together."""

    fuzzy: bool = True
    """Find a label also where the transcript spells it a little otherwise."""

    groups: Path | None = None
    """YAML file with groups of types in place of the six built in."""

    few_shot: int | None = None
    """Few-shot turns in each prompt; without it, all that the groups have."""

    negatives: float = 0.5
    """Clips without an entity of a group for each clip with one."""

    transcripts: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Transcripts that jobs.predict made of the folders' audio: its out folder, or the table. Give it again for each
    run. Taggers read what a recogniser wrote, so the labels are found in that text too, and part of the tagging sets
    is made of it. Recordings are known by their ids, so these have to differ from folder to folder."""

    recognised_share: float = 0.5
    """Share of the recordings with a recognised transcript that take part with it and not with people's."""

    parakeet: str | None = None
    """Parakeet model that will be trained, a .nemo file or a hub name: manifests are then written in the characters
    that its tokenizer knows. Without it: ASCII letters, digits and common punctuation."""

    min_duration_s: float = 0.1
    """Shortest recording in a manifest (seconds)."""

    max_duration_s: float = 35.0
    """Longest recording in a manifest (seconds)."""

    seed: int = 1126
    """Seed of the lots that draw clips without entities and recordings that take part with recognised text."""


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.prepare --help``."""
    start = time.perf_counter()
    job = tyro.cli(Prepare, prog="python -m jobs.prepare", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    _check(job)
    out = absolute(job.out)
    groups = load_groups(job.groups)
    writes = alphabet_of(models.locate_parakeet(job.parakeet)) if job.parakeet else plain_english
    folders = _read_folders(job)
    spoken = _read_recognised(job.transcripts, folders) if job.transcripts else None
    options = json.loads(json.dumps(asdict(job), default=str))
    open_out(out, OPTIONS, REPORT, _MADE_HERE, options, job.overwrite)

    audio, failures = _convert(folders, out)
    recordings = gold.recordings(folders, audio)
    transcripts = gold.transcripts(folders)
    labels = gold.labels(folders)
    durations = {i: facts["duration_s"] for i, facts in audio.items() if facts["duration_s"] is not None}
    entities = gold.with_spans(labels, transcripts, groups, durations, job.fuzzy)
    made = {"recordings": recordings, "transcripts": transcripts, "entities": entities, "failures": failures}
    texts = [tagging_sets.texts(transcripts, entities, "gold")]
    recognised = None
    if spoken is not None:
        heard = gold.with_spans(labels, spoken, groups, durations, job.fuzzy)
        made |= {"recognised/transcripts": spoken, "recognised/entities": heard}
        texts = [tagging_sets.texts(spoken, heard, "recognised"), *texts]
        recognised = {"transcripts": len(spoken), "labels": report.labels(heard, folders)}
    for name, table in made.items():
        tables.write(table, f"{out}/{name}")

    sets = _write_sets(job, out, groups, recordings, texts)
    content = {
        "folders": report.folders(folders),
        "labels": report.labels(entities, folders),
        "languages": report.languages(recordings, transcripts),
        "types": report.types(entities, transcripts),
        "tagging_sets": sets,
        "recognised": recognised,
        "manifests": _write_manifests(job, out, recordings, transcripts, writes) if audio else {},
        "audio": _count_audio(folders, audio),
        "malformed": [sentence for folder in folders for sentence in folder.malformed],
        "notes": _notes(job, folders, sets),
        "seconds": round(time.perf_counter() - start, 3),
    }
    report.write_page(f"{out}/prepare_report.html", content)
    write_json(f"{out}/{REPORT}", content)
    _print(out, content)


def _check(job: Prepare) -> None:
    if not job.phase:
        raise UserError("--phase is missing: give at least one labelled folder to train on.")
    given = [("--phase", path) for path in job.phase] + [("--transcripts", path) for path in job.transcripts]
    given += [("--out", job.out), ("--valid", job.valid), *([("--test", job.test)] if job.test else [])]
    for option, path in given:
        check_paths({option: path})
    for option, value, most in (
        ("--negatives", job.negatives, 1e6),
        ("--recognised-share", job.recognised_share, 1.0),
        ("--few-shot", job.few_shot or 0, 1e6),
        ("--min-duration-s", job.min_duration_s, job.max_duration_s),
    ):
        if not 0 <= value <= most:
            raise UserError(f"{option} {value}: give a number from 0 to {most:g}.")
    for path in (*job.phase, job.valid, *([job.test] if job.test else [])):
        if is_within(path, job.out) or is_within(job.out, f"{path}/audio"):
            raise UserError(f"--out {job.out} is, holds or lies in the data of {path}: give a folder of its own.")


def _read_folders(job: Prepare) -> list[Folder]:
    given: list[tuple[Split, str]] = [*(("train", path) for path in job.phase), ("valid", job.valid)]
    if job.test:
        given.append(("test", job.test))
    return settle_clashes([read_folder(absolute(path), split, job.strict) for split, path in given], job.on_clash)


def _read_recognised(paths: Sequence[str], folders: Sequence[Folder]) -> pa.Table:
    """Read the recognised transcripts of the folders' recordings.

    Raises:
        UserError: A path holds no table of transcripts, or none of these recordings, or two of them have the same one.
    """
    ids = {recording_id for folder in folders for recording_id in folder.ids}
    if any(folder.dropped for folder in folders):
        raise UserError("--transcripts goes with ids that differ from folder to folder: rename the files that clash.")
    spoken: list[dict[str, Any]] = []
    for path in map(absolute, paths):
        fs, root = fsspec.url_to_fs(path)
        try:
            folder = f"{path}/transcripts" if fs.isdir(f"{root}/transcripts") else path
            rows = tables.read(folder, tables.TRANSCRIPTS).to_pylist()
        except (pa.ArrowException, OSError):
            rows = []
        if not rows:
            raise UserError(f"--transcripts {path} holds no table of transcripts: give the out folder of jobs.predict.")
        of_these = [row for row in rows if row["recording_id"] in ids]
        if not of_these:
            raise UserError(f"--transcripts {path} holds no recording of these folders: give the run on their audio.")
        spoken += of_these
    twice = len(spoken) - len({row["recording_id"] for row in spoken})
    if twice:
        raise UserError(f"--transcripts: {twice} recordings are in two of the tables: leave one out.")
    return tables.from_rows(spoken, tables.TRANSCRIPTS)


def _convert(folders: Sequence[Folder], out: str) -> tuple[dict[str, dict[str, Any]], pa.Table]:
    """Copy what has to be copied; return path, duration_s, sample_rate and channels by id, and the failures."""
    paths = {i: path for folder in folders for i, path in folder.audio.items()}
    audio: dict[str, dict[str, Any]] = {}
    failed: list[dict[str, str]] = []
    if paths:
        connect_to_ray()
        from pipeline import flow

        fs, root = fsspec.url_to_fs(f"{out}/audio")
        fs.makedirs(root, exist_ok=True)
        # Whatever the manifests' limits: a recording's length is a fact for the tables.
        for row in track(flow.convert(paths, f"{out}/audio", Decoding(0.0, math.inf)), len(paths), "recordings"):
            audio[row["recording_id"]] = {key: row[key] for key in ("path", "duration_s", "sample_rate", "channels")}
            if row["error"]:
                failed.append({"recording_id": row["recording_id"], "stage": "audio", "error": row["error"]})
    failed.sort(key=lambda row: answers.id_order(row["recording_id"]))
    return audio, tables.from_rows(failed, tables.FAILURES)


def _only(table: pa.Table, of: pa.Table) -> pa.Table:
    """Keep the rows of recordings that another table has too."""
    return table.filter(pc.is_in(table["recording_id"], of["recording_id"].combine_chunks()))


def _write_sets(
    job: Prepare,
    out: str,
    groups: Sequence[Group],
    recordings: pa.Table,
    texts: Sequence[Mapping[str, tagging_sets.Text]],
) -> dict[str, dict[str, dict[str, int]]]:
    """Write the sets of all groups, and return what is in them; ``texts`` has those of people last."""
    counts: dict[str, dict[str, dict[str, int]]] = {group.name: {} for group in groups}
    for split in ("train", "valid"):
        ids = recordings.filter(pc.field("split") == split)["recording_id"].to_pylist()
        of_recordings = tagging_sets.choose(ids, texts, job.recognised_share, job.seed)
        for group in groups:
            prompt = Prompt.of(group, job.few_shot)
            table, counts[group.name][split] = tagging_sets.build(prompt, of_recordings, job.negatives, job.seed)
            tables.write(table, f"{out}/tagging/{group.name}", split)
    return counts


def _write_manifests(
    job: Prepare, out: str, recordings: pa.Table, transcripts: pa.Table, writes: Callable[[str], bool]
) -> dict[str, dict[str, Any]]:
    counts: dict[str, dict[str, Any]] = {}
    for split in ("train", "valid", "test"):
        some = recordings.filter(pc.field("split") == split)
        if not len(_only(transcripts, some)):
            continue
        limits = manifests.Limits(job.min_duration_s, job.max_duration_s)
        lines, left_out = manifests.lines(some, transcripts, writes, limits)
        manifests.write(f"{out}/manifests/{split}.jsonl", lines)
        hours = sum(line["duration"] for line in lines) / 3600
        counts[split] = {"recordings": len(lines), "hours": round(hours, 6), "left_out": dict(left_out)}
    return counts


def _count_audio(folders: Iterable[Folder], audio: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    given = {i: path for folder in folders for i, path in folder.audio.items()}
    read = [i for i, facts in audio.items() if facts["duration_s"] is not None]
    in_place = sum(audio[i]["path"] == given[i] for i in read)
    return {"in_place": in_place, "copied": len(read) - in_place, "failed": len(audio) - len(read)}


def _notes(job: Prepare, folders: Sequence[Folder], sets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    notes = [
        f"{folder.name} has no audio/: its recordings are in no manifest, and their lengths are unknown."
        for folder in folders
        if not folder.audio
    ]
    if any(folder.audio for folder in folders) and not job.parakeet:
        notes.append("No --parakeet was given: the manifests are in ASCII, which no tokenizer was asked about.")
    return notes + [
        f"The group {group} has no labelled clip to train on: its set is empty."
        for group, by_split in sets.items()
        if not by_split["train"]["positives"]
    ]


def _print(out: str, content: Mapping[str, Any]) -> None:
    matches = [match.replace("_", " ") for match in report.MATCHES]
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
    print(f"In {content['seconds']:.0f} s: {out}/prepare_report.html")


if __name__ == "__main__":
    run_job(main)
