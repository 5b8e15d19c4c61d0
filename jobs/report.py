"""Show a run as one HTML page: counts, scores, times, failures, and each recording with its entities.

python -m jobs.report --run FOLDER --out FILE.html [--reference FOLDER] [--show-text]
"""

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Any

import fsspec
import pyarrow as pa
import tyro

from jobs.answer_folders import Answers, languages, read_answers
from jobs.command_line import absolute, check_paths, run_job
from jobs.folders import check_file, read_run
from jobs.progress import track
from pipeline import answers, tables
from pipeline.corpus import gold
from pipeline.errors import UserError
from pipeline.files import write_text
from pipeline.outputs.report import page, summary
from pipeline.outputs.report.recordings import Recording, Reference, for_page
from pipeline.outputs.report.sound import ENVELOPE_HZ, Heard, listen
from pipeline.scoring import entities, transcripts
from pipeline.scoring.differences import Mark, differing_tokens, mark_entities
from pipeline.speech.language import language_of
from pipeline.tagging.groups import load_groups


@dataclass(frozen=True)
class Report:
    """Show a run as one HTML page: counts, scores, times, failures, and each recording with its entities.

    The page is one file, which any browser shows without a network. Without --show-text it is safe to send: it holds no
    transcript, no text of an entity, no sound and no path, only how loud a recording is over time and the types, times
    and confidences of its entities. Recordings go by their ids, which are the names of the audio files. With
    --show-text it holds patient text and sound, and belongs where the recordings are.
    """

    run: str
    """Folder of a finished run of jobs.predict."""

    out: str
    """File for the page, with the suffix .html."""

    reference: str | None = None
    """Folder with the transcripts and entities of people, as for jobs.score: the page gets the scores, and shows the
    reference beside what was predicted."""

    show_text: bool = False
    """Put transcripts, texts of entities and sound into the page."""

    sound_mb: float = 6.0
    """With --show-text, the most megabytes of sound in the page. A minute takes 0.16 MB; recordings get theirs in the
    order of their ids, and the page says which have none. 0: no sound."""

    overwrite: bool = False
    """Replace the file."""


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.report --help``."""
    job = tyro.cli(Report, prog="python -m jobs.report", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    check_paths({"--run": job.run})
    if not job.out.endswith(".html"):
        raise UserError(f"--out {job.out}: give a file with the suffix .html.")
    if not (isfinite(job.sound_mb) and job.sound_mb >= 0):
        raise UserError(f"--sound-mb {job.sound_mb}: give a number of megabytes from 0.")
    check_file("--out", job.out, job.overwrite)
    reference = read_answers("--reference", job.reference, prefer_tables=True) if job.reference else None
    recordings, html = make_page(job.run, reference, job.show_text, job.sound_mb)
    write_text(absolute(job.out), html)
    held = "WITH patient text and sound: keep it where the recordings are" if job.show_text else "without patient text"
    print(f"{recordings} recordings, {len(html.encode()) / 1e6:.1f} MB, {held}: {job.out}")


def make_page(
    path: str, reference: Answers | None, show_text: bool, sound_mb: float = Report.sound_mb
) -> tuple[int, str]:
    """Make the page of a run.

    Args:
        path: Folder of a finished run.
        reference: Transcripts and entities of people to compare it with.
        show_text: Put transcripts, texts of entities and sound into the page.
        sound_mb: The most megabytes of sound.

    Returns:
        How many recordings are in the page, and the page.

    Raises:
        UserError: The folder holds no finished run.
    """
    run, times = read_run(path), _times(path)
    scores: dict[str, Any] = {}
    recordings = _recordings(run)
    if reference:
        recordings, scores = _compare(recordings, reference, run["entities"], show_text)
    recordings = _listen(recordings, 1e6 * sound_mb if show_text else 0.0)
    groups = summary.colours(recordings, {group.name: list(group.types) for group in load_groups()})
    content = {
        "show_text": show_text,
        "counts": summary.counts(recordings),
        "groups": groups,
        "scores": scores,
        "types": summary.types(recordings),
        "confidences": summary.confidences(recordings),
        "dropped": summary.dropped(recordings),
        "failures": summary.failures(recordings),
        **times,
    }
    data = {
        "groups": groups,
        "envelope_hz": ENVELOPE_HZ,
        "show_text": show_text,
        "recordings": [for_page(recording, show_text) for recording in recordings],
    }
    return len(recordings), page.render(content, data)


def _recordings(run: Mapping[str, pa.Table]) -> list[Recording]:
    """Gather what the tables hold of each recording; sorted by id."""
    names = ("recordings", "transcripts", "failures")
    about, said, failed = ({row["recording_id"]: row for row in run[name].to_pylist()} for name in names)
    found = _by_recording(run["entities"])
    return [
        Recording(i, about.get(i, {}), said.get(i), failed.get(i), found[i])
        for i in sorted({*about, *said, *failed, *found}, key=answers.id_order)
    ]


def _compare(
    recordings: Sequence[Recording], reference: Answers, predicted: pa.Table, show_text: bool
) -> tuple[list[Recording], dict[str, Any]]:
    """Score the run as jobs.score does, and put the reference beside each recording, those that the run lacks too."""
    known, texts = languages(reference), reference.transcripts or {}
    scores: dict[str, Any] = {}
    errors: dict[str, dict[str, Any]] = {}
    leaked: dict[str, float] = {}
    if reference.transcripts is not None:
        said = {each.recording_id: each.transcript["text"] for each in recordings if each.transcript}
        edits = transcripts.count(reference.transcripts, said)
        scores["transcripts"] = transcripts.scores(edits)
        errors = {row["recording_id"]: row for row in transcripts.by_recording(edits)}
    if reference.entities is not None:
        counts = entities.count(known, reference.entities, predicted)
        scores["entities"] = entities.scores(counts)
        leaked = {row["recording_id"]: row["leaked_s"] for row in entities.by_recording(counts)}

    wanted = _by_recording(_with_spans(reference) if show_text else reference.entities, kept_alone=True)
    of_run = {each.recording_id: each for each in recordings}
    compared = []
    for i in sorted({*of_run, *known}, key=answers.id_order):
        recording = of_run.get(i, Recording(i))
        if i in known:
            wrong = {name: errors[i][name] for name in ("edits", "tokens")} if i in errors else {}
            recording = _beside(recording, Reference(texts.get(i), wanted[i], leaked_s=leaked.get(i), **wrong))
        compared.append(recording)
    return compared, scores


def _beside(recording: Recording, reference: Reference) -> Recording:
    """Put the reference beside a recording, and mark where the two differ."""
    if reference.text is not None:
        said = recording.transcript["text"] if recording.transcript else ""
        of_reference, of_run = differing_tokens(reference.text, said)
        reference, recording = replace(reference, differs=of_reference), replace(recording, differs=of_run)
    if reference.leaked_s is not None:
        marks = mark_entities(reference.entities, recording.entities)
        reference = replace(reference, entities=_marked(reference.entities, marks[0]))
        recording = replace(recording, entities=_marked(recording.entities, marks[1]))
    return replace(recording, reference=reference)


def _marked(rows: Sequence[Mapping[str, Any]], marks: Sequence[Mark | None]) -> list[dict[str, Any]]:
    return [{**row, **(mark._asdict() if mark else {})} for row, mark in zip(rows, marks, strict=True)]


def _by_recording(table: pa.Table | None, kept_alone: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Return the entities of each recording by time; those without one come last."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in table.to_pylist() if table is not None else ():
        if row["kept"] or not kept_alone:
            rows[row["recording_id"]].append(row)
    for some in rows.values():
        some.sort(key=lambda row: (row["start_s"] is None, row["start_s"] or 0.0, row["end_s"] or 0.0, row["type"]))
    return rows


def _with_spans(reference: Answers) -> pa.Table | None:
    """Return the reference's entities with their places in its transcripts; a table has them already."""
    if reference.entities is None or reference.has_tables:
        return reference.entities
    rows = [
        {"recording_id": i, "language": language_of(text), "text": text, "words": [], "recognizer": gold.GOLD}
        for i, text in (reference.transcripts or {}).items()
    ]
    spoken = tables.from_rows(rows, tables.TRANSCRIPTS)
    return gold.with_spans(reference.entities, spoken, load_groups(), {}, fuzzy=True)


def _listen(recordings: Sequence[Recording], most_sound: float) -> list[Recording]:
    """Add the envelopes and, as long as the page has room for it, the sound.

    Args:
        recordings: All, in the order in which they get sound.
        most_sound: Characters of sound in the page, four for three bytes.
    """
    left = most_sound

    def hear(recording: Recording) -> Heard:
        return listen(recording.about.get("path"), recording.about.get("duration_s"), copy=left > 0)

    heard = []
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        sounds = track(pool.map(hear, recordings), len(recordings), "recordings")
        for recording, sound in zip(recordings, sounds, strict=True):
            left -= ceil(len(sound.sound or b"") / 3) * 4
            fits = sound if left >= 0 else sound._replace(sound=None)
            heard.append(replace(recording, **fits._asdict()))
    return heard


def _times(run: str) -> dict[str, Any]:
    """Return the seconds of the run and of its stages, where the folder says them."""
    fs, root = fsspec.url_to_fs(absolute(run))
    if not fs.exists(f"{root}/summary.json"):
        return {"seconds": None, "stages": []}
    try:
        found = json.loads(fs.cat_file(f"{root}/summary.json"))
        return {"seconds": found["seconds"]["total"], "stages": summary.stages(found)}
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"--run {run}: its summary.json cannot be read: give the out folder of jobs.predict.") from None


if __name__ == "__main__":
    run_job(main)
