"""A made-up competition folder for the tests: the few-shot sentences, labelled, with sounds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from pipeline.tagging.entities import parse
from pipeline.tagging.entity_groups import load_entity_groups

SENTENCES = [parse(example) for group in load_entity_groups() for example in group.examples]
"""Texts of all six groups in both languages, each with its spans."""

_FORMATS = [("wav", 16_000, 1), ("flac", 44_100, 2), ("wav", 8_000, 1), ("flac", 16_000, 1)]


def write_folder(folder: Path, first_id: int, places: Sequence[int], audio: bool = False) -> Path:
    """Write sentences as recordings ``first_id``, ``first_id + 1`` and so on; time runs at ten characters a second."""
    folder.mkdir(parents=True)
    task1, task2 = [], []
    for recording_id, place in enumerate(places, first_id):
        text, spans = SENTENCES[place]
        task1.append(f"{recording_id}\t{text}\n")
        for span in spans:
            entity = text[span.char_start : span.char_end]
            start, end = span.char_start / 10, span.char_end / 10
            task2.append(f"{recording_id}\t{span.type}\t{start:.3f}\t{end:.3f}\t{entity}\n")
        if audio:
            suffix, rate, channels = _FORMATS[place % len(_FORMATS)]
            write_sound(folder / "audio" / f"{recording_id}.{suffix}", len(text) / 10, rate, channels)
    (folder / "task1_answer.txt").write_text("".join(task1), encoding="utf-8")
    (folder / "task2_answer.txt").write_text("".join(task2), encoding="utf-8")
    return folder


def write_sound(path: Path, seconds: float, rate: int, channels: int) -> None:
    """Write seeded noise."""
    path.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(0).normal(0, 0.1, (int(seconds * rate), channels))
    soundfile.write(path, noise, rate)
