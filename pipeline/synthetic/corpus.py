"""Synthetic corpus of a made-up clinic: bilingual, in the competition's layout, with exact times.

Sentences are drawn by ``grammar`` and spoken by ``espeak``. Recordings differ in voice, rate, pitch, loudness and
noise, and some are in stereo or have another sample rate.
"""

import multiprocessing
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from pipeline import submission, tables
from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.language import Language, language_of
from pipeline.speech.words import Transcript, Word
from pipeline.synthetic.espeak import Speech, speak
from pipeline.synthetic.grammar import Grammar, Part, Sentence
from pipeline.tagging.entities import Entity
from pipeline.tagging.entity_groups import load_entity_groups

FOLDERS: dict[str, Part] = {"train1": "training", "train2": "training", "valid": "training", "test": "test"}
"""Folders of the corpus, and the part of the grammar from which each takes names and numbers."""

LONGEST_S = 9.5
"""Maximum duration of a recording in seconds."""

_VOICES: dict[Language, tuple[str, ...]] = {"en": ("en-us", "en-us", "en"), "zh": ("cmn",)}
_VARIANTS = ("m1", "m2", "m3", "m4", "m7", "f1", "f1", "f4", "f4", "f4")
"""Voice variants without breath noise, which would sound different each time."""

_RATES, _PITCHES = (145, 185), (35, 65)
_FASTER = 1.15
_SILENCE_S = (0.1, 0.5)


@dataclass(frozen=True)
class Utterance:
    """A sentence to be spoken.

    Attributes:
        recording_id: Id of the recording.
        sentence: Text and entities.
        seed: Random seed of the sound.
    """

    recording_id: str
    sentence: Sentence
    seed: int


def utterances(
    sizes: Mapping[str, int], seed: int, folders: Mapping[str, Part] = FOLDERS, repeat: bool = True
) -> dict[str, list[Utterance]]:
    """Draw the sentences of each folder, English and Mandarin by turns. No sentence is in two folders.

    Args:
        sizes: Number of recordings of each folder.
        seed: Random seed. The same seed gives the same corpus.
        folders: The folders, and the part of the grammar whose names and numbers each may use.
        repeat: Whether a sentence may stand in its folder more than once.
    """
    grammars = (Grammar("en"), Grammar("zh"))
    drawn: dict[str, list[Utterance]] = {}
    folder_of: dict[str, str] = {}
    for number, (name, part) in enumerate(folders.items(), start=1):
        # The seeds have the former folder names phase1 and phase2, which keeps the corpus of the demo's models.
        rng = random.Random(f"{seed} {name.replace('train', 'phase')}")
        drawn[name] = []
        while len(drawn[name]) < sizes[name]:
            i = len(drawn[name])
            sentence = grammars[i % 2].sentence(rng, part)
            is_new = sentence.text not in folder_of
            if folder_of.setdefault(sentence.text, name) == name and (repeat or is_new):
                drawn[name].append(Utterance(str(number * 100_000 + i), sentence, rng.getrandbits(32)))
    return drawn


def say(utterance: Utterance) -> Speech:
    """Speak an utterance in a random voice, with silence before and after it, and with noise.

    Raises:
        ValueError: It is too long even if spoken fast.
    """
    rng = random.Random(utterance.seed)
    text = utterance.sentence.text
    voice = f"{rng.choice(_VOICES[language_of(text)])}+{rng.choice(_VARIANTS)}"
    rate, pitch = rng.randint(*_RATES), rng.randint(*_PITCHES)
    before, behind = rng.uniform(*_SILENCE_S), rng.uniform(*_SILENCE_S)
    speech = speak(text, voice, rate, pitch)
    while len(speech.samples) / speech.sample_rate + before + behind > LONGEST_S:
        if rate > 2 * _RATES[1]:
            raise ValueError(f"a sentence of {len(text)} characters is longer than {LONGEST_S} s")
        rate = round(rate * _FASTER)
        speech = speak(text, voice, rate, pitch)
    silence = [np.zeros(round(pause * speech.sample_rate), np.float32) for pause in (before, behind)]
    samples = np.concatenate([silence[0], speech.samples, silence[1]])
    samples *= rng.uniform(0.2, 0.9) / np.abs(samples).max()
    shift = len(silence[0]) / speech.sample_rate
    words = [_shifted(word, shift) for word in speech.words]
    return Speech(_with_noise(samples, rng), speech.sample_rate, words)


def _with_noise(samples: np.ndarray, rng: random.Random) -> np.ndarray:
    """Add noise with a random low-pass filter, 15 to 45 dB below the speech."""
    noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(len(samples))
    width = rng.choice((1, 2, 4, 8))
    noise = np.convolve(noise, np.ones(width) / width, mode="same")
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-rng.uniform(15, 45) / 20)
    noisy = samples + noise * (level / noise.std())
    return (noisy / max(1.0, np.abs(noisy).max())).astype(np.float32)


def _shifted(word: Word, seconds: float) -> Word:
    return replace(word, start_s=round(word.start_s + seconds, 3), end_s=round(word.end_s + seconds, 3))


def write_recording(file: Path, speech: Speech, seed: int) -> None:
    """Write speech as a FLAC file, mostly in mono and at 16 kHz, sometimes in stereo or at 8 or 44.1 kHz."""
    rng = random.Random(seed)
    sample_rate = rng.choices((SAMPLE_RATE, 8_000, 44_100), (16, 2, 1))[0]
    samples = soxr.resample(speech.samples, speech.sample_rate, sample_rate).clip(-1, 1)
    if rng.random() < 0.1:
        samples = np.stack([samples, rng.uniform(0.3, 1) * samples], axis=1)
    soundfile.write(file, samples, sample_rate, subtype="PCM_16", format="FLAC")


def make(
    out: Path, drawn: Mapping[str, list[Utterance]], track: Callable[[Iterable[Any]], Iterable[Any]] = iter
) -> None:
    """Write a corpus: folders with ``audio/``, both submission files, and the tables ``transcripts`` (words with
    exact times) and ``entities`` as Parquet.

    Args:
        out: Folder in which the folders are written.
        drawn: What is said in each folder, see ``utterances``.
        track: Wraps the iterable of finished recordings, to show progress.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    # The sound of espeak-ng depends on what it said before, so each recording is made in a new process.
    with context.Pool(maxtasksperchild=1) as pool:
        timed = iter(track(_speak_all(pool, out, drawn)))
        for name, some in drawn.items():
            _write_labels(out / name, some, [next(timed) for _ in some])
        next(timed, None)


def _speak_all(pool: Pool, out: Path, drawn: Mapping[str, list[Utterance]]) -> Iterator[list[Word]]:
    for name, some in drawn.items():
        audio = out / name / "audio"
        audio.mkdir(parents=True, exist_ok=True)
        yield from pool.imap(_record, [(audio, utterance) for utterance in some])


def _record(task: tuple[Path, Utterance]) -> list[Word]:
    audio, utterance = task
    speech = say(utterance)
    write_recording(audio / f"{utterance.recording_id}.flac", speech, utterance.seed)
    return speech.words


def _write_labels(folder: Path, spoken: list[Utterance], words: list[list[Word]]) -> None:
    group_of = {type_: group.name for group in load_entity_groups() for type_ in group.types}
    transcripts, entities = [], []
    for utterance, some in zip(spoken, words, strict=True):
        transcript = Transcript(utterance.sentence.text, some, tables.GOLD)
        about = {"recording_id": utterance.recording_id}
        transcripts.append(about | transcript.to_row())
        for span in utterance.sentence.spans:
            start_s, end_s = transcript.times(span.char_start, span.char_end)
            entity = Entity(
                span.type,
                group_of.get(span.type, ""),
                transcript.text[span.char_start : span.char_end],
                span.char_start,
                span.char_end,
                confidence=None,
                source=tables.GOLD,
                start_s=start_s,
                end_s=end_s,
                match="exact",
            )
            entities.append(about | entity.to_row())
    tables.write(tables.from_rows(transcripts, tables.TRANSCRIPTS), str(folder), "transcripts")
    tables.write(tables.from_rows(entities, tables.ENTITIES), str(folder), "entities")
    submission.write_task1(tables.from_rows(transcripts, tables.TRANSCRIPTS), str(folder / submission.TASK1))
    submission.write_task2(tables.from_rows(entities, tables.ENTITIES), str(folder / submission.TASK2))
