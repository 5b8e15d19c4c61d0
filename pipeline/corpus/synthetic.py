"""The made-up clinic: a bilingual corpus in the competition's layout, with exact times.

Sentences come from ``grammar``, speech from ``espeak``; recordings differ in voice, rate, pitch, loudness and noise,
and some are stereo or of another sample rate.
"""

import multiprocessing
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from pipeline import answers, tables
from pipeline.corpus.espeak import Speech, speak
from pipeline.corpus.gold import GOLD
from pipeline.corpus.grammar import Grammar, Part, Sentence
from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.language import Language, language_of
from pipeline.speech.words import Word
from pipeline.tagging.groups import load_groups
from pipeline.tagging.times import entity_times

PHASES: dict[str, Part] = {"phase1": "training", "phase2": "training", "valid": "training", "test": "test"}
"""The folders of the corpus, and whose names and numbers they may use."""

LONGEST_S = 9.5
"""No recording is longer (seconds)."""

_VOICES: dict[Language, tuple[str, ...]] = {"en": ("en-us", "en-us", "en"), "zh": ("cmn",)}
_VARIANTS = ("m1", "m2", "m3", "m4", "m7", "f1", "f1", "f4", "f4", "f4")
"""Voices without breath, which sounds different every time."""

_RATES, _PITCHES = (145, 185), (35, 65)
_FASTER = 1.15
_SILENCE_S = (0.1, 0.5)


@dataclass(frozen=True)
class Utterance:
    """A sentence and how it is to be spoken.

    Attributes:
        recording_id: Its name.
        sentence: Text and entities.
        seed: Of all that is drawn for its sound.
    """

    recording_id: str
    sentence: Sentence
    seed: int


def utterances(sizes: Mapping[str, int], seed: int) -> dict[str, list[Utterance]]:
    """Draw the sentences of each phase, English and Mandarin by turns; none is in two phases.

    Args:
        sizes: How many recordings each of ``PHASES`` gets.
        seed: The same seed gives the same corpus.
    """
    grammars = (Grammar("en"), Grammar("zh"))
    drawn: dict[str, list[Utterance]] = {}
    phase_of: dict[str, str] = {}
    for number, (phase, part) in enumerate(PHASES.items(), start=1):
        lot = random.Random(f"{seed} {phase}")
        drawn[phase] = []
        while len(drawn[phase]) < sizes[phase]:
            i = len(drawn[phase])
            sentence = grammars[i % 2].sentence(lot, part)
            if phase_of.setdefault(sentence.text, phase) == phase:
                drawn[phase].append(Utterance(str(number * 100_000 + i), sentence, lot.getrandbits(32)))
    return drawn


def say(utterance: Utterance) -> Speech:
    """Speak an utterance in a voice of its own, with silence before and behind, and noise.

    Raises:
        ValueError: It is too long even when spoken fast.
    """
    lot = random.Random(utterance.seed)
    text = utterance.sentence.text
    voice = f"{lot.choice(_VOICES[language_of(text)])}+{lot.choice(_VARIANTS)}"
    rate, pitch = lot.randint(*_RATES), lot.randint(*_PITCHES)
    before, behind = lot.uniform(*_SILENCE_S), lot.uniform(*_SILENCE_S)
    speech = speak(text, voice, rate, pitch)
    while len(speech.samples) / speech.sample_rate + before + behind > LONGEST_S:
        if rate > 2 * _RATES[1]:
            raise ValueError(f"a sentence of {len(text)} characters is longer than {LONGEST_S} s")
        rate = round(rate * _FASTER)
        speech = speak(text, voice, rate, pitch)
    silence = [np.zeros(round(pause * speech.sample_rate), np.float32) for pause in (before, behind)]
    samples = np.concatenate([silence[0], speech.samples, silence[1]])
    samples *= lot.uniform(0.2, 0.9) / np.abs(samples).max()
    shift = len(silence[0]) / speech.sample_rate
    words = [_later(word, shift) for word in speech.words]
    return Speech(_with_noise(samples, lot), speech.sample_rate, words)


def _with_noise(samples: np.ndarray, lot: random.Random) -> np.ndarray:
    """Add noise, 15 to 45 dB below the speech and more or less dull."""
    noise = np.random.default_rng(lot.getrandbits(32)).standard_normal(len(samples))
    width = lot.choice((1, 2, 4, 8))
    noise = np.convolve(noise, np.ones(width) / width, mode="same")
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-lot.uniform(15, 45) / 20)
    noisy = samples + noise * (level / noise.std())
    return (noisy / max(1.0, np.abs(noisy).max())).astype(np.float32)


def _later(word: Word, seconds: float) -> Word:
    return replace(word, start_s=round(word.start_s + seconds, 3), end_s=round(word.end_s + seconds, 3))


def write_recording(file: Path, speech: Speech, seed: int) -> None:
    """Write speech as FLAC: most of it mono at 16 kHz, some at 8 or 44.1 kHz, some in stereo."""
    lot = random.Random(seed)
    sample_rate = lot.choices((SAMPLE_RATE, 8_000, 44_100), (16, 2, 1))[0]
    samples = soxr.resample(speech.samples, speech.sample_rate, sample_rate).clip(-1, 1)
    if lot.random() < 0.1:
        samples = np.stack([samples, lot.uniform(0.3, 1) * samples], axis=1)
    soundfile.write(file, samples, sample_rate, subtype="PCM_16", format="FLAC")


def make(
    folder: Path,
    sizes: Mapping[str, int],
    seed: int,
    phases: Collection[str] = tuple(PHASES),
    track: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> None:
    """Write the corpus: a folder for each of ``PHASES``, with ``audio/``, both answers, and the tables transcripts
    (words with exact times) and entities as Parquet.

    Args:
        folder: Where the phases go.
        sizes: How many recordings each of ``PHASES`` gets.
        seed: The same seed gives the same corpus.
        phases: Which of them to write.
        track: Hands on a value for each recording that is written, and may show it.
    """
    drawn = {phase: some for phase, some in utterances(sizes, seed).items() if phase in phases}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    # What espeak-ng has said before changes how it says the next: each recording gets a process of its own.
    with context.Pool(maxtasksperchild=1) as pool:
        heard = iter(track(_speak_all(pool, folder, drawn)))
        for phase, some in drawn.items():
            _write_answers(folder / phase, some, [next(heard) for _ in some])
        next(heard, None)


def _speak_all(pool: Pool, folder: Path, drawn: Mapping[str, list[Utterance]]) -> Iterator[list[Word]]:
    for phase, some in drawn.items():
        audio = folder / phase / "audio"
        audio.mkdir(parents=True, exist_ok=True)
        yield from pool.imap(_record, [(audio, utterance) for utterance in some])


def _record(task: tuple[Path, Utterance]) -> list[Word]:
    audio, utterance = task
    speech = say(utterance)
    write_recording(audio / f"{utterance.recording_id}.flac", speech, utterance.seed)
    return speech.words


def _write_answers(folder: Path, spoken: list[Utterance], words: list[list[Word]]) -> None:
    group_of = {type_: group.name for group in load_groups() for type_ in group.types}
    transcripts, entities = [], []
    for utterance, some in zip(spoken, words, strict=True):
        recording_id, text = utterance.recording_id, utterance.sentence.text
        transcripts.append(
            {
                "recording_id": recording_id,
                "language": language_of(text),
                "text": text,
                "words": [asdict(word) for word in some],
                "recognizer": GOLD,
            }
        )
        for span in utterance.sentence.spans:
            start_s, end_s = entity_times(some, span.char_start, span.char_end)
            entities.append(
                {
                    "recording_id": recording_id,
                    "type": span.type,
                    "group": group_of.get(span.type, ""),
                    "text": text[span.char_start : span.char_end],
                    "char_start": span.char_start,
                    "char_end": span.char_end,
                    "start_s": start_s,
                    "end_s": end_s,
                    "source": GOLD,
                    "match": "exact",
                    "kept": True,
                }
            )
    tables.write(tables.from_rows(transcripts, tables.TRANSCRIPTS), str(folder), "transcripts")
    tables.write(tables.from_rows(entities, tables.ENTITIES), str(folder), "entities")
    answers.write_task1(tables.from_rows(transcripts, tables.TRANSCRIPTS), str(folder / answers.TASK1))
    answers.write_task2(tables.from_rows(entities, tables.ENTITIES), str(folder / answers.TASK2))
