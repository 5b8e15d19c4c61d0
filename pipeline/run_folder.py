"""The out folder of a run: tables, submission files, ``summary.json`` and ``run.json``.

During a run, finished recordings are written to ``parts/``. The tables and submission files are made from them at the
end, so a file outside ``parts/`` is always complete.
"""

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import submission, tables
from pipeline.errors import UserError
from pipeline.files import absolute, filesystem, remove, write_json
from pipeline.ids import id_order
from pipeline.out_folder import OutFolder
from pipeline.settings import Settings
from pipeline.table_rows import check_rows

_ENTITY, _FAILURE = (pa.struct(list(schema)[1:]) for schema in (tables.ENTITIES, tables.FAILURES))  # without the id
_TIMING = pa.struct(list(tables.schema("stage: string?, worker: string?, load_s: float64?, seconds: float64?")))

RESULT = tables.schema(
    "recording_id: string, path: string?, duration_s: float64?, sample_rate: int32?, channels: int32?, "
    "note: string?, language: string?, text: string?, words: words?, recognizer: string?, confidence: float64?, "
    "entities: entities?, failure: failure?, timings: timings?",
    words=pa.list_(tables.WORD),
    entities=pa.list_(_ENTITY),
    failure=_FAILURE,
    timings=pa.list_(_TIMING),
)
"""One finished recording: its transcript and entities, or its failure, and the seconds that each stage took.
``confidence`` is the mean token probability of Whisper, or null if its library gives none."""

CORRECTED = "transcriptions_corrected.json"
"""Transcripts in the reference method's form, which some jobs write beside the tables."""

_MADE_HERE = ["parts", *tables.SCHEMAS, submission.TASK1, submission.TASK2, CORRECTED]


def run_folder(out: str) -> OutFolder:
    """Return the out folder of a run, which may contain recordings and other files too."""
    return OutFolder(out, "run.json", "summary.json", _MADE_HERE, shared=True)


def open_run(
    out: str,
    audio: str,
    settings: Settings,
    overwrite: bool,
    retry: Collection[str] | None = None,
    ids: str = "stem",
    transcripts: str | None = None,
) -> tuple[set[str], str | None]:
    """Prepare the folder for a new run, or resume an interrupted one.

    Args:
        out: The out folder, a path or URI.
        audio: The folder of recordings.
        settings: All settings.
        overwrite: Remove the files of an earlier run.
        retry: Ids of all recordings that there are now, to take up the failures of an interrupted or finished run: they
            are no longer finished.
        ids: What a recording is called, see ``pipeline.speech.census``.
        transcripts: Where transcripts are given in place of recordings; ``audio`` is empty then.

    Returns:
        Ids of the recordings that an earlier run with the same settings has finished, and the message of
        ``OutFolder.resume``.

    Raises:
        UserError: The folder holds a finished run, or an unfinished one with other settings; or failures are to be
            taken up and none are there, or other recordings are gone.
    """
    source = {"transcripts": transcripts} if transcripts else {"audio": audio, "ids": ids}
    asked = {**source, "settings": asdict(settings)}
    resumed = run_folder(out).resume(asked, overwrite, retry is not None)
    if resumed and retry is not None:
        _forget_failures(absolute(out), retry)
    done = set(tables.read(f"{absolute(out)}/parts", RESULT)["recording_id"].to_pylist())
    if done and not resumed:
        raise UserError(f"--out {out} holds parts of a run but not its run.json: give another folder.")
    return done, resumed


def _forget_failures(out: str, recordings: Collection[str]) -> None:
    """Make a run unfinished, with one part of all recordings that did not fail."""
    fs, root = filesystem(out)
    finished = fs.exists(f"{root}/summary.json")
    if finished:
        run = read_run(out)
        results = _as_results(run, json.loads(fs.cat_file(f"{root}/summary.json")))
        if not run["failures"]:
            raise UserError(f"--out {out}: no recording failed, so there is nothing to try again.")
    else:
        results = _one_row_each(tables.read(f"{out}/parts", RESULT))
        results = results.filter(pc.invert(results["failure"].is_valid()))
    if gone := len(set(results["recording_id"].to_pylist()) - set(recordings)):
        raise UserError(f"--audio lacks {gone} recordings of the run in {out}: put them back, or give another --out.")
    before = fs.find(f"{root}/parts") if fs.isdir(f"{root}/parts") else []
    tables.write(results, f"{out}/parts", f"part-before-{uuid.uuid4().hex[:16]}")
    # First what says that the tables are whole. Killed from here on, the run is an interrupted one.
    for file in [f"{root}/summary.json", *before, f"{root}/{CORRECTED}"]:
        if fs.exists(file):
            remove(fs, file)


def _as_results(run: Mapping[str, pa.Table], summary: Mapping[str, Any]) -> pa.Table:
    """Make the rows of a finished run's transcripts again from its tables.

    Whisper's confidence and the seconds of the stages are kept in the summary alone: each recording gets the mean, and
    one recording the seconds and loads of all.
    """
    transcripts = {row["recording_id"]: row for row in run["transcripts"].to_pylist()}
    entities: dict[str, list[Any]] = defaultdict(list)
    for entity in run["entities"].to_pylist():
        entities[entity["recording_id"]].append(entity)
    timings = [
        {"stage": stage, "worker": "before", "load_s": 0.0, "seconds": seconds}
        for stage, seconds in summary["seconds"].items()
    ] + [
        {"stage": stage, "worker": f"before-{number}", "load_s": of["seconds"] / of["loads"], "seconds": 0.0}
        for stage, of in summary["model_loads"].items()
        for number in range(of["loads"])
    ]
    rows: list[dict[str, Any]] = []
    for recording in run["recordings"].to_pylist():
        recording_id = recording["recording_id"]
        if recording_id in transcripts:
            row = recording | transcripts[recording_id] | {"confidence": summary["confidence"]}
            rows.append(row | {"entities": entities[recording_id], "timings": [] if rows else timings})
    return tables.fit(tables.from_rows(rows, RESULT), RESULT)


def read_run(run: str, needed: Collection[str] = ("recordings", "transcripts")) -> dict[str, pa.Table]:
    """Read the tables of a finished run, or of any folder with the needed tables; missing others are empty.

    Raises:
        UserError: A needed table is missing, the run is unfinished, or a table cannot be read.
    """
    fs, root = filesystem(absolute(run))
    whole = all(fs.isdir(f"{root}/{name}") for name in needed)
    if not whole or (fs.exists(f"{root}/parts") and not fs.exists(f"{root}/summary.json")):
        raise UserError(f"--run {run} holds no finished run: give the out folder of jobs.predict.")
    try:
        read = {name: tables.read(f"{absolute(run)}/{name}", schema) for name, schema in tables.SCHEMAS.items()}
    except (pa.ArrowException, OSError, ValueError):
        raise UserError(f"--run {run}: its tables cannot be read: give the out folder of jobs.predict.") from None
    for name, table in read.items():
        check_rows(table, f"--run {run}: its table {name}", paired=False)
    return read


def read_settings(run: str) -> Settings:
    """Read the settings of a run, with its models.

    Raises:
        UserError: The folder does not hold them.
    """
    from pydantic import TypeAdapter

    fs, root = filesystem(absolute(run))
    try:
        return TypeAdapter(Settings).validate_python(json.loads(fs.cat_file(f"{root}/run.json"))["settings"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"--run {run} does not say what made it (run.json): give the out folder of jobs.predict."
        ) from None


def close_run(
    out: str,
    recordings: Collection[str],
    model_hashes: Mapping[str, str],
    seconds: float,
    left_out: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Write the tables, submission files, ``run.json`` and ``summary.json`` of a run from its parts.

    What repeats the entities of other recordings is added on the way, if the run's settings ask for it.

    Args:
        out: The out folder of the run.
        recordings: Ids of all recordings of the run.
        model_hashes: Hashes of the models' files, by setting.
        seconds: Wall-clock seconds of this call.
        left_out: Counts of what lies beside the recordings, for the summary.

    Returns:
        The summary: counts, Whisper's mean confidence, seconds of audio and of each stage, and model loads. It contains
        no patient text.

    Raises:
        UserError: The parts do not belong to exactly these recordings; nothing is changed.
    """
    from pipeline.tagging.mentions import REPEAT
    from pipeline.tagging.mentions_of_run import with_mentions_of_others

    fs, root = filesystem(out)
    results = _one_row_each(tables.read(f"{out}/parts", RESULT))
    missing = len(set(recordings) ^ set(results["recording_id"].to_pylist()))
    if missing:
        raise UserError(
            f"--out {out}: the results of {missing} recordings are missing or of another run. Every node has to write "
            "to the same folder, so it must lie on shared storage; the same command then goes on from here."
        )
    failed = results["failure"].is_valid()
    transcribed = with_mentions_of_others(results.filter(pc.invert(failed)), read_settings(out).tagger)
    made = {
        "recordings": tables.fit(results, tables.RECORDINGS),
        "transcripts": tables.fit(transcribed, tables.TRANSCRIPTS),
        "entities": _unnest(transcribed, "entities", tables.ENTITIES),
        "failures": _unnest(results.filter(failed), "failure", tables.FAILURES),
    }
    for name, table in made.items():
        tables.write(table, f"{out}/{name}")
    submission.write_task1(made["transcripts"], f"{out}/{submission.TASK1}")
    submission.write_task2(made["entities"], f"{out}/{submission.TASK2}")

    kept = made["entities"].filter(pc.field("kept"))
    of_stages, loads = _timed(results)
    seconds += of_stages.pop("total", 0.0)
    summary = {
        "recordings": len(results),
        "transcripts": len(transcribed),
        "failures": len(made["failures"]),
        **left_out,
        "with_note": len(results) - results["note"].null_count,
        "entities": pc.sum(kept["kept"]).as_py() or 0,
        "further_mentions": pc.sum(pc.equal(kept["source"], REPEAT)).as_py() or 0,
        "without_times": kept["start_s"].null_count,
        "confidence": pc.mean(results["confidence"]).as_py(),
        "audio_seconds": round(pc.sum(results["duration_s"]).as_py() or 0.0, 3),
        "seconds": {"total": round(seconds, 3), **of_stages},
        "model_loads": loads,
    }
    write_json(f"{out}/run.json", run_folder(out).read_state() | {"model_sha256": dict(model_hashes)})
    write_json(f"{out}/summary.json", summary)
    remove(fs, f"{root}/parts")
    return summary


def _one_row_each(results: pa.Table) -> pa.Table:
    """Sort by id and keep one row per recording: a task that ran twice may have written it twice."""
    row_of = {recording_id: row for row, recording_id in enumerate(results["recording_id"].to_pylist())}
    return results.take([row_of[i] for i in sorted(row_of, key=id_order)])


def _unnest(results: pa.Table, name: str, schema: pa.Schema) -> pa.Table:
    """Return the structs, or lists of structs, of a column as a table with the recording ids."""
    column, ids = results[name].combine_chunks(), results["recording_id"].combine_chunks()
    if pa.types.is_list(column.type):
        ids = ids.take(pc.list_parent_indices(column))
        column = pc.list_flatten(column)
    fields = {field.name: pc.struct_field(column, field.name) for field in column.type}
    return tables.fit(pa.table({"recording_id": ids} | fields), schema)


def _timed(results: pa.Table) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Return the seconds of each stage; and for each stage with a model, the number of loads and their seconds."""
    seconds: Counter[str] = Counter()
    loads: dict[str, dict[str, float]] = defaultdict(dict)
    for timing in pc.list_flatten(results["timings"].combine_chunks()).to_pylist():
        seconds[timing["stage"]] += timing["seconds"]
        if timing["load_s"]:
            loads[timing["stage"]][timing["worker"]] = timing["load_s"]
    return (
        {stage: round(each, 3) for stage, each in seconds.items()},
        {stage: {"loads": len(each), "seconds": round(sum(each.values()), 3)} for stage, each in loads.items()},
    )
