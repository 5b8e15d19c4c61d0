"""The stages of the stream: each takes a batch as an Arrow table and returns it with the columns that it adds.

A row is a recording. One that fails in a stage gets a ``failure`` there and passes the later stages untouched, so that
every recording that came in goes out. A stage reads only the columns that it needs; the others are handed on as they
are. Nothing here knows Ray.
"""

import gc
import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import cpu, cuda, tables
from pipeline.errors import unwritten, without_text
from pipeline.run_parts import RESULT
from pipeline.settings import DecodingSettings, Pool, Settings, TaggerSettings
from pipeline.speech.audio import SAMPLE_RATE, Audio, decode
from pipeline.speech.batches import SECONDS_AT_ONCE
from pipeline.speech.reader import expected_s
from pipeline.speech.transcription import (
    is_for_parakeet,
    joined,
    load_parakeet,
    load_whisper,
    mean_confidence,
    transcribe,
    transcribe_english,
)
from pipeline.speech.voice import Segment, find_speech
from pipeline.speech.words import Transcriber, Transcript, Word, Writer
from pipeline.tagging.entities import Entity
from pipeline.tagging.entity_finder import EntityTagger, load_tagger
from pipeline.tagging.post_processing import PostProcessor
from pipeline.work import Report, unreported

_SEGMENT = pa.struct(
    list(
        tables.schema(
            "start: int64, end: int64, text: string?, words: words?, recognizer: string?, confidence: float64?, "
            "note: string?",
            words=pa.list_(tables.WORD),
        )
    )
)
SCHEMA = RESULT.append(pa.field("samples", pa.large_list(pa.float32()))).append(
    pa.field("segments", pa.list_(_SEGMENT))
)
"""All columns of the stream: those of a finished recording, and on the way its sound and what is said in it, in samples
from ``start`` to ``end``: stretches of speech at first, then segments with their transcripts."""

Made = TypeVar("Made")
Asr = TypeVar("Asr", bound=Transcriber)

LoadWriter = Callable[[Settings], Writer]
LoadAsr = Callable[[Settings], Transcriber]
LoadTagger = Callable[[str, str, TaggerSettings], EntityTagger]


@dataclass(frozen=True)
class Loaders:
    """How a stage loads its model. Another ASR model or tagger takes part by its loader."""

    whisper: LoadWriter = load_whisper
    parakeet: LoadAsr = load_parakeet
    tagger: LoadTagger = load_tagger


class Clock:
    """Seconds that a worker took to load its model and then for each batch, shared out over the batch's rows.

    Args:
        stage: Name of the worker's stage.
        report: Is told of what the worker does.
    """

    def __init__(self, stage: str, report: Report = unreported):
        self.stage = stage
        self.worker = uuid.uuid4().hex
        self.load_s = 0.0
        self._report = report

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Time the body, which loads the model."""
        start = time.perf_counter()
        self._report(self.stage, "loading")
        with _kept():
            yield
        self.load_s = time.perf_counter() - start
        self._report(self.stage, "loaded", seconds=self.load_s)

    def begun(self, batch: pa.Table) -> None:
        """Note that a batch is begun; what holds no model is too quick for that."""
        if self.load_s:
            self._report(self.stage, "begun", len(batch))

    def finished(self, batch: pa.Table, seconds: float) -> None:
        """Note that a batch is finished."""
        has_durations = "duration_s" in batch.column_names
        audio_s = pc.sum(batch["duration_s"]).as_py() or 0.0 if has_durations else 0.0
        self._report(self.stage, "finished", len(batch), audio_s, seconds)


def take_up(batch: pa.Table) -> pa.Table:
    """Begin with transcripts that are there already.

    Args:
        batch: Rows of ``given_transcripts.SCHEMA``.
    """
    return _with(_with(batch, "failure", [None] * len(batch)), "timings", [[]] * len(batch))


def read(batch: pa.Table, settings: DecodingSettings, report: Report = unreported) -> Iterator[pa.Table]:
    """Decode files to mono 16 kHz samples, and find where somebody speaks.

    Args:
        batch: ``recording_id`` and ``path``.
        settings: The limits on duration, and what counts as speech.
        report: Is told of what is read.

    Yields:
        Its rows in order, of long recordings a few at a time: what is waiting goes on before the next file is decoded
        whose header says that it is too long to travel with it.
    """
    clock = Clock("decode", report)
    waiting: list[pa.Table] = []
    seconds, start = 0.0, time.perf_counter()

    def hand_on() -> pa.Table:
        nonlocal seconds, start
        some = pa.concat_tables(waiting)
        clock.finished(some, time.perf_counter() - start)
        waiting.clear()
        seconds, start = 0.0, time.perf_counter()
        return some

    for row in range(len(batch)):
        one = batch.slice(row, 1)
        if waiting and seconds + expected_s(one["path"][0].as_py()) > SECONDS_AT_ONCE:
            yield hand_on()
        one = _read(one, settings)
        length_s = one["duration_s"][0].as_py() or 0.0
        if waiting and seconds + length_s > SECONDS_AT_ONCE:  # its header said less, or nothing
            yield hand_on()
        waiting.append(one)
        seconds += length_s
    if waiting:
        yield hand_on()


def _read(one: pa.Table, settings: DecodingSettings) -> pa.Table:
    """Read a single recording."""
    path = one["path"][0].as_py()

    def work(rows: Sequence[int]) -> list[tuple[Audio, list[Segment]]]:
        sound = decode(path, settings)
        return [(sound, find_speech(sound.samples, settings))]

    one, heard = _attempt(take_up(one), [0], work, Clock("decode"))
    audio, segments = heard.get(0, (None, None))
    for name in ("duration_s", "sample_rate", "channels", "note"):
        one = _with(one, name, [getattr(audio, name, None)])
    if audio is None:
        one = _with(one, "samples", [None])
    else:  # Arrow takes the memory of an array as it is, where it would copy a list of arrays
        samples = pa.LargeListArray.from_arrays([0, len(audio.samples)], pa.array(audio.samples))
        one = one.append_column(SCHEMA.field("samples"), samples)
    return _with_segments(one, {} if segments is None else {0: segments}, {})


class _AsrStage(Generic[Asr]):
    """A stage with an ASR model, which loads once."""

    def __init__(self, load: Callable[[Settings], Asr], settings: Settings, pool: Pool, clock: Clock):
        self._clock = clock
        with clock.loading():
            self._model = load(settings)
            cpu.use_threads(pool)
            # A library that is missing is found now, and not by every recording.
            self._model.transcribe([np.random.default_rng(0).normal(0, 0.01, SAMPLE_RATE).astype(np.float32)])


class Transcribe(_AsrStage[Writer]):
    """Whisper makes segments of what is spoken, tells their language, and transcribes those that are its own.

    The sound is handed on only where another model needs it.
    """

    def __init__(self, load: LoadWriter, settings: Settings, is_last: bool, report: Report = unreported):
        super().__init__(load, settings, settings.whisper.pool, Clock("whisper", report))
        self._is_last = is_last

    def __call__(self, batch: pa.Table) -> pa.Table:
        samples, speech = _samples(batch), _segments(batch)

        def work(rows: Sequence[int]) -> list[tuple[list[Segment], list[Transcript]]]:
            made = transcribe(self._model, [samples[row] for row in rows], [speech[row] for row in rows])
            return list(zip(*made, strict=True))

        batch, made = _attempt(batch, samples, work, self._clock)
        segments = {row: some for row, (some, _) in made.items()}
        parts = {row: some for row, (_, some) in made.items()}
        batch = _with(batch, "confidence", [mean_confidence(parts.get(row, ())) for row in range(len(batch))])
        return _with_joined(batch, segments, parts) if self._is_last else _with_segments(batch, segments, parts)


class TranscribeEnglish(_AsrStage[Transcriber]):
    """Parakeet transcribes the English segments; the sound is not handed on."""

    def __init__(self, load: LoadAsr, settings: Settings, report: Report = unreported):
        super().__init__(load, settings, settings.parakeet.pool, Clock("parakeet", report))

    def __call__(self, batch: pa.Table) -> pa.Table:
        samples, segments, parts = _samples(batch), _segments(batch), _parts(batch)

        def work(rows: Sequence[int]) -> list[list[Transcript]]:
            some = [segments[row] for row in rows]
            return transcribe_english(self._model, [samples[row] for row in rows], some, [parts[row] for row in rows])

        english = [row for row, written in parts.items() if is_for_parakeet(written)]
        batch, made = _attempt(batch, english, work, self._clock)
        return _with_joined(batch, segments, parts | made)


class Tag:
    """One base model with its adapters tags every transcript."""

    def __init__(
        self, load: LoadTagger, base_model: str, adapters: str, settings: TaggerSettings, report: Report = unreported
    ):
        self._clock = Clock("tagger", report)
        with self._clock.loading():
            self._tagger = load(base_model, adapters, settings)
            cpu.use_threads(settings.pool)

    def __call__(self, batch: pa.Table) -> pa.Table:
        texts = batch["text"].to_pylist()
        with_text = [row for row, text in enumerate(texts) if text]
        batch, tagged = _attempt(
            batch, with_text, lambda rows: self._tagger.tag([texts[row] for row in rows]), self._clock
        )
        return _with_entities(batch, tagged)


def post_process(
    batch: pa.Table, processor: PostProcessor, are_timed: bool = True, report: Report = unreported
) -> pa.Table:
    """Add what patterns find, decide which entities are kept, and give each the times of its words.

    Args:
        batch: Tagged recordings.
        processor: See ``PostProcessor``.
        are_timed: Whether a text without timed words is an error.
        report: Is told of what is finished.
    """
    transcripts, tagged = _transcripts(batch), batch["entities"].to_pylist()

    def work(rows: Sequence[int]) -> list[list[Entity]]:
        if are_timed and not all(transcripts[row].words for row in rows):
            raise ValueError("a text without timed words")
        return [processor(transcripts[row], [Entity.from_row(entity) for entity in tagged[row]]) for row in rows]

    with_text = [row for row, transcript in transcripts.items() if transcript.text]
    batch, finished = _attempt(batch, with_text, work, Clock("rules", report))
    return _with_entities(batch, finished)


def write(batch: pa.Table, parts: str) -> pa.Table:
    """Write finished recordings as one Parquet file and hand on what the driver counts, without text."""
    ids = batch["recording_id"].to_pylist()
    name = "part-" + hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]
    error = None
    try:
        tables.write(tables.fit(batch, RESULT), parts, name)
    except OSError as unwritable:
        error = unwritten(unwritable)
    kept = [sum(entity["kept"] for entity in entities) for entities in batch["entities"].to_pylist()]
    failures = [failure or {} for failure in batch["failure"].to_pylist()]
    handed_on = batch.select(["recording_id", "duration_s", "timings"])
    for column, values in (
        ("unwritten", pa.array([error] * len(batch), pa.string())),
        ("failed_stage", pa.array([failure.get("stage") for failure in failures], pa.string())),
        ("failure", pa.array([failure.get("error") for failure in failures], pa.string())),
        ("entities", pa.array(kept, pa.int64())),
    ):
        handed_on = handed_on.append_column(column, values)
    return handed_on


def _attempt(
    batch: pa.Table, rows: Iterable[int], work: Callable[[Sequence[int]], Sequence[Made]], clock: Clock
) -> tuple[pa.Table, dict[int, Made]]:
    """Do a stage's work on rows together; where that fails, on each alone, so that only the bad ones fail.

    Where an error has broken the GPU for this process, the process ends instead, and its recordings go to another.

    Returns:
        The batch with what was noted in ``failure`` and ``timings``, and what was made of each row.
    """
    failures, timings = batch["failure"].to_pylist(), batch["timings"].to_pylist()
    rows = [row for row in rows if failures[row] is None]
    clock.begun(batch)
    start = time.perf_counter()
    made: dict[int, Made] = {}
    together = True
    try:
        if rows:
            made = dict(zip(rows, work(rows), strict=True))
    except Exception as error:
        _survive(error, clock)
        together = False  # the next try is not made here, where the error still holds the batch's memory
    for row in [] if together else rows:
        try:
            (made[row],) = work([row])
        except Exception as error:
            _survive(error, clock)
            failures[row] = {"stage": clock.stage, "error": without_text(error)}
    seconds = time.perf_counter() - start
    clock.finished(batch, seconds)
    noted = {
        "stage": clock.stage,
        "worker": clock.worker,
        "load_s": clock.load_s,
        "seconds": seconds / max(len(rows), 1),
    }
    for row in rows:
        timings[row].append(noted)
    return _with(_with(batch, "failure", failures), "timings", timings), made


@contextmanager
def _kept() -> Iterator[None]:
    """Load what stays: without garbage collections on the way, and the collector passes over all that there is then.

    A model's libraries are a million objects. Looking through them while they come takes a quarter of the time of
    loading. Beside them, Python would later look through all of them too seldom, and batches in circles of references,
    each with its sound in Ray's store, would pile up until then.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
    gc.collect()
    gc.freeze()
    gc.collect()


def _survive(error: Exception, clock: Clock) -> None:
    """End the process where it holds a model and its GPU is broken."""
    if clock.load_s and cuda.is_broken(error):
        cuda.end_process(error)


def _with(batch: pa.Table, name: str, values: Sequence[Any]) -> pa.Table:
    """Add a column of the schema, or replace it."""
    field, column = SCHEMA.field(name), pa.array(values, SCHEMA.field(name).type)
    place = batch.schema.get_field_index(name)
    return batch.append_column(field, column) if place < 0 else batch.set_column(place, field, column)


def _with_segments(
    batch: pa.Table, segments: Mapping[int, Sequence[Segment]], parts: Mapping[int, Sequence[Transcript]]
) -> pa.Table:
    """Add the segments of rows, with what is written of them where that is known."""

    def of(row: int) -> list[dict[str, Any]] | None:
        if row not in segments:
            return None
        written = [{**vars(part), "words": [word.to_row() for word in part.words]} for part in parts.get(row, ())] or [
            {}
        ] * len(segments[row])
        return [segment._asdict() | part for segment, part in zip(segments[row], written, strict=True)]

    return _with(batch, "segments", [of(row) for row in range(len(batch))])


def _with_joined(
    batch: pa.Table, segments: Mapping[int, Sequence[Segment]], parts: Mapping[int, Sequence[Transcript]]
) -> pa.Table:
    """Add the transcripts of rows in which nothing failed, in the place of their segments and of the sound."""
    failures, notes = batch["failure"].to_pylist(), batch["note"].to_pylist()
    finished = {row: joined(segments[row], some) for row, some in parts.items() if failures[row] is None}
    rows = [finished[row].to_row() if row in finished else {} for row in range(len(batch))]
    for name in ("language", "text", "words", "recognizer"):
        batch = _with(batch, name, [row.get(name) for row in rows])
    for row, transcript in finished.items():
        notes[row] = "; ".join(filter(None, (notes[row], transcript.note))) or None
    return _with(batch, "note", notes).drop_columns(["samples", "segments"])


def _with_entities(batch: pa.Table, entities: Mapping[int, Sequence[Entity]]) -> pa.Table:
    return _with(batch, "entities", [[e.to_row() for e in entities.get(row, ())] for row in range(len(batch))])


def _samples(batch: pa.Table) -> dict[int, np.ndarray]:
    """Return the sound of each row that has one, without a copy."""
    column = batch["samples"]
    return {row: np.asarray(sound.values) for row, sound in enumerate(column) if sound.is_valid}


def _segments(batch: pa.Table) -> dict[int, list[Segment]]:
    """Return the segments of each row that was decoded."""
    return {
        row: list(map(Segment, some.values.field("start").to_pylist(), some.values.field("end").to_pylist()))
        for row, some in enumerate(batch["segments"])
        if some.is_valid
    }


def _parts(batch: pa.Table) -> dict[int, list[Transcript]]:
    """Return what is written of the segments of each row in which nothing failed."""
    columns = zip(batch["segments"].to_pylist(), batch["failure"].to_pylist(), strict=True)
    return {
        row: [
            Transcript(
                each["text"],
                [Word.from_row(word) for word in each["words"]],
                each["recognizer"],
                each["confidence"],
                each["note"],
            )
            for each in segments
        ]
        for row, (segments, failure) in enumerate(columns)
        if segments is not None and failure is None
    }


def _transcripts(batch: pa.Table) -> dict[int, Transcript]:
    """Return the transcript of each row that has one."""
    rows = batch.select(["text", "words", "recognizer"]).to_pylist()
    return {place: Transcript.from_row(row) for place, row in enumerate(rows) if row["text"] is not None}
