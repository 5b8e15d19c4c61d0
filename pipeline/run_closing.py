"""The end of a run: its tables, submission files and summary, from what its stages have written."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import run_parts, submission, tables
from pipeline.errors import UserError
from pipeline.files import filesystem, remove, write_json, writing
from pipeline.run_folder import read_settings
from pipeline.run_parts import Rows
from pipeline.unfinished import FINISHED, PARTS


def close_run(
    out: str, recordings: Rows, seconds: float, left_out: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Write the tables, submission files and ``summary.json`` of a run from its parts.

    What repeats the entities of other recordings is added on the way, if the run's settings ask for it. Until the
    summary is there, the parts are, and the run is unfinished.

    Args:
        out: The out folder of the run.
        recordings: All recordings of the run.
        seconds: Wall-clock seconds of this call.
        left_out: Counts of what lies beside the recordings, for the summary.

    Returns:
        The summary: counts, Whisper's mean confidence, seconds of audio and of each stage, and model loads. It contains
        no patient text.

    Raises:
        UserError: Results are missing, and nothing is changed; or the results cannot be written.
    """
    from pipeline.tagging.mentions import REPEAT
    from pipeline.tagging.mentions_of_run import with_mentions_of_others

    fs, root = filesystem(out)
    parts = run_parts.read(f"{out}/{PARTS}", recordings)
    results = parts.results
    if missing := len(recordings.keys() - parts.ids()):
        raise UserError(
            f"--out {out}: the results of {missing} recordings are missing or cannot be read. Every node has to write "
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
    with writing(out):
        for name, table in made.items():
            tables.write(table, f"{out}/{name}")
        submission.write_task1(made["transcripts"], f"{out}/{submission.TASK1}")
        submission.write_task2(made["entities"], f"{out}/{submission.TASK2}")
        write_json(f"{out}/{FINISHED}", summary)
        remove(fs, f"{root}/{PARTS}")
    return summary


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
