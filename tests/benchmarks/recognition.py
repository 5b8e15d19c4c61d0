"""How fast recordings become transcripts, four ways over the same recordings in one run.

    python -m tests.benchmarks.recognition --whisper FOLDER                real speech of ../shared/speech
    python -m tests.benchmarks.recognition --audio FOLDER --whisper FOLDER recordings of one's own, without error rates

(a) reference: one file at a time; Whisper writes Mandarin, then Parakeet writes again what has no ideograph in it.
(b) bare: a loop over faster-whisper's own batched pipeline, which hears the language and writes everything.
(c) transcription: ``pipeline.Transcription``, without Ray: the language is heard, English is Parakeet's.
(d) stream: the same as Ray Data stages, without a tagger, over more recordings; beside (c) over the same.

The recordings are as English as ``--english`` says, and repeat where more are asked for than there are.
"""

import csv
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import opencc
import psutil
import tyro
from rich.console import Console
from rich.table import Table
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from pipeline import cpu, tables
from pipeline.demo import model_paths
from pipeline.files import write_json
from pipeline.run_parts import RESULT
from pipeline.scoring import transcripts as scoring
from pipeline.settings import NONE, PROFILES, DecodingSettings, Models, Settings
from pipeline.speech.audio import SAMPLE_RATE, decode
from pipeline.speech.language import language_of

SPEECH = Path(__file__).parents[3] / "shared" / "speech"
_SAMPLED_S = 0.05


@dataclass(frozen=True)
class Options:
    """What to measure."""

    whisper: str
    """Whisper in CTranslate2's format."""

    parakeet: str = model_paths()["parakeet"]
    """Parakeet for English; the demo's by default, whose speed is real and whose words on real speech are not. `none`:
    Whisper writes English too, and (a) stays with its own text."""

    audio: Path | None = None
    """Folder of recordings; without it, the clips of ../shared/speech."""

    english: float = 0.85
    """Share of English recordings, of the clips."""

    recordings: int = 54
    """Number of recordings for (a), (b) and (c)."""

    stream: int = 500
    """Number of recordings for (d), and for (c) beside it; 0: neither."""

    beams: int = 5
    """Number of beams, of all ways."""

    num_gpus: float = 0.0
    """Share of a GPU for each model."""

    ways: tuple[str, ...] = ("reference", "bare", "transcription", "stream")
    """The ways to measure."""

    json: Path | None = None
    """File for the figures."""


@dataclass(frozen=True)
class Recording:
    """A recording: its file, its samples (float32, 16 kHz), and what is said, or None."""

    path: str
    samples: np.ndarray
    reference: str | None


@dataclass
class Measured:
    """What one way took and wrote: seconds, the most bytes in memory beside what was there, and the texts."""

    seconds: float = 0.0
    peak: int = 0
    texts: list[str] = field(default_factory=list)


def read_recordings(options: Options) -> list[Recording]:
    """Read the recordings, as English as is asked, those of each language spread over all."""
    accepted = DecodingSettings()
    if options.audio:
        files = [file for file in sorted(options.audio.rglob("*")) if file.is_file()]
        return [Recording(str(file), decode(str(file), accepted).samples, None) for file in files]
    rows = list(csv.DictReader((SPEECH / "clips.tsv").open(encoding="utf-8"), delimiter="\t"))
    english, other = ([row for row in rows if (row["lang"] == "en") == is_english] for is_english in (True, False))
    count = round(options.recordings * options.english)
    chosen = [*spread(english, count), *spread(other, options.recordings - count)]
    return [
        Recording(str(SPEECH / row["path"]), decode(str(SPEECH / row["path"]), accepted).samples, row["reference"])
        for row in chosen
    ]


def spread(rows: Sequence[Any], count: int) -> list[Any]:
    """Take so many rows, spread over all; they repeat where there are fewer."""
    return [
        rows[number * len(rows) // count] if count <= len(rows) else rows[number % len(rows)] for number in range(count)
    ]


@contextmanager
def measuring() -> Iterator[Measured]:
    """Measure what is done inside: wall-clock seconds, and the memory of this process and its children."""
    measured, process, done = Measured(), psutil.Process(), threading.Event()

    def resident() -> int:
        total = 0
        for one in [process, *process.children(recursive=True)]:
            try:
                total += one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total

    def watch() -> None:
        while not done.wait(_SAMPLED_S):
            measured.peak = max(measured.peak, resident() - before)

    before, watcher = resident(), threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    yield measured
    measured.seconds = time.perf_counter() - start
    done.set()
    watcher.join()


def settings_of(options: Options) -> Settings:
    """Return the laptop's settings with the models to measure, English left to Parakeet where there is one."""
    profile = PROFILES["laptop"]
    pool = replace(profile.whisper.pool, num_gpus=options.num_gpus)
    return replace(
        profile,
        models=Models(whisper=options.whisper, parakeet=options.parakeet, adapters=NONE),
        whisper=replace(profile.whisper, beam_size=options.beams, traditional=False, pool=pool),
        parakeet=replace(profile.parakeet, pool=replace(pool, threads=0)),
        routing="identify",
    )


def reference(recordings: Sequence[Recording], settings: Settings) -> Measured:
    """Transcribe one file at a time: Whisper in Mandarin, then Parakeet what has no ideograph."""
    from pipeline.speech.transcription import load_parakeet

    whisper = _bare_whisper(settings)
    parakeet = load_parakeet(settings) if settings.models.parakeet != NONE else None

    def write(samples: np.ndarray) -> str:
        segments, _ = whisper.transcribe(
            samples, language="zh", beam_size=settings.whisper.beam_size, temperature=0.0, word_timestamps=True
        )
        text = "".join(segment.text for segment in segments).strip()
        if parakeet and language_of(text) == "en":
            return parakeet.transcribe([samples])[0].text or text
        return text

    write(recordings[0].samples)
    with measuring() as measured:
        measured.texts = [write(recording.samples) for recording in recordings]
    return measured


def bare(recordings: Sequence[Recording], settings: Settings) -> Measured:
    """Loop over faster-whisper's own batched pipeline."""
    from faster_whisper import BatchedInferencePipeline

    whisper = BatchedInferencePipeline(_bare_whisper(settings))

    def write(samples: np.ndarray) -> str:
        segments, _ = whisper.transcribe(
            samples, beam_size=settings.whisper.beam_size, temperature=0.0, word_timestamps=True, batch_size=16
        )
        return "".join(segment.text for segment in segments).strip()

    write(recordings[0].samples)
    with measuring() as measured:
        measured.texts = [write(recording.samples) for recording in recordings]
    return measured


def transcription(recordings: Sequence[Recording], settings: Settings) -> Measured:
    """Transcribe with ``pipeline.Transcription``, so many recordings at once as the stream does."""
    from pipeline.speech.transcription import Transcription

    transcribe = Transcription(settings)
    transcribe([recordings[0].samples])
    at_once = settings.decoding.recordings_at_once
    with measuring() as measured:
        for first in range(0, len(recordings), at_once):
            batch = [recording.samples for recording in recordings[first : first + at_once]]
            measured.texts += [transcript.text for transcript in transcribe(batch)]
    return measured


class Nothing:
    """A tagger that finds nothing, at no cost."""

    def tag(self, texts: Sequence[str]) -> list[list[Any]]:
        """Return no entities."""
        return [[] for _ in texts]


def stream(recordings: Sequence[Recording], settings: Settings) -> Measured:
    """Send the files through the stream. Its seconds begin with its first recording, as models load before."""
    from jobs.ray_cluster import connect_to_ray
    from pipeline import flow, stages
    from pipeline.inputs import of_paths

    connect_to_ray()
    paths = {str(number): recording.path for number, recording in enumerate(recordings)}
    loaders = stages.Loaders(tagger=lambda base_model, adapters, settings: Nothing())
    with TemporaryDirectory() as folder:
        with measuring() as measured:
            rows = list(flow.run(of_paths(paths), folder, settings, loaders=loaders))
        texts = {row["recording_id"]: row["text"] for row in tables.read(folder, RESULT).to_pylist()}
    measured.texts = [texts[str(number)] or "" for number in range(len(recordings))]
    loads = {timing["worker"]: timing["load_s"] for row in rows for timing in row["timings"]}
    measured.seconds -= max(loads.values(), default=0.0)
    return measured


def error_rates(recordings: Sequence[Recording], texts: Sequence[str]) -> dict[str, float | None]:
    """Return WER of English and CER of Mandarin.

    English as Whisper's paper normalises it, without fillers such as "uh"; Mandarin without spaces and punctuation, in
    simplified characters, the script of the references.
    """
    simplified, english = opencc.OpenCC("t2s").convert, EnglishTextNormalizer({})

    def form(text: str, reference: str) -> str:
        return simplified(text) if language_of(reference) == "zh" else english(text)

    pairs = [(each.reference, text) for each, text in zip(recordings, texts, strict=True) if each.reference is not None]
    said = {str(number): form(reference, reference) for number, (reference, _) in enumerate(pairs)}
    heard = {str(number): form(text, reference) for number, (reference, text) in enumerate(pairs)}
    scores = scoring.scores(scoring.count(said, heard))
    return {"wer": scores["en"]["wer_norm"], "cer": scores["zh"]["mer_norm"]}


def main(options: Options) -> None:
    """Measure, print and write; see the module."""
    recordings, settings = read_recordings(options), settings_of(options)
    many = spread(recordings, options.stream) if options.stream and "stream" in options.ways else []
    ways: dict[str, tuple[Callable[..., Measured], Sequence[Recording]]] = {
        "reference": (reference, recordings),
        "bare": (bare, recordings),
        "transcription": (transcription, recordings),
    }
    ways = {name: way for name, way in ways.items() if name in options.ways}
    if many:
        ways |= {f"transcription, {len(many)}": (transcription, many), f"stream, {len(many)}": (stream, many)}
    figures: dict[str, Any] = {}
    for name, (way, some) in ways.items():
        measured = way(some, settings)
        audio_s = sum(len(recording.samples) for recording in some) / SAMPLE_RATE
        figures[name] = {
            "recordings": len(some),
            "audio_s": round(audio_s, 1),
            "seconds": round(measured.seconds, 4),
            "audio_s_per_s": round(audio_s / measured.seconds, 2),
            "peak_mib": measured.peak >> 20,
            **error_rates(some, measured.texts),
        }
    ratios = {
        f"{own}_over_{other}": figures[own]["audio_s_per_s"] / figures[other]["audio_s_per_s"]
        for own, other in (("transcription", "reference"), ("transcription", "bare"))
        if {own, other} <= set(figures)
    }
    if many:
        own, other = list(ways)[-1], list(ways)[-2]
        ratios["stream_over_bare"] = figures[own]["audio_s_per_s"] / figures[other]["audio_s_per_s"]
    columns = ("recordings", "audio_s", "seconds", "audio_s_per_s", "peak_mib", "wer", "cer")
    table = Table("way", *columns, box=None)
    for name, row in figures.items():
        table.add_row(
            name, *("" if row[c] is None else f"{row[c]:.3g}" if c in columns[-2:] else str(row[c]) for c in columns)
        )
    Console().print(table)
    Console().print({name: round(value, 2) for name, value in ratios.items()})
    if options.json:
        write_json(str(options.json), {"ways": figures, "ratios": ratios})


def _bare_whisper(settings: Settings) -> Any:
    from faster_whisper import WhisperModel

    on_cpu = not settings.whisper.pool.num_gpus
    return WhisperModel(
        settings.models.whisper,
        device="cpu" if on_cpu else "cuda",
        compute_type="int8" if on_cpu else settings.whisper.dtype,
        cpu_threads=cpu.threads(settings.whisper.pool),
    )


if __name__ == "__main__":
    main(tyro.cli(Options))
