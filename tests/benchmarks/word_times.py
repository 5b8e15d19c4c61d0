"""How far the word times of the ASR models are from the true ones.

    python -m tests.benchmarks.word_times                     the demo's models on its clips, whose times are exact
    python -m tests.benchmarks.word_times --whisper FOLDER    that Whisper on ../shared/speech/words
    python -m tests.benchmarks.word_times --aligner FILE      the same words with and without forced alignment

Words that are recognised right are compared, in order; off is the absolute difference in seconds.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import tyro
from rich.console import Console
from rich.table import Table

from pipeline.demo import CLIPS
from pipeline.files import write_json
from pipeline.scoring.normalise import normalise
from pipeline.settings import NONE, PROFILES, Models, Settings
from pipeline.speech.alignment import Aligner
from pipeline.speech.audio import decode
from pipeline.speech.transcription import Transcription
from pipeline.speech.words import Transcript
from tests.benchmarks.recognition import SPEECH

TimedWord = tuple[str, float, float]


@dataclass(frozen=True)
class Options:
    """What to measure."""

    whisper: str = ""
    """Whisper in CTranslate2's format, for real speech; without it, the demo's models hear the demo's clips."""

    aligner: str = ""
    """CTC model that aligns what Whisper wrote, and what Parakeet wrote too; a .nemo file."""

    json: Path | None = None
    """File for the figures."""


def true_words(options: Options) -> Iterator[tuple[str, list[TimedWord]]]:
    """Yield each recording's file and its words with their true start and end in seconds."""
    if options.whisper:
        for file in sorted((SPEECH / "words").glob("*.json")):
            words = [(word["word"], word["start"], word["end"]) for word in json.loads(file.read_text())]
            (sound,) = [each for each in SPEECH.rglob(f"{file.stem}.*") if each.suffix != ".json"]
            yield str(sound), words
        return
    for row in pq.read_table(CLIPS / "transcripts.parquet").to_pylist():
        words = [(word["text"], word["start_s"], word["end_s"]) for word in row["words"]]
        yield str(CLIPS / "audio" / f"{row['recording_id']}.flac"), words


def settings_of(options: Options) -> Settings:
    """Return the settings of the models to measure."""
    if not options.whisper:
        return PROFILES["demo"]
    laptop = PROFILES["laptop"]
    return replace(laptop, models=Models(whisper=options.whisper, parakeet=NONE, adapters=NONE))


def offs(true: Sequence[TimedWord], heard: Transcript) -> list[tuple[float, float]]:
    """Return how far start and end of each word are off, of those that were recognised right."""
    own = [normalise(word) for word, _, _ in true]
    other = [normalise(word.text) for word in heard.words]
    found = []
    for block in SequenceMatcher(None, own, other, autojunk=False).get_matching_blocks():
        for number in range(block.size):
            (_, start_s, end_s), word = true[block.a + number], heard.words[block.b + number]
            found.append((abs(word.start_s - start_s), abs(word.end_s - end_s)))
    return found


def quantiles(found: Sequence[tuple[float, float]]) -> list[list[float]]:
    """Return the median and the 90th percentile of the starts, and those of the ends."""
    both: list[list[float]] = np.quantile(np.array(found), [0.5, 0.9], axis=0).T.round(3).tolist()
    return both


def main(options: Options) -> None:
    """Measure, print and write; see the module."""
    settings = settings_of(options)
    transcribe = Transcription(settings)
    aligner = Aligner(options.aligner) if options.aligner else None
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    count = right = 0
    for file, words in true_words(options):
        samples = decode(file, settings.decoding).samples
        (transcript,) = transcribe([samples])
        times = {"recognizer": transcript}
        if aligner:
            (times["aligner"],) = aligner.align([samples], [transcript])
        for source, timed in times.items():
            found.setdefault(transcript.language, {}).setdefault(source, []).extend(offs(words, timed))
        count += len(words)
        right += len(offs(words, transcript))
    table = Table("language", "times by", "words", "start: median", "90 %", "end: median", "90 %", box=None)
    figures: dict[str, dict[str, Any]] = {}
    for language, by_source in sorted(found.items()):
        for source, some in by_source.items():
            start_s, end_s = quantiles(some)
            figures.setdefault(language, {})[source] = {"words": len(some), "start_s": start_s, "end_s": end_s}
            table.add_row(language, source, str(len(some)), *(f"{second:.3f}" for second in (*start_s, *end_s)))
    Console().print(table)
    Console().print(f"{right} of {count} words were recognised right.")
    if options.json:
        write_json(str(options.json), figures)


if __name__ == "__main__":
    main(tyro.cli(Options))
