"""How far the word times of the ASR models are from the true ones.

    python -m tests.benchmarks.word_times                     the demo's models on its clips, whose times are exact
    python -m tests.benchmarks.word_times --whisper FOLDER    that Whisper on ../shared/speech/words

Words that are recognised right are compared, in order; off is the absolute difference in seconds.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import tyro
from rich.console import Console
from rich.table import Table

from pipeline.demo import CLIPS
from pipeline.files import write_json
from pipeline.scoring.normalise import normalise
from pipeline.settings import NONE, PROFILES, Models, Settings
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


def main(options: Options) -> None:
    """Measure, print and write; see the module."""
    settings = settings_of(options)
    transcribe = Transcription(settings)
    by_language: dict[str, list[tuple[float, float]]] = {}
    count = 0
    for file, words in true_words(options):
        (transcript,) = transcribe([decode(file, settings.decoding).samples])
        count += len(words)
        by_language.setdefault(transcript.language, []).extend(offs(words, transcript))
    table = Table("language", "words", "start: median", "90 %", "end: median", "90 %", box=None)
    figures = {}
    for language, found in sorted(by_language.items()):
        quantiles = np.quantile(np.array(found), [0.5, 0.9], axis=0).T.round(3).tolist()
        figures[language] = {"words": len(found), "start_s": quantiles[0], "end_s": quantiles[1]}
        table.add_row(language, str(len(found)), *(f"{second:.3f}" for pair in quantiles for second in pair))
    Console().print(table)
    Console().print(f"{sum(map(len, by_language.values()))} of {count} words were recognised right.")
    if options.json:
        write_json(str(options.json), figures)


if __name__ == "__main__":
    main(tyro.cli(Options))
