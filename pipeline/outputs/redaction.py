"""Copies of a run's recordings and transcripts in which the entities are redacted, and the log of the redaction."""

import math
import os
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import tyro

from pipeline import submission, tables
from pipeline.errors import UserError, reason
from pipeline.files import absolute, filesystem, is_within, write_json, write_text
from pipeline.ids import id_order
from pipeline.out_folder import OutFolder
from pipeline.outputs import review, review_import, subtitles, text
from pipeline.outputs.allow_list import AllowList
from pipeline.outputs.audio import Copy, Cover, copy_covered
from pipeline.outputs.progress import Track, no_progress
from pipeline.outputs.redactable import RedactableRecording, choose, found_entities
from pipeline.outputs.verification import still_recognised
from pipeline.run_folder import read_run, read_settings
from pipeline.speech.audio import AudioError
from pipeline.tagging.entities import Entity
from pipeline.tagging.known_types import known_types

LOG = "redaction_log.json"
NOTICE = (
    "Entities that were not found are still there. This is no certified de-identification: people have to check it."
)

REDACTIONS = tables.schema(
    "recording_id: string, type: string, start_s: float64, end_s: float64, audio: string, text: string"
)
"""One redacted entity: its time without the padding, and what replaces it in the audio and in the text."""

_MADE_HERE = ["audio", "subtitles", "textgrids", "redactions", submission.TASK1]


@dataclass(frozen=True)
class Redaction:
    """What to redact and how."""

    types: tuple[str, ...] = ()
    """Types to redact, such as PATIENT DOCTOR. Without it, all."""

    allow: Path | None = None
    """Text file with what may stay, a name or another text in each line: of the hospital, of its staff. An entity stays
    if its whole text is one of them."""

    corrections: str | None = None
    """Corrections file that the page of jobs.report --show-text saved of this run. What it rejects is left in, and what
    it changes or adds is redacted as it says."""

    sound: Annotated[Literal["silence", "beep"], tyro.conf.arg(name="with")] = "silence"
    """What covers an entity in the audio."""

    padding_s: float = 0.1
    """Seconds to cover before and after each entity as well. They include short fades that prevent clicks."""

    text: Literal["placeholders", "surrogates"] = "placeholders"
    """What replaces an entity in a transcript: its type, as in [PATIENT], or a made-up surrogate of the same kind:
    names and numbers are the same throughout the run, and dates move by the same days throughout a recording."""

    vtt: bool = False
    """Write subtitles of the redacted transcripts too, as subtitles/ID.vtt."""

    textgrid: bool = False
    """Write Praat TextGrids of the redacted transcripts too, as textgrids/ID.TextGrid."""

    verify: bool = False
    """Transcribe the copies with the run's ASR models, and list the entities of which a word is still recognised."""


def redact_run(
    run: str,
    out: str,
    redaction: Redaction,
    seed: int | None = None,
    overwrite: bool = False,
    track: Track = no_progress,
    schemes: Collection[str] = (),
) -> dict[str, Any]:
    """Write redacted copies of a run's recordings and transcripts, and the log.

    Args:
        run: Folder of a finished run.
        out: Folder for the results, outside the run and its recordings.
        redaction: What to redact and how.
        seed: Seed of the surrogates; None uses a random one.
        overwrite: Replace the results that the out folder holds.
        track: Shows the progress of copying the recordings.
        schemes: Schemes of addresses from which recordings may be read, see ``files.not_opened``.

    Returns:
        The log, as ``redaction_log.json`` holds it: the notice, the options, counts, the withheld recordings with
        their reasons, in what copies differ in kind, the entities whose time is only known to be between the words
        beside them, each redaction, and with ``verify`` what is still recognised; no text of a transcript.

    Raises:
        UserError: The run is not finished, a value is out of its range, or the out folder cannot be used.
    """
    if not (math.isfinite(redaction.padding_s) and redaction.padding_s >= 0):
        raise UserError(f"--padding-s {redaction.padding_s}: give a number of seconds from 0.")
    read, folder = read_run(run, ("recordings", "transcripts", "entities")), absolute(out)
    paths = [path for path in read["recordings"]["path"].to_pylist() if path]
    if is_within(out, run) or is_within(run, out) or any(is_within(path, out) for path in paths):
        raise UserError(f"--out {out} is, holds or lies in the run or its recordings: give a folder of its own.")
    corrections = None
    if redaction.corrections is not None:
        corrections = review_import.read(absolute(redaction.corrections), read)
        read = review.corrected(read, corrections)
    found = found_entities(read["entities"])
    types = _types(redaction.types, found)
    allowed = AllowList(redaction.allow) if redaction.allow else ()
    stay = [row for row in found if row["type"] in types and row["text"] in allowed]
    wanted = [row for row in found if row["type"] in types and row["text"] not in allowed]
    options = {"run": run, "out": out, **asdict(redaction), "allow": redaction.allow and str(redaction.allow)}
    made = OutFolder(out, "redact.json", LOG, _MADE_HERE)
    made.check(overwrite)
    transcribe = None
    if redaction.verify:
        from pipeline.speech.transcription import Transcription

        settings = read_settings(run)
        transcribe = Transcription(settings)
    made.begin(options, overwrite)

    recordings, withheld = choose(read, wanted, schemes)
    copies, failed = _copy_audio(recordings, f"{folder}/audio", Cover(redaction.sound, redaction.padding_s), track)
    withheld |= failed
    recordings = [recording for recording in recordings if recording.recording_id not in withheld]
    _write_texts(recordings, folder, redaction, seed)
    redactions = [
        _place(recording, entity) | {"audio": redaction.sound, "text": redaction.text}
        for recording in recordings
        for entity in recording.entities
    ]
    tables.write(tables.from_rows(redactions, REDACTIONS), f"{folder}/redactions")
    log = {
        "notice": NOTICE,
        "options": options,
        "recordings": len(recordings),
        "corrections": corrections.count if corrections else 0,
        "redacted": _counted(redactions),
        "types_left_in": _counted(row for row in found if row["type"] not in types),
        "allowed": _counted(stay),
        "withheld": [{"recording_id": i, "reason": withheld[i]} for i in sorted(withheld, key=id_order)],
        "notes": [{"recording_id": i, "note": copy.note} for i, copy in copies.items() if copy.note],
        "widened": [_place(recording, entity) for recording in recordings for entity in recording.widened],
        "redactions": redactions,
    }
    if transcribe:
        where = {i: copy.path for i, copy in copies.items()}
        log["still_recognised"] = still_recognised(recordings, where, transcribe, settings.decoding, track)
    write_json(f"{folder}/{LOG}", log)
    return log


def _types(given: Sequence[str], found: Sequence[Mapping[str, Any]]) -> Collection[str]:
    """Return the given types, or all found ones if none is given; refuse unknown ones."""
    of_run = {row["type"] for row in found}
    known = of_run | known_types()
    for type_ in given:
        if type_ not in known:
            raise UserError(f"--types {type_}: {submission.unknown_type(type_, known)}.")
    return given or of_run


def _place(recording: RedactableRecording, entity: Entity) -> dict[str, Any]:
    times = {"start_s": entity.start_s, "end_s": entity.end_s}
    return {"recording_id": recording.recording_id, "type": entity.type} | times


def _counted(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    return dict(sorted(Counter(row["type"] for row in rows).items()))


def _copy_audio(
    recordings: Sequence[RedactableRecording], folder: str, cover: Cover, track: Track
) -> tuple[dict[str, Copy], dict[str, str]]:
    """Copy recordings with their entities covered; return the copies, and why some could not be made, by id."""
    fs, root = filesystem(folder)
    fs.makedirs(root, exist_ok=True)

    made: dict[str, Copy] = {}
    failed: dict[str, str] = {}

    def copy(each: RedactableRecording) -> None:
        try:
            target = f"{folder}/{each.recording_id}"
            made[each.recording_id] = copy_covered(each.path, target, each.times, cover, each.duration_s)
        except AudioError as error:
            failed[each.recording_id] = f"audio {error}"

    try:
        with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
            for _ in track(pool.map(copy, recordings), len(recordings), "recordings"):
                pass
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {reason(error)}.") from None
    return dict(sorted(made.items())), failed


def _write_texts(
    recordings: Sequence[RedactableRecording], folder: str, redaction: Redaction, seed: int | None
) -> None:
    """Write the redacted transcripts, and the subtitles and TextGrids that are wanted."""
    surrogates = None
    if redaction.text == "surrogates":
        from pipeline.outputs.surrogates import Surrogates

        surrogates = Surrogates(secrets.randbits(64) if seed is None else seed)
    rows = []
    for each in recordings:
        replace = surrogates.of(each.recording_id) if surrogates else text.placeholder
        redacted, spans = text.redact(each.transcript, each.spans, replace)
        rows.append({"recording_id": each.recording_id, "text": redacted.text})
        if redaction.vtt:
            write_text(f"{folder}/subtitles/{each.recording_id}.vtt", subtitles.webvtt(redacted, spans))
        if redaction.textgrid:
            grid = subtitles.textgrid(redacted, spans, each.duration_s)
            write_text(f"{folder}/textgrids/{each.recording_id}.TextGrid", grid)
    columns = pa.schema([("recording_id", pa.string()), ("text", pa.string())])
    submission.write_task1(pa.Table.from_pylist(rows, schema=columns), f"{folder}/{submission.TASK1}")
