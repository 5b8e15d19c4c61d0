"""The whole stream as Ray Data stages.

    paths -> decode -> Whisper -> Parakeet for English -> six adapters -> patterns, rules and times -> Parquet

A row is a recording. It carries what the stages found out so far, or the failure that ended its way; a failed row
passes the later stages untouched, so that every recording that came in goes out. Models load once in each actor.
"""

import hashlib
import math
import re
import socket
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset
from ray.exceptions import ActorDiedError

from pipeline import tables
from pipeline.errors import UserError
from pipeline.run_folder import RESULT
from pipeline.settings import Decoding, Parakeet, Pool, Settings, Tagger, Whisper
from pipeline.speech.audio import SAMPLE_RATE, AudioError, decode, is_silent, write_wav
from pipeline.speech.language import language_of
from pipeline.speech.words import Recognizer, Transcript, Word
from pipeline.tagging.entities import Entity
from pipeline.tagging.patterns import Pattern, find, load_patterns
from pipeline.tagging.rules import Rule, load_rules
from pipeline.tagging.settling import settle
from pipeline.tagging.times import entity_times

STREAM = RESULT.append(pa.field("samples", pa.large_list(pa.float32())))

Row = dict[str, Any]


COPY = pa.schema(
    [
        *(tables.RECORDINGS.field(n) for n in ("recording_id", "path", "duration_s", "sample_rate", "channels")),
        pa.field("error", pa.string()),
        pa.field("unwritten", pa.string()),
    ]
)

_FILES_IN_A_TASK = 16
_REFILLS = 4  # transcripts that wait in the tagger for each place in its batch, so that no place stays empty
_DIED = "ProcessDied: twice, the second time on this recording alone"


def load_whisper(model: str, settings: Whisper) -> Recognizer:
    """Load the Whisper model of the settings' back end."""
    from pipeline.speech import whisper

    return whisper.load_whisper(model, settings, _device(settings.pool))


def load_parakeet(model: str, settings: Parakeet) -> Recognizer:
    """Load the Parakeet model."""
    from pipeline.speech import parakeet

    return parakeet.Parakeet(model, settings, _device(settings.pool))


def load_tagger(base_model: str, adapters: str, settings: Tagger) -> Any:
    """Load the base model with its adapters."""
    from pipeline.tagging import tagger

    return tagger.Tagger(base_model, adapters, settings, _device(settings.pool))


@dataclass(frozen=True)
class Loaders:
    """How an actor loads its model. Another recogniser or tagger takes part by its loader."""

    whisper: Callable[[str, Whisper], Recognizer] = load_whisper
    parakeet: Callable[[str, Parakeet], Recognizer] = load_parakeet
    tagger: Callable[[str, str, Tagger], Any] = load_tagger


def stream(
    blocks: Sequence[pa.Table], parts: str, settings: Settings, loaders: Loaders, one_by_one: bool = False
) -> Dataset:
    """Lay out the stream; it runs while its output is read.

    Args:
        blocks: Tables of recording_id and path; a block is decoded by one task.
        parts: Folder for the finished recordings, a path or URI that every node can write.
        settings: All knobs; models as absolute paths.
        loaders: How actors load their models.
        one_by_one: Give actors a single recording at a time, whatever their batch size.

    Returns:
        A dataset of the finished recordings, without their text.
    """
    models, whisper, parakeet, tagger = settings.models, settings.whisper, settings.parakeet, settings.tagger
    finishing = (load_patterns(tagger.patterns), load_rules(tagger.rules), tagger.thresholds)
    return (
        ray.data.from_arrow(list(blocks))
        .map_batches(decode_batch, fn_args=(settings.decoding,), batch_size=None, **_TASK)  # type: ignore[arg-type]
        .map_batches(
            Recognize,
            fn_constructor_args=(loaders.whisper, models.whisper, whisper),
            **_actors(whisper.pool, 1 if one_by_one else whisper.batch_size),
        )
        .map_batches(
            RecognizeEnglish,
            fn_constructor_args=(loaders.parakeet, models.parakeet, parakeet),
            **_actors(parakeet.pool, 1 if one_by_one else parakeet.batch_size),
        )
        .map_batches(
            Tag,
            fn_constructor_args=(loaders.tagger, models.base_model, models.adapters, tagger),
            **_actors(tagger.pool, 1 if one_by_one else _REFILLS * tagger.batch_size),
        )
        .map_batches(finish, fn_args=finishing, batch_size=None, **_TASK)  # type: ignore[arg-type]
        .map_batches(write_part, fn_args=(parts,), batch_size=None, **_TASK)  # type: ignore[arg-type]
    )


def run(recordings: Mapping[str, str], parts: str, settings: Settings, loaders: Loaders | None = None) -> Iterator[Row]:
    """Send recordings through the stream.

    A recording that kills the process it is in takes its batch with it. The ones that did not come out are sent
    again, each alone, and what kills its process then too has failed.

    Args:
        recordings: Paths or URIs by recording id.
        parts: Folder for the finished recordings.
        settings: All knobs; models as absolute paths.
        loaders: How actors load their models.

    Yields:
        For each recording as it is finished: recording_id, duration_s, failed, entities (a count) and timings.

    Raises:
        UserError: The cluster lacks the GPUs or CPUs that the settings ask for, a model cannot be loaded, or the
            parts cannot be written.
    """
    check_resources(settings)
    loaders = loaders or Loaders()
    _quiet()
    left = dict(recordings)
    for one_by_one in (False, True):
        if not left:
            return
        blocks = _blocks(left, 1 if one_by_one else settings.whisper.batch_size)
        dataset = stream(blocks, parts, settings, loaders, one_by_one)
        try:
            yield from _finished(dataset, left)
        except ActorDiedError as error:
            raise _load_error(error) from None

    lost = [_new_row(i, path) for i, path in left.items()]
    for row in lost:
        row["failure"] = {"stage": "stream", "error": _DIED}
    if lost:
        yield from write_part(_table(lost), parts).to_pylist()


def convert(recordings: Mapping[str, str], folder: str, settings: Decoding) -> Iterator[Row]:
    """Make mono copies at 16 kHz for training; a file that already fits stays where it is.

    Args:
        recordings: Paths or URIs by recording id.
        folder: Folder for the copies, which exists.
        settings: The limits on duration.

    Yields:
        For each recording as it is finished: recording_id, path, duration_s, sample_rate, channels, or the error.

    Raises:
        UserError: The copies cannot be written.
    """
    _quiet()
    left = dict(recordings)
    for files_in_a_task in (_FILES_IN_A_TASK, 1):
        if not left:
            return
        copies = ray.data.from_arrow(_blocks(left, files_in_a_task)).map_batches(
            copy_batch,  # type: ignore[arg-type]
            fn_args=(folder, settings),
            batch_size=None,
            **_TASK,
        )
        yield from _finished(copies, left)
    for recording_id in left:
        yield dict.fromkeys(COPY.names) | {"recording_id": recording_id, "error": _DIED}


def copy_batch(batch: pa.Table, folder: str, settings: Decoding) -> pa.Table:
    """Decode files, and write a copy of each that is not a mono WAV or FLAC file of 16 kHz."""
    rows = []
    for row in batch.to_pylist():
        rows.append(dict.fromkeys(COPY.names) | row)
        try:
            audio = decode(row["path"], settings)
        except Exception as error:
            rows[-1]["error"] = _without_text(error)
            continue
        rows[-1] |= {"duration_s": audio.duration_s, "sample_rate": SAMPLE_RATE, "channels": 1}
        suffix = row["path"].rpartition(".")[2].lower()
        local = "://" not in row["path"]
        if local and suffix in ("wav", "flac") and (audio.sample_rate, audio.channels) == (SAMPLE_RATE, 1):
            continue
        rows[-1]["path"] = f"{folder}/{row['recording_id']}.wav"
        try:
            write_wav(rows[-1]["path"], audio.samples)
        except OSError as error:
            rows[-1]["unwritten"] = _unwritten(error)
    return pa.Table.from_pylist(rows, schema=COPY)


def check_resources(settings: Settings) -> None:
    """Refuse a cluster on which the stream would wait for ever.

    Raises:
        UserError: The cluster lacks the GPUs or CPUs that the settings ask for.
    """
    have = ray.cluster_resources()
    pools = [settings.whisper.pool, settings.parakeet.pool, settings.tagger.pool]
    on_gpu = [pool for pool in pools if pool.num_gpus]
    share = max((pool.num_gpus for pool in on_gpu), default=1.0)
    # Counted as if all took the largest share: unequal ones can be packed so that the last actor finds no card.
    gpus = sum(actors(pool) for pool in on_gpu) / (math.floor(1 / share + 1e-9) or 1 / share)
    cpus = sum(actors(pool) * pool.num_cpus for pool in pools) + 1
    if gpus > have.get("GPU", 0):
        raise UserError(
            f"The models ask for {gpus:g} GPUs and Ray has {have.get('GPU', 0):g}: take fewer "
            "actors or smaller shares (--whisper.pool.actors, --whisper.pool.num-gpus, and the same of parakeet and "
            "tagger), or --profile demo."
        )
    if cpus > have.get("CPU", 0):
        raise UserError(
            f"The models and one decoding task ask for {cpus:g} CPUs and Ray has {have.get('CPU', 0):g}: "
            "take fewer actors or a smaller --whisper.pool.num-cpus (and the same of parakeet and tagger)."
        )


def decode_batch(batch: pa.Table, settings: Decoding) -> pa.Table:
    """Decode files to mono 16 kHz samples; silent ones get their empty transcript here."""
    rows = [_new_row(row["recording_id"], row["path"]) for row in batch.to_pylist()]

    def work(some: list[Row]) -> None:
        for row in some:
            audio = decode(row["path"], settings)
            row.update(duration_s=audio.duration_s, sample_rate=audio.sample_rate, channels=audio.channels)
            if is_silent(audio.samples, settings.silence_dbfs):
                _set_transcript(row, Transcript("", [], "silence"))
            else:
                row["samples"] = audio.samples

    _attempt("decode", rows, work, Clock())
    return _table(rows)


class Recognize:
    """Actor: Whisper hears every recording that is not silent and thereby tells its language."""

    stage = "whisper"

    def __init__(self, load: Callable[[str, Any], Recognizer], model: str, settings: Whisper | Parakeet):
        self.clock = Clock()
        self.recognizer = load(model, settings)
        _warm_up(self.recognizer)
        self.clock.loaded()

    def __call__(self, batch: pa.Table) -> pa.Table:
        rows = _rows(batch)
        _attempt(self.stage, [row for row in rows if self.wants(row)], self.hear, self.clock)
        return _table(rows)

    def wants(self, row: Row) -> bool:
        """Say whether a recording is heard here."""
        return row["samples"] is not None

    def hear(self, rows: list[Row]) -> None:
        """Transcribe; an empty transcript takes the place of none, but not of an earlier one."""
        for row, heard in zip(rows, self.recognizer.transcribe([row["samples"] for row in rows]), strict=True):
            if heard.confidence is not None:
                row["confidence"] = heard.confidence
            if heard.text or row["text"] is None:
                _set_transcript(row, heard)


class RecognizeEnglish(Recognize):
    """Actor: Parakeet hears English recordings again; where it hears nothing, Whisper's transcript stays."""

    stage = "parakeet"

    def __call__(self, batch: pa.Table) -> pa.Table:
        heard = super().__call__(batch)
        column = heard.schema.get_field_index("samples")
        return heard.set_column(column, STREAM.field("samples"), pa.nulls(len(heard), STREAM.field("samples").type))

    def wants(self, row: Row) -> bool:
        """Say whether a recording is heard here."""
        return super().wants(row) and row["language"] == "en"


class Tag:
    """Actor: one base model with its adapters tags every transcript."""

    def __init__(self, load: Callable[[str, str, Tagger], Any], base_model: str, adapters: str, settings: Tagger):
        self.clock = Clock()
        self.tagger = load(base_model, adapters, settings)
        self.clock.loaded()

    def __call__(self, batch: pa.Table) -> pa.Table:
        rows = _rows(batch)

        def work(some: list[Row]) -> None:
            for row, entities in zip(some, self.tagger.tag([row["text"] for row in some]), strict=True):
                row["entities"] = [asdict(entity) for entity in entities]

        _attempt("tagger", [row for row in rows if row["text"]], work, self.clock)
        return _table(rows)


def finish(
    batch: pa.Table, patterns: Sequence[Pattern], rules: Sequence[Rule], thresholds: Mapping[str, float]
) -> pa.Table:
    """Add what patterns find, settle which entities stay, and give each the times of its words."""
    rows = _rows(batch)

    def work(some: list[Row]) -> None:
        for row in some:
            words = [Word(**word) for word in row["words"]]
            tagged = [
                Entity(**{key: row_entity[key] for key in Entity.__dataclass_fields__})
                for row_entity in row["entities"]
            ]
            found = [*tagged, *find(patterns, row["text"], row["language"])]
            settled = settle(found, row["language"], rules, thresholds)
            times = [entity_times(words, entity.char_start, entity.char_end) for entity in settled]
            row["entities"] = [
                asdict(entity) | {"start_s": start_s, "end_s": end_s}
                for entity, (start_s, end_s) in zip(settled, times, strict=True)
            ]

    _attempt("rules", [row for row in rows if row["text"]], work, Clock())
    return _table(rows)


def write_part(batch: pa.Table, parts: str) -> pa.Table:
    """Write finished recordings as one Parquet file and hand on what the driver counts, without text."""
    rows = _rows(batch)
    ids = [row["recording_id"] for row in rows]
    name = "part-" + hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]
    unwritten = None
    try:
        tables.write(tables.from_rows(rows, RESULT), parts, name)
    except OSError as error:
        unwritten = _unwritten(error)
    return pa.table(
        {
            "recording_id": ids,
            "unwritten": pa.array([unwritten] * len(rows), pa.string()),
            "duration_s": pa.array([row["duration_s"] for row in rows], pa.float64()),
            "failed": [row["failure"] is not None for row in rows],
            "entities": [sum(entity["kept"] for entity in row["entities"]) for row in rows],
            "timings": pa.array([row["timings"] for row in rows], RESULT.field("timings").type),
        }
    )


class Clock:
    """Seconds that a worker took to load its model and then for each batch, shared out over the batch's rows."""

    def __init__(self) -> None:
        self.worker = uuid.uuid4().hex
        self.start = time.perf_counter()
        self.load_s = 0.0

    def loaded(self) -> None:
        """Note that the model is loaded."""
        self.load_s = time.perf_counter() - self.start


def _attempt(stage: str, rows: list[Row], work: Callable[[list[Row]], None], clock: Clock) -> None:
    """Do a stage's work on the rows together; where that fails, on each alone, so that only the bad ones fail."""
    rows = [row for row in rows if row["failure"] is None]
    start = time.perf_counter()
    together = True
    try:
        if rows:
            work(rows)
    except Exception:
        together = False  # the next try is not made here, where the error still holds the batch's memory
    for row in [] if together else rows:
        try:
            work([row])
        except Exception as error:
            row["failure"] = {"stage": stage, "error": _without_text(error)}
    seconds = (time.perf_counter() - start) / max(len(rows), 1)
    for row in rows:
        row["timings"].append({"stage": stage, "worker": clock.worker, "load_s": clock.load_s, "seconds": seconds})


def _finished(dataset: Dataset, left: dict[str, str]) -> Iterator[Row]:
    """Run a dataset and yield its rows, each recording's first; what is left then did not come out."""
    for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
        for row in cast(pa.Table, batch).to_pylist():
            if row["unwritten"]:
                raise UserError(f"The out folder cannot be written: {row['unwritten']}.")
            if left.pop(row["recording_id"], None) is not None:
                yield row


def _unwritten(error: OSError) -> str:
    return f"{error.strerror or type(error).__name__} on node {socket.gethostname()}"


def _quiet() -> None:
    """Let the driver report progress, and a lost block be found by the recordings that are missing."""
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = -1


def _warm_up(recognizer: Recognizer) -> None:
    """Hear a second of noise, so that a library which is missing is found now and not by every recording."""
    recognizer.transcribe([np.random.default_rng(0).normal(0, 0.01, SAMPLE_RATE).astype(np.float32)])


def _without_text(error: Exception) -> str:
    """A failure's message: a library's own may quote a transcript, so it is replaced by the place of the error."""
    if isinstance(error, AudioError):
        return f"AudioError: {error}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"


def _load_error(error: ActorDiedError) -> UserError:
    """Turn an actor's death in its constructor into a sentence: its traceback ends with the cause."""
    causes = re.findall(r"^(?:\w+\.)*(\w*(?:Error|Exception)): (.*)$", str(error), re.MULTILINE)
    if not causes:
        return UserError("A process died while it loaded its model, perhaps for want of memory.")
    name, message = causes[-1]
    return UserError(message if name == UserError.__name__ else f"A model could not be loaded: {name}: {message}")


def _set_transcript(row: Row, transcript: Transcript) -> None:
    row["language"] = language_of(transcript.text)
    row["text"] = transcript.text
    row["words"] = [asdict(word) for word in transcript.words]
    row["recognizer"] = transcript.recognizer


def _new_row(recording_id: str, path: str) -> Row:
    row: Row = dict.fromkeys(STREAM.names)
    return row | {"recording_id": recording_id, "path": path, "words": [], "entities": [], "timings": []}


def _blocks(recordings: Mapping[str, str], rows: int) -> list[pa.Table]:
    """Make tables of recording_id and path of at most so many rows."""
    table = pa.table({"recording_id": list(recordings), "path": list(recordings.values())})
    return [table.slice(start, rows) for start in range(0, len(table), rows)]


def _device(pool: Pool) -> str:
    return "cuda" if pool.num_gpus else "cpu"


def _rows(batch: pa.Table) -> list[Row]:
    rows = batch.drop_columns(["samples"]).to_pylist()
    for row, samples in zip(rows, batch["samples"], strict=True):
        row["samples"] = np.asarray(samples.values) if samples.is_valid else None
    return rows


def _table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=STREAM)


def actors(pool: Pool) -> int:
    """How many actors a pool has on this cluster: as many as set, else one for each GPU, else one."""
    gpus = int(ray.cluster_resources().get("GPU", 0))
    return pool.actors or (max(gpus, 1) if pool.num_gpus else 1)


def _actors(pool: Pool, batch_size: int) -> dict[str, Any]:
    """Options of a pool of actors; Ray replaces a dead actor and, here, gives its task one more try."""
    # One recording at a time means one task at a time too, or a dying actor takes the next recording with it.
    return {
        "compute": ActorPoolStrategy(size=actors(pool), max_tasks_in_flight_per_actor=1 if batch_size == 1 else None),
        "batch_size": batch_size,
        "batch_format": "pyarrow",
        "num_cpus": pool.num_cpus,
        "num_gpus": pool.num_gpus,
        "max_task_retries": 1,
    }


# Ray Data would start a task whose process dies again and again for ever.
_TASK: dict[str, Any] = {"batch_format": "pyarrow", "num_cpus": 0.5, "max_retries": 1}
