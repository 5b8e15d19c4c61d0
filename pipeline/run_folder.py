"""The folder that a run leaves: tables, answer files, ``summary.json`` and ``run.json``.

While a run goes on, finished recordings gather in ``parts/``; the tables and answer files are made of them at the
end, so that what stands beside ``parts/`` is always whole.
"""

import json
import platform
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import answers, tables
from pipeline.errors import UserError
from pipeline.files import write_text
from pipeline.settings import Settings

_ENTITY = pa.struct([field for field in tables.ENTITIES if field.name != "recording_id"])
_FAILURE = pa.struct([field for field in tables.FAILURES if field.name != "recording_id"])
_TIMING = pa.struct(
    [("stage", pa.string()), ("worker", pa.string()), ("load_s", pa.float64()), ("seconds", pa.float64())]
)

RESULT = pa.schema(
    [
        *(field for field in tables.RECORDINGS if field.name not in ("split", "phase")),
        pa.field("language", pa.string()),
        pa.field("text", pa.string()),
        pa.field("words", tables.TRANSCRIPTS.field("words").type),
        pa.field("recognizer", pa.string()),
        pa.field("confidence", pa.float64()),
        pa.field("entities", pa.list_(_ENTITY)),
        pa.field("failure", _FAILURE),
        pa.field("timings", pa.list_(_TIMING)),
    ]
)
"""One finished recording: its transcript and entities, or its failure, and the seconds that each stage took. Its
confidence is the mean probability of the tokens that Whisper wrote, where its library gives one."""

_MADE_HERE = ["parts", *tables.SCHEMAS, answers.TASK1, answers.TASK2, "transcriptions_corrected.json"]
_MADE_HERE += ["run.json", "summary.json"]
_LIBRARIES = ["ray", "torch", "transformers", "nemo_toolkit", "peft", "bitsandbytes", "faster-whisper", "ctranslate2"]
_LIBRARIES += ["pyarrow", "soundfile", "soxr"]


def check_out(out: str, overwrite: bool) -> None:
    """Refuse a folder that cannot take a run, before anything starts; nothing is removed yet.

    Raises:
        UserError: The folder cannot be made, or holds a finished run that may not be overwritten.
    """
    fs, root = fsspec.url_to_fs(out)
    try:
        fs.makedirs(root, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out} cannot be used: {error.strerror or type(error).__name__}.") from None
    if fs.exists(f"{root}/summary.json") and not overwrite:
        raise UserError(f"--out {out} already holds a run: give another folder, or --overwrite to replace it.")


def open_run(out: str, audio: str, settings: Settings, overwrite: bool) -> set[str]:
    """Make the folder ready for a run, or take up one that was interrupted.

    Args:
        out: The folder, a path or URI.
        audio: The folder of recordings.
        settings: All knobs.
        overwrite: Remove what an earlier run left.

    Returns:
        Ids of the recordings that an interrupted run with the same settings has finished already.

    Raises:
        UserError: The folder holds a finished run, or an unfinished one with other settings.
    """
    check_out(out, overwrite)
    fs, root = fsspec.url_to_fs(out)
    if overwrite and fs.exists(f"{root}/run.json"):
        for name in _MADE_HERE:
            if fs.exists(f"{root}/{name}"):
                fs.rm(f"{root}/{name}", recursive=True)
    this_run = {"audio": audio, "settings": json.loads(json.dumps(asdict(settings), default=str))}
    done = set(tables.read(f"{out}/parts", RESULT)["recording_id"].to_pylist())
    if done:
        unfinished = json.loads(fs.cat_file(f"{root}/run.json"))
        if {key: unfinished.get(key) for key in this_run} != this_run:
            raise UserError(
                f"--out {out} holds an unfinished run with other settings: "
                "give the same command to go on with it, or --overwrite to replace it."
            )
        return done
    versions = {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}
    write_json(f"{out}/run.json", this_run | {"versions": versions})
    return set()


def close_run(out: str, recordings: Collection[str], model_hashes: Mapping[str, str], seconds: float) -> dict[str, Any]:
    """Turn the parts of a run into its tables, answer files, ``run.json`` and ``summary.json``.

    Args:
        out: The run's folder.
        recordings: Ids of all recordings that the run is about.
        model_hashes: A hash of each model's files, by setting.
        seconds: Wall-clock seconds of the run.

    Returns:
        The summary: counts, the mean confidence of Whisper, seconds of audio and per stage, loads of each model; no
        patient text.

    Raises:
        UserError: The parts are not of these recordings; nothing is changed.
    """
    fs, root = fsspec.url_to_fs(out)
    results = _one_row_each(tables.read(f"{out}/parts", RESULT))
    missing = len(set(recordings) ^ set(results["recording_id"].to_pylist()))
    if missing:
        raise UserError(
            f"--out {out}: the results of {missing} recordings are missing or of another run. Every node has to write "
            "to the same folder, so it must lie on shared storage; the same command then goes on from here."
        )
    failed = results["failure"].is_valid()
    transcribed = results.filter(pc.invert(failed))
    made = {
        "recordings": _fit(results, tables.RECORDINGS),
        "transcripts": _fit(transcribed, tables.TRANSCRIPTS),
        "entities": _unnest(transcribed, "entities", tables.ENTITIES),
        "failures": _unnest(results.filter(failed), "failure", tables.FAILURES),
    }
    for name, table in made.items():
        tables.write(table, f"{out}/{name}")
    answers.write_task1(made["transcripts"], f"{out}/{answers.TASK1}")
    answers.write_task2(made["entities"], f"{out}/{answers.TASK2}")

    summary = {
        "recordings": len(results),
        "transcripts": len(transcribed),
        "failures": len(made["failures"]),
        "entities": pc.sum(made["entities"]["kept"]).as_py() or 0,
        "confidence": pc.mean(results["confidence"]).as_py(),
        "audio_seconds": round(pc.sum(results["duration_s"]).as_py() or 0.0, 3),
        "seconds": {"total": round(seconds, 3), **_stage_seconds(results)},
        "model_loads": _model_loads(results),
    }
    run = json.loads(fs.cat_file(f"{root}/run.json"))
    write_json(f"{out}/run.json", run | {"model_sha256": dict(model_hashes)})
    write_json(f"{out}/summary.json", summary)
    fs.rm(f"{root}/parts", recursive=True)
    return summary


def write_transcriptions_json(out: str) -> None:
    """Write ``transcriptions_corrected.json``, the reference method's form of a run's transcripts."""
    recordings = tables.read(f"{out}/recordings", tables.RECORDINGS)
    names = dict(zip(recordings["recording_id"].to_pylist(), recordings["path"].to_pylist(), strict=True))
    transcripts = {
        (names.get(row["recording_id"]) or f"{row['recording_id']}.wav").rpartition("/")[2]: {
            "language": row["language"],
            "text": row["text"],
            "words": [{"word": w["text"], "start": w["start_s"], "end": w["end_s"]} for w in row["words"]],
        }
        for row in tables.read(f"{out}/transcripts", tables.TRANSCRIPTS).to_pylist()
    }
    write_json(f"{out}/transcriptions_corrected.json", transcripts)


def write_json(path: str, content: Mapping[str, Any]) -> None:
    """Write a JSON file that appears whole or not at all."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def _one_row_each(results: pa.Table) -> pa.Table:
    """Sort by id and keep one row of each recording: a task that ran twice may have written it twice."""
    row_of = {recording_id: row for row, recording_id in enumerate(results["recording_id"].to_pylist())}
    return results.take([row_of[i] for i in sorted(row_of, key=answers.id_order)])


def _fit(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Cast to a schema; columns that the table lacks are null."""
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _unnest(results: pa.Table, name: str, schema: pa.Schema) -> pa.Table:
    """Make a table of the structs, or lists of structs, that a column holds, with their recording's id."""
    column, ids = results[name].combine_chunks(), results["recording_id"].combine_chunks()
    if pa.types.is_list(column.type):
        ids = ids.take(pc.list_parent_indices(column))
        column = pc.list_flatten(column)
    fields = {field.name: pc.struct_field(column, field.name) for field in column.type}
    return _fit(pa.table({"recording_id": ids} | fields), schema)


def _stage_seconds(results: pa.Table) -> dict[str, float]:
    timings = _timings(results).group_by("stage", use_threads=False).aggregate([("seconds", "sum")])
    return {stage: round(seconds, 3) for stage, seconds in zip(*_columns(timings, "stage", "seconds_sum"), strict=True)}


def _model_loads(results: pa.Table) -> dict[str, dict[str, float]]:
    timings = _timings(results).filter(pc.field("load_s") > 0)
    workers = timings.group_by(["stage", "worker"], use_threads=False).aggregate([("load_s", "max")])
    stages = workers.group_by("stage", use_threads=False).aggregate([("worker", "count"), ("load_s_max", "sum")])
    return {
        stage: {"loads": loads, "seconds": round(seconds, 3)}
        for stage, loads, seconds in zip(*_columns(stages, "stage", "worker_count", "load_s_max_sum"), strict=True)
    }


def _timings(results: pa.Table) -> pa.Table:
    flat = pc.list_flatten(results["timings"].combine_chunks())
    return pa.table({field.name: pc.struct_field(flat, field.name) for field in _TIMING})


def _columns(table: pa.Table, *names: str) -> Iterable[list[Any]]:
    return (table[name].to_pylist() for name in names)
