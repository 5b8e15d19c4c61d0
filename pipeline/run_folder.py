"""The out folder of a run: what a call finds and begins there, and what other jobs read.

While a run goes on, finished recordings are written to ``parts/``. The tables and submission files are made from them
at the end (:mod:`pipeline.run_closing`), and ``summary.json`` last: a run without it is unfinished, whatever else is
there.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from pipeline import run_parts, submission, tables
from pipeline.errors import UserError
from pipeline.files import absolute, filesystem, remove, writing
from pipeline.out_folder import OutFolder
from pipeline.run_parts import RESULT, Parts, Rows
from pipeline.settings import Settings
from pipeline.table_rows import check_rows
from pipeline.unfinished import FINISHED, PARTS, STATE, refuse_unfinished

CORRECTED = "transcriptions_corrected.json"
"""Transcripts in the reference method's form, which some jobs write beside the tables."""

_MADE_HERE = [PARTS, *tables.SCHEMAS, submission.TASK1, submission.TASK2, CORRECTED]
_FREE = ["pool"]  # where models run changes no result


def run_folder(out: str) -> OutFolder:
    """Return the out folder of a run, which may contain recordings and other files too."""
    return OutFolder(out, STATE, FINISHED, _MADE_HERE, shared=True, free=_FREE)


def asked_for(source: Mapping[str, str], settings: Settings, sha256: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``run.json`` holds beside the versions of libraries.

    Args:
        source: The options that gave the recordings, or transcripts.
        settings: All settings, with located models.
        sha256: Hashes of what they name, see ``pipeline.fingerprints``.
    """
    return {**source, "settings": asdict(settings), "sha256": dict(sha256)}


@dataclass(frozen=True)
class Plan:
    """What a call does in an out folder.

    Attributes:
        out: The folder.
        asked: See ``asked_for``.
        recordings: All recordings that there are now.
        left: Ids of those to work on.
        going_on: Where work that is there goes on, what is said of it; None where it begins.
        is_finished: Whether that work was finished; where some is left, it is taken up again.
    """

    out: str
    asked: Mapping[str, Any]
    recordings: Rows
    left: Collection[str]
    going_on: str | None = None
    is_finished: bool = False

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do, not even to close the run."""
        return self.is_finished and not self.left

    def begin(self) -> None:
        """Make the folder ready; with ``overwrite`` an earlier run is removed now.

        Raises:
            UserError: The folder cannot be written.
        """
        if not self.going_on:
            run_folder(self.out).begin(self.asked, overwrite=True)
        elif self.is_done:
            _remove_parts(self.out)
        elif self.is_finished:
            reopen(self.out)


def plan(
    out: str,
    asked: Mapping[str, Any],
    recordings: Rows,
    overwrite: bool,
    retry_failed: bool = False,
    grows: bool = False,
) -> Plan:
    """Find out what is left to do; nothing is changed yet.

    Args:
        out: The out folder, a path or URI.
        asked: See ``asked_for``.
        recordings: All recordings that there are now.
        overwrite: Replace an earlier run.
        retry_failed: Take up the failures of an interrupted or finished run.
        grows: Add recordings that are new or have changed to a finished run too, and keep those that are gone.

    Raises:
        UserError: The folder is not of a run; its run has other settings, or is finished and would not stay as it is;
            or failures are to be taken up and recordings of the finished run are gone.
    """
    folder, at = run_folder(out), absolute(out)
    names = folder.check(overwrite=True)
    if overwrite or not names & {PARTS, FINISHED}:
        return Plan(out, asked, recordings, recordings.keys())
    going_on = folder.going_on(asked, names)
    if grows:
        recordings = {**_recordings_of(out, FINISHED in names), **recordings}
    if FINISHED not in names:
        parts = run_parts.read(f"{at}/{PARTS}", recordings)
        left = recordings.keys() - parts.ids(failed=not retry_failed)
        return Plan(out, asked, recordings, left, f"{going_on} {_how_far(parts, len(recordings), len(left))}")
    return _of_finished(Plan(out, asked, recordings, recordings.keys(), going_on), retry_failed, grows)


def _recordings_of(out: str, is_finished: bool) -> dict[str, Mapping[str, Any]]:
    """Return the recordings that the folder has results of, by id."""
    if not is_finished:
        return {**run_parts.recordings_of(f"{absolute(out)}/{PARTS}")}
    rows = read_run(out)["recordings"].select(["recording_id", "path", "fingerprint"]).to_pylist()
    return {row["recording_id"]: row for row in rows}


def _of_finished(plan: Plan, retry_failed: bool, grows: bool) -> Plan:
    run = read_run(plan.out)
    before = {row["recording_id"]: row["fingerprint"] for row in run["recordings"].to_pylist()}
    now = {recording_id: row["fingerprint"] for recording_id, row in plan.recordings.items()}
    failed = set(run["failures"]["recording_id"].to_pylist()) if retry_failed else set()
    gone, changed = before.keys() - now.keys(), {key for key in before.keys() & now.keys() if before[key] != now[key]}
    if retry_failed or grows:
        if gone:
            raise UserError(
                f"--audio lacks {len(gone)} recordings of the finished run in {plan.out}: put them back, or give "
                "another --out."
            )
        left = failed | changed | (now.keys() - before.keys())
        if left:
            said = f"{plan.going_on} {len(now) - len(left)} of {len(now)} recordings stay as they are."
            return replace(plan, left=left, going_on=said, is_finished=True)
    if before == now:
        nothing = "no recording failed" if retry_failed else "nothing has changed since then"
        return replace(plan, left=(), going_on=f"--out {plan.out} is finished, and {nothing}.", is_finished=True)
    since = ", ".join(
        f"{count} {what}"
        for count, what in ((len(now.keys() - before.keys()), "new"), (len(changed), "changed"), (len(gone), "gone"))
        if count
    )
    raise UserError(
        f"--out {plan.out} is finished already, and since then recordings are others ({since}): give another folder, "
        "or --overwrite to replace it."
    )


def _how_far(parts: Parts, recordings: int, left: int) -> str:
    further = (
        (parts.changed, "{} are done again, as their files have changed"),
        (parts.gone, "{} are gone and forgotten"),
        (parts.damaged, "{} files in parts/ are damaged, and their recordings are done again"),
    )
    said = [f"{recordings - left} of {recordings} recordings are finished"]
    return "; ".join(said + [words.format(count) for count, words in further if count]) + "."


def reopen(run: str) -> None:
    """Make a finished run an interrupted one, with one part of all its recordings.

    Raises:
        UserError: The run cannot be read, or the folder not be written.
    """
    out = absolute(run)
    fs, root = filesystem(out)
    results = _as_results(read_run(out), json.loads(fs.cat_file(f"{root}/{FINISHED}")))
    with writing(out):
        _remove_parts(out)
        tables.write(results, f"{out}/{PARTS}", "part-before")
        # First what says that the tables are whole. Killed from here on, the run is an interrupted one.
        for file in (f"{root}/{FINISHED}", f"{root}/{CORRECTED}"):
            if fs.exists(file):
                remove(fs, file)


def _remove_parts(out: str) -> None:
    """Remove what a call that was killed at its very end, or as it took up failures, has left of the parts."""
    fs, root = filesystem(absolute(out))
    if fs.exists(f"{root}/{PARTS}"):
        with writing(out):
            remove(fs, f"{root}/{PARTS}")


def _as_results(run: Mapping[str, pa.Table], summary: Mapping[str, Any]) -> pa.Table:
    """Make the rows of a finished run again from its tables.

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
    failures = {row.pop("recording_id"): row for row in run["failures"].to_pylist()}
    rows: list[dict[str, Any]] = []
    for recording in run["recordings"].to_pylist():
        recording_id = recording["recording_id"]
        row = recording | {"failure": failures.get(recording_id), "entities": entities[recording_id], "timings": []}
        if recording_id in transcripts:
            row |= transcripts[recording_id] | {"confidence": summary["confidence"], "timings": timings}
            timings = []
        rows.append(row)
    return tables.fit(tables.from_rows(rows, RESULT), RESULT)


def read_run(run: str, needed: Collection[str] = ("recordings", "transcripts")) -> dict[str, pa.Table]:
    """Read the tables of a finished run, or of any folder with the needed tables; missing others are empty.

    Raises:
        UserError: A needed table is missing, the run is unfinished, or a table cannot be read.
    """
    refuse_unfinished("--run", run)
    fs, root = filesystem(absolute(run))
    if not all(fs.isdir(f"{root}/{name}") for name in needed):
        raise UserError(f"--run {run} holds no finished run: give the out folder of jobs.predict.")
    try:
        read = {name: tables.read(f"{absolute(run)}/{name}", schema) for name, schema in tables.SCHEMAS.items()}
    except (pa.ArrowException, OSError, ValueError):
        raise UserError(f"--run {run}: its tables cannot be read: give the out folder of jobs.predict.") from None
    for name, table in read.items():
        check_rows(table, f"--run {run}: its table {name}", paired=False)
    return read


def audio_folder(run: str) -> str | None:
    """Return the folder of recordings that a run was made of; None if it does not say, or was given transcripts."""
    fs, root = filesystem(absolute(run))
    try:
        folder = json.loads(fs.cat_file(f"{root}/{STATE}"))["audio"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return folder if isinstance(folder, str) else None


def read_settings(run: str) -> Settings:
    """Read the settings of a run, with its models.

    Raises:
        UserError: The folder does not hold them.
    """
    from pydantic import TypeAdapter

    fs, root = filesystem(absolute(run))
    try:
        return TypeAdapter(Settings).validate_python(json.loads(fs.cat_file(f"{root}/{STATE}"))["settings"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"--run {run} does not say what made it (run.json): give the out folder of jobs.predict."
        ) from None
