"""How the stream scales: the real stream over many recordings on logical GPUs, with models that sleep.

    python -m tests.benchmarks.scale                                  a few minutes
    python -m tests.benchmarks.scale --rows 100000 --gpus 8 --seconds 1 --faster inf          memory, at scale

Whisper and the tagger of the profile `laptop` are stood in for by sleeps of what they took (RESULTS.md: 63 recordings
of 9.6 s; Whisper 91 s in all, the tagger 127 s), ``--faster`` times shorter, so that many logical GPUs fit a machine
with few cores; a stream that costs nothing would be as fast as the tagger. All else is real: one file of 9.6 s is read
again for each recording, goes through the object store, and the results are written and read as Parquet. So many
recordings go to the most GPUs, and to fewer GPUs their share, so that each run takes the same time; with few, the ends
count, where not every actor has a batch of 32.
"""

import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
import ray
import soundfile
import tyro
from ray import cloudpickle
from rich.console import Console
from rich.table import Table

from jobs.local_ray import keep_workers
from jobs.ray_cluster import connect_to_ray
from pipeline import cards, flow, tables
from pipeline.files import write_json
from pipeline.inputs import of_paths
from pipeline.placement import place
from pipeline.run_folder import RESULT
from pipeline.settings import NONE, PROFILES, Pool, Settings
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces
from pipeline.stages import Loaders

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not import the tests

WHISPER_S, TAGGER_S = 91 / 606, 127 / 606  # of a second of sound
_CPUS = 3  # for reading, rules and writing, beside the actors' own
_SAMPLED_S = 1.0


@dataclass(frozen=True)
class Options:
    """What to measure."""

    rows: int = 2_000
    """Number of recordings on the most GPUs."""

    gpus: tuple[int, ...] = (1, 2, 4, 8)
    """Numbers of logical GPUs, each with an actor of both models."""

    faster: float = 25.0
    """By how much the models are faster than those that were measured; inf: they take no time, on the most GPUs only.
    """

    seconds: float = 606 / 63
    """Length of a recording; the models' time goes with it."""

    json: Path | None = None
    """File for the figures, with the memory over time."""


class Sleeper:
    """Stands in for Whisper and for the tagger.

    Args:
        seconds: What each recording takes.
        recording_s: Length of a recording in seconds.
    """

    def __init__(self, seconds: float, recording_s: float):
        self._seconds, self._recording_s = seconds, recording_s

    def transcribe(self, batch: list[np.ndarray], english: Any = None) -> list[Transcript]:
        """Write the same 25 words of each."""
        time.sleep(self._seconds * len(batch))
        step = self._recording_s / 25  # to its end: what is left unwritten would be transcribed again
        pieces = [Piece(f"word{number} ", number * step, (number + 1) * step) for number in range(25)]
        return [transcript_from_pieces(pieces, self._recording_s, "whisper") for _ in batch]

    def tag(self, transcripts: list[str]) -> list[list[Any]]:
        """Find nothing."""
        time.sleep(self._seconds * len(transcripts))
        return [[] for _ in transcripts]


@dataclass
class Memory:
    """Memory over time: seconds, MiB of the driver, and MiB in use of the object store."""

    samples: list[tuple[float, float, float]] = field(default_factory=list)

    def at(self, share: float) -> tuple[float, float]:
        """Return the medians of driver and object store in the tenth of the time round a share of it."""
        end = self.samples[-1][0]
        near = [each for each in self.samples if abs(each[0] - share * end) <= 0.05 * end] or self.samples[-1:]
        return tuple(float(np.median(column)) for column in list(zip(*near, strict=True))[1:])  # type: ignore[return-value]


@contextmanager
def watching() -> Iterator[Memory]:
    """Sample the memory while the body runs."""
    memory, process, done, start = Memory(), psutil.Process(), threading.Event(), time.perf_counter()
    whole = ray.cluster_resources()["object_store_memory"]

    def look() -> None:
        while True:
            used = whole - ray.available_resources().get("object_store_memory", 0.0)
            memory.samples.append((time.perf_counter() - start, process.memory_info().rss / 2**20, used / 2**20))
            if done.wait(_SAMPLED_S):
                return

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield memory
    finally:
        done.set()
        watcher.join()


def settings_of(gpus: int) -> Settings:
    """Return the laptop's settings with an actor of each model on so many GPUs, and all sound taken for speech."""
    profile, pool = PROFILES["laptop"], Pool(actors=gpus, num_gpus=0.5, num_cpus=0.125)
    return replace(
        profile,
        models=replace(profile.models, adapters=NONE),
        decoding=replace(profile.decoding, voice_threshold=0.0),
        whisper=replace(profile.whisper, pool=pool),
        tagger=replace(profile.tagger, pool=pool),
    )


def run(rows: int, gpus: int, faster: float, recording_s: float) -> dict[str, Any]:
    """Send recordings through the stream.

    Args:
        rows: Number of recordings.
        gpus: Number of logical GPUs.
        faster: By how much the models are faster than measured; infinite for models that take no time.
        recording_s: Length of each recording in seconds.

    Returns:
        Figures. Seconds begin with the first recording that comes out, as models load before.
    """
    settings = settings_of(gpus)
    loaders = Loaders(
        whisper=lambda settings: Sleeper(WHISPER_S * recording_s / faster, recording_s),
        tagger=lambda base_model, adapters, settings: Sleeper(TAGGER_S * recording_s / faster, recording_s),
    )
    with TemporaryDirectory() as folder:
        sound = np.random.default_rng(0).normal(0, 0.1, round(16_000 * recording_s))
        soundfile.write(f"{folder}/one.wav", sound, 16_000)
        recordings = of_paths({str(number): f"{folder}/one.wav" for number in range(rows)})
        placement = place(settings.pools, cards.nodes())
        out = 0
        with watching() as memory:
            for row in flow.run(recordings, f"{folder}/parts", settings, placement, loaders):
                if row["failure"]:
                    raise RuntimeError(f"a recording failed: {row['failure']}")
                out += 1
                if out == 1:
                    start, sampled = time.perf_counter(), len(memory.samples)
            seconds = time.perf_counter() - start
        start = time.perf_counter()
        assert len(tables.read(f"{folder}/parts", RESULT)) == rows
        read_s = time.perf_counter() - start
        parts = len(list(Path(folder, "parts").iterdir()))
    memory.samples = memory.samples[sampled:] or memory.samples[-1:]
    shares = [memory.at(share) for share in (0.1, 0.5, 0.9)]
    return {
        "gpus": gpus,
        "rows": rows,
        "seconds": round(seconds, 2),
        "rows_per_s": round(rows / seconds, 2),
        "driver_mib": [round(driver) for driver, _ in shares],
        "store_mib": [round(store) for _, store in shares],
        "parts": parts,
        "read_parts_s": round(read_s, 2),
        "samples": memory.samples,
    }


def main(options: Options) -> None:
    """Measure, print and write; see the module."""
    most = max(options.gpus)
    keep_workers()
    ray.init(
        "local",
        num_cpus=_CPUS + math.ceil(0.25 * most),
        num_gpus=most,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    connect_to_ray()
    paced = () if math.isinf(options.faster) else options.gpus
    figures = [run(max(options.rows * gpus // most, 1), gpus, options.faster, options.seconds) for gpus in paced]
    for each in figures:
        each["of_ideal"] = round(each["rows_per_s"] * TAGGER_S * options.seconds / options.faster / each["gpus"], 3)
        each["efficiency"] = round(each["rows_per_s"] / each["gpus"] / figures[0]["rows_per_s"] * figures[0]["gpus"], 3)
    free = run(options.rows, most, float("inf"), options.seconds)
    columns = ("gpus", "rows", "seconds", "rows_per_s", "efficiency", "of_ideal", "driver_mib", "store_mib", "parts")
    columns += ("read_parts_s",)
    table = Table(*columns, box=None)
    for each in [*figures, free]:
        table.add_row(*(str(each.get(column, "")) for column in columns))
    console = Console(width=140)
    console.print(table)
    overhead = 1000 * free["seconds"] / options.rows
    console.print(f"The stream alone: {overhead:.2f} ms a recording. Memory at 10, 50 and 90 % of the time.")
    if options.json:
        write_json(str(options.json), {"runs": figures, "free": free, "overhead_ms": overhead})
    ray.shutdown()


if __name__ == "__main__":
    main(tyro.cli(Options))
