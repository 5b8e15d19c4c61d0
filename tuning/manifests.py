"""NeMo manifests as input of a training, checked before anything starts."""

import json
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.text_encoding import not_utf8

SPLITS = ("train", "valid")


class Counts(NamedTuple):
    """Counts of a manifest: recordings within the limits, their hours, and recordings outside the limits."""

    recordings: int
    hours: float
    left_out: int


def check(folder: Path, min_duration_s: float, max_duration_s: float) -> dict[str, Counts]:
    """Count the recordings of ``train.jsonl`` and ``valid.jsonl``.

    Args:
        folder: Folder of the two manifests, as jobs.prepare makes it.
        min_duration_s: Shortest recording that takes part (seconds).
        max_duration_s: Longest recording that takes part (seconds).

    Raises:
        UserError: A manifest is missing or has no recording within the limits, or a line is malformed or lacks its
            audio file.
    """
    return {split: _check(folder / f"{split}.jsonl", min_duration_s, max_duration_s) for split in SPLITS}


def _check(file: Path, min_duration_s: float, max_duration_s: float) -> Counts:
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except OSError:
        raise UserError(
            f"--manifests: there is no {file}: give the folder manifests/ that jobs.prepare makes of recordings with "
            "audio."
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"--manifests: {not_utf8(str(file))}") from None
    durations: list[float] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            audio, duration = file.parent / entry["audio_filepath"], float(entry["duration"])
            if not isinstance(entry["text"], str):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"{file}, line {number}: not a line of a NeMo manifest, which is a JSON object with audio_filepath, "
                "duration and text."
            ) from None
        if not audio.is_file():
            raise UserError(f"{file}, line {number}: there is no audio file {audio}.")
        durations.append(duration)
    if not durations:
        raise UserError(f"{file} is empty: there is nothing to train on and compare with.")
    within = [duration for duration in durations if min_duration_s <= duration <= max_duration_s]
    if not within:
        raise UserError(
            f"{file}: none of its {len(durations)} recordings is from {min_duration_s:g} to {max_duration_s:g} s long: "
            "change --min-duration-s or --max-duration-s."
        )
    return Counts(len(within), round(sum(within) / 3600, 6), len(durations) - len(within))
