"""Copy a run's recordings and transcripts without the entities that were found in them.

python -m jobs.redact --run FOLDER --out FOLDER [--types PATIENT DOCTOR] [--with beep] [--text surrogates]
"""

import math
import os
import secrets
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import fsspec
import pyarrow as pa
import tyro

from jobs.command_line import absolute, check_paths, run_job
from jobs.folders import is_within, open_out, read_run
from jobs.progress import track
from pipeline import answers, tables
from pipeline.errors import UserError
from pipeline.files import write_text
from pipeline.outputs import subtitles, text
from pipeline.outputs.audio import Cover, copy_covered
from pipeline.run_folder import write_json
from pipeline.speech.audio import AudioError
from pipeline.speech.words import Transcript, Word
from pipeline.tagging.entities import Span
from pipeline.tagging.groups import load_groups
from pipeline.tagging.overlaps import OVERLAP
from pipeline.tagging.patterns import load_patterns
from pipeline.tagging.times import entity_times

LOG = "redaction_log.json"
NOTICE = (
    "Entities that were not found are still there. This is no certified de-identification: people have to check it."
)

REDACTIONS = pa.schema(
    [
        pa.field("recording_id", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("start_s", pa.float64(), nullable=False),
        pa.field("end_s", pa.float64(), nullable=False),
        pa.field("audio", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ]
)
"""One redacted entity: its time without the padding, and what stands for it in the audio and in the text."""

_MADE_HERE = ["audio", "subtitles", "textgrids", "redactions", answers.TASK1]


@dataclass(frozen=True)
class Redact:
    """Copy a run's recordings and transcripts without the entities that were found in them.

    The out folder gets audio/ (format, sample rate, channels and length as they were), task1_answer.txt with the
    redacted transcripts, and the log of what was redacted and which recordings were withheld: redaction_log.json and
    the table redactions, neither with any text. A recording that failed in the run, whose audio cannot be read, or
    with an entity of which time or place in the transcript are unknown, is withheld. Whole words are redacted, and
    names and numbers wherever they occur again in their transcript. What was not found is still there: this is no
    certified de-identification, and people have to check it.
    """

    run: str
    """Folder of a finished run of jobs.predict."""

    out: str
    """Folder for the results."""

    types: tuple[str, ...] = ()
    """Types to redact, as in PATIENT DOCTOR; without it, all."""

    sound: Annotated[Literal["silence", "beep"], tyro.conf.arg(name="with")] = "silence"
    """What covers an entity in the audio."""

    padding_s: float = 0.1
    """Seconds covered before and after each entity too; short fades against clicks lie inside them."""

    text: Literal["placeholders", "surrogates"] = "placeholders"
    """What stands for an entity in a transcript: its type, as in [PATIENT], or something made up of the same kind, the
    same everywhere in the run."""

    vtt: bool = False
    """Write subtitles of the redacted transcripts too, as subtitles/ID.vtt."""

    textgrid: bool = False
    """Write Praat TextGrids of the redacted transcripts too, as textgrids/ID.TextGrid."""

    seed: int | None = None
    """Seed of the surrogates, for the same ones again. Who has it can shift dates back: keep it to yourself. Without
    it they are drawn anew each time."""

    overwrite: bool = False
    """Replace what the out folder holds."""


@dataclass(frozen=True)
class Recording:
    """A recording that may be copied out, with what is to be redacted in it."""

    recording_id: str
    path: str
    duration_s: float
    transcript: Transcript
    entities: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        """Return the name of its copy."""
        return self.recording_id + PurePosixPath(self.path).suffix

    @property
    def times(self) -> list[tuple[float, float]]:
        """Return start and end of each entity in seconds."""
        return [(entity["start_s"], entity["end_s"]) for entity in self.entities]

    @property
    def spans(self) -> list[Span]:
        """Return each entity's place in the transcript, in whole words."""
        spans = [Span(entity["type"], entity["char_start"], entity["char_end"]) for entity in self.entities]
        return [text.whole_words(self.transcript.text, span) for span in spans]


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.redact --help``."""
    job = tyro.cli(Redact, prog="python -m jobs.redact", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    check_paths({"--run": job.run, "--out": job.out})
    if not (math.isfinite(job.padding_s) and job.padding_s >= 0):
        raise UserError(f"--padding-s {job.padding_s}: give a number of seconds from 0.")
    run, out = read_run(job.run, ("recordings", "transcripts", "entities")), absolute(job.out)
    paths = [path for path in run["recordings"]["path"].to_pylist() if path]
    if is_within(job.out, job.run) or is_within(job.run, job.out) or any(is_within(path, job.out) for path in paths):
        raise UserError(f"--out {job.out} is, holds or lies in the run or its recordings: give a folder of its own.")
    # One that lost to an overlapping one was found as well, and may reach farther.
    found = [entity for entity in run["entities"].to_pylist() if entity["kept"] or entity["cause"] == OVERLAP]
    types = _types(job.types, found)
    options = {key: value for key, value in asdict(job).items() if key not in ("seed", "overwrite")}
    open_out(job.out, "redact.json", LOG, _MADE_HERE, options, job.overwrite)

    recordings, withheld = _choose(run, [entity for entity in found if entity["type"] in types])
    withheld |= _copy(recordings, f"{out}/audio", Cover(job.sound, job.padding_s))
    recordings = [recording for recording in recordings if recording.recording_id not in withheld]
    _write_texts(job, out, recordings)
    redactions = [
        {key: entity[key] for key in ("recording_id", "type", "start_s", "end_s")}
        | {"audio": job.sound, "text": job.text}
        for recording in recordings
        for entity in recording.entities
    ]
    left = Counter(entity["type"] for entity in found if entity["type"] not in types)
    tables.write(tables.from_rows(redactions, REDACTIONS), f"{out}/redactions")
    log = {
        "notice": NOTICE,
        "options": options,
        "recordings": len(recordings),
        "redacted": dict(sorted(Counter(redaction["type"] for redaction in redactions).items())),
        "types_left_in": dict(sorted(left.items())),
        "withheld": [{"recording_id": i, "reason": withheld[i]} for i in sorted(withheld, key=answers.id_order)],
        "redactions": redactions,
    }
    write_json(f"{out}/{LOG}", log)

    print(f"{len(redactions)} entities redacted in {len(recordings)} recordings, {len(withheld)} withheld: {out}")
    if left:
        print(f"Left in, as --types asks: {', '.join(f'{count} {type_}' for type_, count in sorted(left.items()))}.")
    print(NOTICE)


def _types(given: Sequence[str], entities: Iterable[Mapping[str, Any]]) -> set[str]:
    found = {entity["type"] for entity in entities}
    known = found | {type_ for group in load_groups() for type_ in group.types}
    known |= {pattern.type for pattern in load_patterns()}
    for type_ in given:
        if type_ not in known:
            raise UserError(f"--types {type_}: there is no such type; the types are {', '.join(sorted(known))}.")
    return set(given) or found


def _choose(
    run: Mapping[str, pa.Table], entities: Iterable[Mapping[str, Any]]
) -> tuple[list[Recording], dict[str, str]]:
    """Return the recordings that may be copied out, sorted, and why the others may not, by id."""
    recordings = {row["recording_id"]: row for row in run["recordings"].to_pylist()}
    transcripts = {row["recording_id"]: row for row in run["transcripts"].to_pylist()}
    failures = {row["recording_id"]: row for row in run["failures"].to_pylist()}
    of: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for entity in entities:
        of[entity["recording_id"]].append(entity)
    say_who = {type_ for group in load_groups() if group.name in ("names", "identifiers") for type_ in group.types}
    say_who |= {pattern.type for pattern in load_patterns()}
    chosen: list[Recording] = []
    withheld: dict[str, str] = {}
    for i in sorted({*recordings, *transcripts, *failures, *of}, key=answers.id_order):
        if i in failures:
            withheld[i] = f"failed in the run ({failures[i]['stage']}: {failures[i]['error']})"
        elif not answers.is_id(i):
            withheld[i] = "its id cannot be the name of a file"
        elif i not in transcripts:
            withheld[i] = "the run has no transcript of it"
        elif i not in recordings or not recordings[i]["path"] or recordings[i]["duration_s"] is None:
            withheld[i] = "the run does not know its audio"
        elif reason := next(filter(None, (_unknown(entity, transcripts[i]["text"]) for entity in of[i])), None):
            withheld[i] = reason
        else:
            words = [Word(**word) for word in transcripts[i]["words"]]
            transcript = Transcript(transcripts[i]["text"], words, transcripts[i]["recognizer"])
            try:
                own = [*of[i], *_again(of[i], transcript, say_who)]
            except ValueError:
                withheld[i] = "an entity occurs again, where no word has a time"
                continue
            chosen.append(Recording(i, recordings[i]["path"], recordings[i]["duration_s"], transcript, own))
    return chosen, withheld


def _again(
    entities: Iterable[Mapping[str, Any]], transcript: Transcript, say_who: Collection[str]
) -> list[dict[str, Any]]:
    """Return where names and numbers that were found occur again in the transcript.

    Raises:
        ValueError: No word stands there, so it has no time.
    """
    known = {(entity["char_start"], entity["char_end"]) for entity in entities}
    again = []
    for entity in entities:
        if entity["type"] not in say_who:
            continue
        for start, end in text.occurrences(transcript.text, entity["text"]):
            if (start, end) not in known:
                known.add((start, end))
                start_s, end_s = entity_times(transcript.words, start, end)
                times = {"start_s": start_s, "end_s": end_s}
                again.append(dict(entity) | {"char_start": start, "char_end": end} | times)
    return again


def _unknown(entity: Mapping[str, Any], transcript: str) -> str | None:
    """Say what keeps an entity from being redacted, if anything."""
    start, end = entity["start_s"], entity["end_s"]
    if start is None or end is None or not 0 <= start < end < math.inf:
        return f"an entity ({entity['type']}) has no time"
    start, end = entity["char_start"], entity["char_end"]
    if (
        start is None
        or end is None
        or not 0 <= start < end <= len(transcript)
        or transcript[start:end] != entity["text"]
    ):
        return f"an entity ({entity['type']}) has no place in the transcript"
    return None


def _copy(recordings: Sequence[Recording], folder: str, cover: Cover) -> dict[str, str]:
    """Copy recordings with their entities covered; return why some were not, by id."""
    fs, root = fsspec.url_to_fs(folder)
    fs.makedirs(root, exist_ok=True)

    def copy(recording: Recording) -> str | None:
        target = f"{folder}/{recording.name}"
        try:
            copy_covered(recording.path, target, recording.times, cover, recording.duration_s)
        except AudioError as error:
            return f"audio {error}"
        return None

    try:
        with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
            reasons = list(track(pool.map(copy, recordings), len(recordings), "recordings"))
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or type(error).__name__}.") from None
    return {each.recording_id: reason for each, reason in zip(recordings, reasons, strict=True) if reason}


def _write_texts(job: Redact, out: str, recordings: Sequence[Recording]) -> None:
    """Write the redacted transcripts, and what else was asked for, one recording after the other."""
    replace = text.placeholder
    if job.text == "surrogates":
        from pipeline.outputs.surrogates import Surrogates

        replace = Surrogates(secrets.randbits(64) if job.seed is None else job.seed).replace
    for folder, wanted in (("subtitles", job.vtt), ("textgrids", job.textgrid)):
        if wanted:
            fs, root = fsspec.url_to_fs(f"{out}/{folder}")
            fs.makedirs(root, exist_ok=True)
    lines = []
    for each in recordings:
        redacted, spans = text.redact(each.transcript, each.spans, replace)
        lines.append({"recording_id": each.recording_id, "text": redacted.text})
        if job.vtt:
            write_text(f"{out}/subtitles/{each.recording_id}.vtt", subtitles.webvtt(redacted, spans))
        if job.textgrid:
            grid = subtitles.textgrid(redacted, spans, each.duration_s)
            write_text(f"{out}/textgrids/{each.recording_id}.TextGrid", grid)
    columns = pa.schema([("recording_id", pa.string()), ("text", pa.string())])
    answers.write_task1(pa.Table.from_pylist(lines, schema=columns), f"{out}/{answers.TASK1}")


if __name__ == "__main__":
    run_job(main)
