"""Prepare training data from labelled folders: tables, NeMo manifests, datasets of the adapters, and a report."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import tables
from pipeline.corpus import labels, manifests, report, synthetic_texts, tagging_datasets
from pipeline.corpus.alphabet import plain_english
from pipeline.corpus.folders import Folder
from pipeline.errors import UserError
from pipeline.files import absolute, filesystem, write_json
from pipeline.ids import id_order
from pipeline.settings import check_numbers
from pipeline.tagging.entity_groups import EntityGroup
from pipeline.tagging.prompts import Prompt

REPORT, PAGE = "prepare_report.json", "prepare_report.html"
MADE = [*tables.SCHEMAS, "recognised", "audio", "manifests", "tagging", PAGE]
"""Files and folders that are written besides the report."""

_TRAIN_FOR_VALID = 5  # made-up recordings to train on, for each to validate on

_FACTS = ("path", "duration_s", "sample_rate", "channels")


@dataclass(frozen=True)
class PreparationSettings:
    """How labels are found, and what goes into datasets and manifests."""

    fuzzy: bool = True
    """Also find labels that the transcript spells a little differently."""

    few_shot: int | None = None
    """Number of few-shot turns in each prompt. By default, all that the entity groups have."""

    brief: bool = False
    """Write short prompts, which name the types without describing them: small models read a third of the tokens, and
    learn from the examples what a type is. It goes well with --few-shot 0."""

    synthetic: int = 0
    """Fewest training recordings with an entity of each entity group: what the folders lack is made up, texts of a
    clinic that does not exist, and counted apart. Types without public examples need it."""

    negatives: float = 0.5
    """Number of recordings without an entity of the entity group for each recording with one."""

    recognised_share: float = 0.5
    """Share of the recordings with a recognised transcript for which it is used instead of the reference."""

    min_duration_s: float = 0.1
    """Minimum duration of a recording in a manifest, in seconds."""

    max_duration_s: float = 35.0
    """Maximum duration of a recording in a manifest, in seconds."""

    seed: int = 1126
    """Random seed for drawing recordings without entities and recordings with recognised text."""


def check(settings: PreparationSettings) -> None:
    """Raise a UserError, which names the option, if a value is out of its range."""
    most = {"negatives": 1e6, "recognised_share": 1, "few_shot": 1e6, "synthetic": 100_000}
    most["min_duration_s"] = settings.max_duration_s
    check_numbers(vars(settings), {}, most)


def read_recognised(paths: Sequence[str], folders: Sequence[Folder]) -> pa.Table:
    """Read transcripts that ASR models wrote of the recordings in the folders.

    Args:
        paths: Out folders of jobs.predict, or tables of transcripts.
        folders: The labelled folders.

    Raises:
        UserError: Ids were dropped because of a clash, a path has no table of transcripts or none of the recordings,
            or a recording is in two tables.
    """
    ids = {recording_id for folder in folders for recording_id in folder.ids}
    if any(folder.dropped for folder in folders):
        raise UserError("--transcripts goes with ids that differ from folder to folder: rename the files that clash.")
    found: list[dict[str, Any]] = []
    for path in map(absolute, paths):
        fs, root = filesystem(path)
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
        found += of_these
    twice = len(found) - len({row["recording_id"] for row in found})
    if twice:
        raise UserError(f"--transcripts: {twice} recordings are in two of the tables: leave one out.")
    return tables.from_rows(found, tables.TRANSCRIPTS)


def write(
    out: str,
    folders: Sequence[Folder],
    copies: Sequence[Mapping[str, Any]],
    recognised: pa.Table | None,
    groups: Sequence[EntityGroup],
    writes: Callable[[str], bool] | None,
    settings: PreparationSettings,
    begun: float,
) -> dict[str, Any]:
    """Write tables, datasets, manifests and, last, the report.

    Args:
        out: The out folder, a path or URI.
        folders: The labelled folders, without clashes of ids.
        copies: Rows of ``audio_copies.SCHEMA`` for all recordings with audio.
        recognised: Transcripts that ASR models wrote of the recordings, or None.
        groups: The entity groups.
        writes: Returns whether the tokenizer of the ASR model to train can write a character, or None if unknown.
        settings: See ``PreparationSettings``.
        begun: Start of the preparation, from ``time.perf_counter``.

    Returns:
        The contents of the report.
    """
    audio = {row["recording_id"]: {name: row[name] for name in _FACTS} for row in copies}
    failed = [
        {"recording_id": row["recording_id"], "stage": "audio", "error": row["error"]} for row in copies if row["error"]
    ]
    failed.sort(key=lambda row: id_order(row["recording_id"]))
    recordings, transcripts = labels.recordings(folders, audio), labels.transcripts(folders)
    durations = {i: facts["duration_s"] for i, facts in audio.items() if facts["duration_s"] is not None}
    unplaced = labels.labels(folders)
    entities = labels.with_spans(unplaced, transcripts, groups, durations, settings.fuzzy)
    made = {
        "recordings": recordings,
        "transcripts": transcripts,
        "entities": entities,
        "failures": tables.from_rows(failed, tables.FAILURES),
    }
    texts = [tagging_datasets.texts(transcripts, entities, tables.GOLD)]
    in_recognised = None
    if recognised is not None:
        placed = labels.with_spans(unplaced, recognised, groups, durations, settings.fuzzy)
        made |= {"recognised/transcripts": recognised, "recognised/entities": placed}
        texts = [tagging_datasets.texts(recognised, placed, "recognised"), *texts]
        in_recognised = {"transcripts": len(recognised), "labels": report.labels(placed, folders)}
    for name, table in made.items():
        tables.write(table, f"{out}/{name}")

    datasets = _write_datasets(out, groups, recordings, texts, settings)
    content = {
        "folders": report.folders(folders),
        "labels": report.labels(entities, folders),
        "languages": report.languages(recordings, transcripts),
        "types": report.types(entities, transcripts),
        "tagging_datasets": datasets,
        "recognised": in_recognised,
        "manifests": _write_manifests(out, recordings, transcripts, writes, settings) if audio else {},
        "audio": _count_audio(folders, audio),
        "malformed": [sentence for folder in folders for sentence in folder.malformed],
        "notes": _notes(folders, datasets, writes is not None),
        "seconds": round(time.perf_counter() - begun, 3),
    }
    report.write_page(f"{out}/{PAGE}", content)
    write_json(f"{out}/{REPORT}", content)
    return content


def _write_datasets(
    out: str,
    groups: Sequence[EntityGroup],
    recordings: pa.Table,
    texts: Sequence[Mapping[str, tagging_datasets.LabelledText]],
    settings: PreparationSettings,
) -> dict[str, dict[str, dict[str, int]]]:
    """Write the datasets of all entity groups and return their counts; ``texts`` has the reference last."""
    counts: dict[str, dict[str, dict[str, int]]] = {group.name: {} for group in groups}
    splits = {}
    for split in ("train", "valid"):
        ids = recordings.filter(pc.field("split") == split)["recording_id"].to_pylist()
        splits[split] = tagging_datasets.choose(ids, texts, settings.recognised_share, settings.seed)
    for group in groups:
        prompt = Prompt.of(group, settings.few_shot, settings.brief)
        dataset: dict[str, pa.Table] = {}
        for split, some in splits.items():
            table, counted = tagging_datasets.build(prompt, some, settings.negatives, settings.seed)
            least = settings.synthetic if split == "train" else settings.synthetic // _TRAIN_FOR_VALID
            if (lacking := least - counted["positives"]) > 0:
                made_up = synthetic_texts.with_entities_of(group, lacking, f"{settings.seed} {split}")
                more, more_counted = tagging_datasets.build(prompt, made_up, settings.negatives, settings.seed)
                table = pa.concat_tables([table, more])
                counted["synthetic"] = more_counted["positives"] + more_counted["negatives"]
            dataset[split], counts[group.name][split] = table, counted
        spans = [span for spans in dataset["train"]["spans"].to_pylist() for span in spans]
        prompt = prompt.with_room_for((span["type"], span["char_end"] - span["char_start"]) for span in spans)
        tagging_datasets.write(f"{out}/tagging/{group.name}", prompt, dataset)
    return counts


def _write_manifests(
    out: str,
    recordings: pa.Table,
    transcripts: pa.Table,
    writes: Callable[[str], bool] | None,
    settings: PreparationSettings,
) -> dict[str, dict[str, Any]]:
    counts: dict[str, dict[str, Any]] = {}
    limits = manifests.Limits(settings.min_duration_s, settings.max_duration_s)
    transcribed = pa.array(transcripts["recording_id"].to_pylist(), pa.string())
    for split in ("train", "valid", "test"):
        some = recordings.filter(pc.field("split") == split)
        if not pc.any(pc.is_in(some["recording_id"], transcribed)).as_py():
            continue
        lines, left_out = manifests.lines(some, transcripts, writes or plain_english, limits)
        manifests.write(f"{out}/manifests/{split}.jsonl", lines)
        hours = sum(line["duration"] for line in lines) / 3600
        counts[split] = {"recordings": len(lines), "hours": round(hours, 6), "left_out": dict(left_out)}
    return counts


def _count_audio(folders: Iterable[Folder], audio: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    given = {i: path for folder in folders for i, path in folder.audio.items()}
    read = [i for i, facts in audio.items() if facts["duration_s"] is not None]
    in_place = sum(audio[i]["path"] == given[i] for i in read)
    return {"in_place": in_place, "copied": len(read) - in_place, "failed": len(audio) - len(read)}


def _notes(folders: Sequence[Folder], datasets: Mapping[str, Mapping[str, Any]], tokenizer_known: bool) -> list[str]:
    notes = [
        f"{folder.name} has no audio/: its recordings are in no manifest, and their lengths are unknown."
        for folder in folders
        if not folder.audio
    ]
    if any(folder.audio for folder in folders) and not tokenizer_known:
        notes.append(
            "No --parakeet was given, so the manifests keep ASCII characters alone; with it they keep all that its "
            "tokenizer can write."
        )
    return notes + [
        f"The entity group {group} has no labelled clip to train on: its dataset is empty."
        for group, by_split in datasets.items()
        if not by_split["train"]["positives"] + by_split["train"]["synthetic"]
    ]
