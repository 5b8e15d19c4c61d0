"""Made-up findings: true and false entities with confidences that are not probabilities, and their reference."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline import tables
from pipeline.calibration.candidates import Recording, pair
from pipeline.calibration.runs import Runs
from pipeline.submission import Submission

LENGTH_S = 0.5
TYPES = {"PATIENT": ("names", 1.0), "DATE": ("times", -1.5), "CITY": ("addresses", 0.0)}
"""Types, each with its entity group and how far too high the logits of its confidences are."""

Rows = list[dict[str, Any]]


def findings(recordings: int, seed: int, types: Mapping[str, tuple[str, float]] = TYPES) -> tuple[Rows, Rows]:
    """Draw entities of a run and those of its reference, as rows of the table ``entities``.

    Of ten entities of the reference one is found with a wrong time, so that it is not covered at a confidence of its
    own; most have a high confidence, and false ones a low one.

    Args:
        recordings: Their number; the ids are 1, 2, ...
        seed: Random seed.
        types: As ``TYPES``.
    """
    random = np.random.default_rng(seed)
    found: Rows = []
    wanted: Rows = []
    for number in range(1, recordings + 1):
        for place, (type_, (group, shift)) in enumerate(types.items()):
            start = 2.0 * place
            is_there = random.random() < 0.6
            probability = 1 / (1 + math.exp(-(random.normal(3.0, 1.5) if is_there else random.normal(-2.0, 1.5))))
            if is_there:
                wanted.append(row(number, type_, group, start, None, "gold"))
            if is_there or random.random() < 0.6:
                odds = math.log(probability / (1 - probability)) + shift
                found.append(row(number, type_, group, start, 1 / (1 + math.exp(-odds)), "adapter"))
    return found, wanted


def row(number: int, type_: str, group: str, start_s: float, confidence: float | None, source: str) -> dict[str, Any]:
    """Return a row of the table ``entities``, half a second long, which says Secret."""
    place = round(10 * start_s)
    times = {"start_s": start_s, "end_s": start_s + LENGTH_S, "char_start": place, "char_end": place + 6}
    about = {"recording_id": str(number), "type": type_, "group": group, "text": "Secret", "source": source}
    return about | times | {"confidence": confidence, "kept": True}


def recordings_of(found: Rows, wanted: Rows, number: int, padding_s: float = 0.0) -> list[Recording]:
    """Put what a run found in recordings 1, 2, ... beside the reference."""
    ids = [str(each) for each in range(1, number + 1)]
    transcripts = [{"recording_id": i, "language": "en", "text": "", "words": [], "recognizer": ""} for i in ids]
    run = {
        "entities": tables.from_rows(found, tables.ENTITIES),
        "transcripts": tables.from_rows(transcripts, tables.TRANSCRIPTS),
    }
    reference = Submission("reference", dict.fromkeys(ids, ""), tables.from_rows(wanted, tables.ENTITIES), False)
    return pair([run], reference, padding_s)[0][0]


def alone(recordings: Sequence[Recording]) -> Runs:
    """Return a single run without an opening bias."""
    return Runs([recordings], [{}], {})
