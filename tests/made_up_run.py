"""A made-up run of jobs.predict on made-up sounds, and its reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pipeline import run_closing, run_folder, run_parts, submission, tables
from pipeline.settings import Settings
from pipeline.speech.language import language_of
from pipeline.speech.words import Piece, transcript_from_pieces
from pipeline.tagging.entities import Span
from pipeline.tagging.entity_groups import load_entity_groups
from tests.competition import SENTENCES

RATE = 16_000
CHARACTER_S = 1 / 60
GROUP_OF = {type_: group.name for group in load_entity_groups() for type_ in group.types}

Text = tuple[str, Sequence[Span]]


@dataclass(frozen=True)
class MadeUpRun:
    """Folders of the recordings, of the run and of the reference, and every text that is in them."""

    audio: Path
    run: Path
    reference: Path
    secrets: set[str]


def hundred_texts() -> dict[str, Text]:
    """Return the few-shot sentences again and again, by recording id.

    A page without text may hold numbers, so sentences in which a number alone is an entity are left out.
    """
    some = [(text, spans) for text, spans in SENTENCES if not any(said(text, span).isdigit() for span in spans)]
    return {str(number): some[number % len(some)] for number in range(1, 101)}


def write_run(folder: Path, texts: Mapping[str, Text], failed: Mapping[str, str], silent: Sequence[str]) -> MadeUpRun:
    """Write sounds, a run with mistakes of all kinds, and the reference in the competition's files.

    Args:
        folder: Where to write.
        texts: What is said, with its entities, by recording id.
        failed: Recordings that failed, with the stage. What failed in ``decode`` is no audio.
        silent: Recordings in which the run found no speech.
    """
    made = MadeUpRun(folder / "recordings", folder / "run", folder / "reference", set())
    made.audio.mkdir(parents=True)
    made.reference.mkdir()
    random = np.random.default_rng(7)
    results, labels = [], []
    for i, (text, spans) in texts.items():
        path = made.audio / f"{i}.wav"
        seconds = _write_sound(path, text, random)
        result: dict[str, Any] = {"recording_id": i, "path": str(path), "words": [], "entities": [], "timings": []}
        result |= {"duration_s": seconds, "sample_rate": RATE, "channels": 1}
        if i == "7":
            result["note"] = "incomplete: 1.0 of 2.0 s could be read"
        if i in failed:
            result["failure"] = {"stage": failed[i], "error": f"AudioError: unreadable: no {failed[i]}"}
            if failed[i] == "decode":
                path.write_bytes(b"no sound")
                result["duration_s"] = None
        else:
            result |= _transcribed("" if i in silent else text, spans, seconds, random)
        results.append(result)
        labels += [label for span in spans if (label := _label(i, text, span, random))]

    recordings = {result["recording_id"]: result for result in results}
    asked = run_folder.asked_for({"audio": str(made.audio)}, Settings(), {})
    run_folder.plan(str(made.run), asked, recordings, overwrite=False).begin()
    tables.write(tables.from_rows(results, run_parts.RESULT), f"{made.run}/parts")
    run_closing.close_run(str(made.run), recordings, seconds=25.0)
    submission.write_task2(tables.from_rows(labels, tables.ENTITIES), f"{made.reference}/{submission.TASK2}")
    lines = [f"{i}\t{text}\n" for i, (text, _) in texts.items()]
    (made.reference / submission.TASK1).write_text("".join(lines), encoding="utf-8")
    made.secrets.update(row["text"] for result in results for row in (result, *result["entities"]) if row.get("text"))
    made.secrets.update(text for text, _ in texts.values())
    made.secrets.update(label["text"] for label in labels)
    return made


def said(text: str, span: Span) -> str:
    """Return an entity's text."""
    return text[span.char_start : span.char_end]


def _transcribed(text: str, spans: Sequence[Span], seconds: float, random: np.random.Generator) -> dict[str, Any]:
    """Return the part of a result that an ASR model and the tagger make, with a wrong letter now and then."""
    letters = list(text)
    for place in np.flatnonzero(random.random(len(letters)) < 0.02):
        if letters[place].isalpha() and not any(span.char_start <= place < span.char_end for span in spans):
            letters[place] = "的" if language_of(letters[place]) == "zh" else "o"
    pieces = [Piece(letter, n * CHARACTER_S, (n + 1) * CHARACTER_S) for n, letter in enumerate(letters)]
    transcript = transcript_from_pieces(pieces, seconds, "whisper" if language_of(text) == "zh" else "parakeet")
    stages = {"decode": (0.0, 0.01), "whisper": (2.5, 0.2), "parakeet": (2.0, 0.05), "tag": (4.0, 0.4)}
    entities = []
    for span in spans if text else ():
        start_s, end_s = transcript.times(span.char_start, span.char_end)
        place = {"char_start": span.char_start, "char_end": span.char_end, "start_s": start_s, "end_s": end_s}
        entities += _predicted(span, said(text, span), place, random)
    return {
        **transcript.to_row(),
        "entities": entities,
        "timings": [
            {"stage": stage, "worker": "w1", "load_s": load_s, "seconds": cost * seconds}
            for stage, (load_s, cost) in stages.items()
        ],
    }


def _predicted(span: Span, text: str, place: Mapping[str, Any], random: np.random.Generator) -> list[dict[str, Any]]:
    """Return what the run makes of an entity: mostly the same, sometimes nothing, another type, or one more."""
    luck = random.random()
    type_ = "ORGANIZATION" if luck < 0.1 else span.type
    entity = {"type": type_, "group": GROUP_OF[type_], "text": text, "source": "adapter", "kept": True, **place}
    entity["confidence"] = float(1 - random.random() ** 3)
    if luck > 0.9:
        return [entity | {"kept": False, "cause": "threshold", "confidence": 0.2}]
    if luck > 0.8:
        return []
    if luck > 0.7:
        pattern = {"type": "PHONE", "group": "patterns", "source": "pattern", "confidence": None}
        return [entity, entity | pattern | {"kept": False, "cause": "overlap"}]
    return [entity]


def _label(i: str, text: str, span: Span, random: np.random.Generator) -> dict[str, Any] | None:
    """Return an entity of the reference, with times of its own, or now and then None."""
    shift = random.uniform(0, CHARACTER_S / 2)
    if random.random() < 0.1:
        return None
    times = {"start_s": span.char_start * CHARACTER_S + shift, "end_s": span.char_end * CHARACTER_S + shift}
    about = {"recording_id": i, "type": span.type, "group": "", "text": said(text, span), "source": "gold"}
    return about | times | {"kept": True}


def _write_sound(path: Path, text: str, random: np.random.Generator) -> float:
    """Write a tone for each letter and silence for the rest; return the seconds."""
    step = round(RATE * CHARACTER_S)
    times = np.arange(step) / RATE
    loudness = [random.uniform(0.05, 0.4) * letter.isalnum() for letter in text]
    tones = [
        level * np.sin(2 * np.pi * (120 + ord(letter) % 40 * 9) * times)
        for level, letter in zip(loudness, text, strict=True)
    ]
    samples = np.concatenate([*tones, np.zeros(step)])
    soundfile.write(path, samples, RATE)
    return len(samples) / RATE
