"""What a run found, as its post-processing begins with it, beside the reference."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from pipeline.errors import UserError
from pipeline.ids import id_order
from pipeline.intervals import Interval, iou, milliseconds
from pipeline.scoring.comparison import languages
from pipeline.scoring.entities import timed
from pipeline.scoring.matching import TimedEntity
from pipeline.settings import CalibrationSettings
from pipeline.submission import Submission
from pipeline.tagging.calibration import calibrated
from pipeline.tagging.entities import Entity
from pipeline.tagging.mentions import REPEAT
from pipeline.tagging.overlaps import OVERLAP, resolve_overlaps

_RIGHT = 0.5
"""Least intersection over union of an entity's time with that of one of the reference, of its type, if it is right."""


@dataclass(frozen=True)
class Candidate:
    """An entity that no rule dropped.

    Attributes:
        entity: As it was found, kept.
        found_as: Its type before rules changed it: the threshold and the shift of that type are applied.
        time: Start and end in milliseconds.
        cover: What redacting it would cover: its time, grown by the padding.
        right: Whether the reference has an entity of its type of which the time overlaps by half.
    """

    entity: Entity
    found_as: str
    time: Interval
    cover: Interval
    right: bool

    def calibrated(self, calibration: CalibrationSettings) -> "Candidate":
        """Return it with its confidence as a probability."""
        confidence = calibrated(calibration, replace(self.entity, type=self.found_as)).confidence
        return replace(self, entity=replace(self.entity, confidence=confidence))


@dataclass(frozen=True)
class Recording:
    """A recording that run and reference share.

    Attributes:
        reference: Its reference entities.
        candidates: What may be kept.
    """

    reference: Sequence[TimedEntity]
    candidates: Sequence[Candidate]

    def kept(self, thresholds: Mapping[str, float]) -> list[Candidate]:
        """Return the candidates that the post-processing keeps with these thresholds (see ``keep_or_drop``)."""
        reached = [
            candidate
            for candidate in self.candidates
            if candidate.entity.confidence is None
            or candidate.entity.confidence >= thresholds.get(candidate.found_as, 0.0)
        ]
        left = {id(entity) for entity in resolve_overlaps([one.entity for one in reached]) if entity.kept}
        return [candidate for candidate in reached if id(candidate.entity) in left]

    def calibrated(self, calibration: CalibrationSettings) -> "Recording":
        """Return it with the confidences of its candidates as probabilities."""
        return replace(self, candidates=[candidate.calibrated(calibration) for candidate in self.candidates])


def pair(
    runs: Sequence[Mapping[str, pa.Table]], reference: Submission, padding_s: float = 0
) -> tuple[list[list[Recording]], int]:
    """Put what runs found beside the reference, recording by recording.

    Args:
        runs: The tables of each run.
        reference: The reference, with entities.
        padding_s: Seconds that redacting an entity covers before and after it as well.

    Returns:
        For each run the recordings of the reference that all runs transcribed, by id; and how many they did not.

    Raises:
        UserError: None is in all of them, or the entities of one have no times.
    """
    assert reference.entities is not None
    wanted, padding = timed(reference.entities), milliseconds(padding_s)
    ids = sorted(languages(reference), key=id_order)
    there = set(ids).intersection(*(run["transcripts"]["recording_id"].to_pylist() for run in runs))
    shared = [recording_id for recording_id in ids if recording_id in there]
    if not shared:
        raise UserError(
            "--run and --reference have no recording in common: give the reference of the run's recordings."
        )
    if not any(entity.end_ms for recording_id in shared for entity in wanted.get(recording_id, ())):
        raise UserError("--reference has no entity with a time in the recordings of --run: nothing can be calibrated.")
    recordings = []
    for run in runs:
        found = _by_recording(run["entities"])
        if not any(found[recording_id] for recording_id in shared):
            raise UserError(
                "--run has no entity with a time in the recordings of --reference: nothing can be calibrated."
            )
        recordings.append(
            [Recording(wanted.get(i, []), _candidates(found[i], wanted.get(i, []), padding)) for i in shared]
        )
    return recordings, len(ids) - len(shared)


def first_found(recordings: Sequence[Recording]) -> list[list[Candidate]]:
    """Return of each recording what is kept without thresholds, has a confidence, and repeats nothing."""
    return [
        [
            candidate
            for candidate in recording.kept({})
            if candidate.entity.confidence is not None and candidate.entity.source != REPEAT
        ]
        for recording in recordings
    ]


def _by_recording(entities: pa.Table) -> defaultdict[str, list[Entity]]:
    found = defaultdict(list)
    for row in entities.to_pylist():
        if row["start_s"] is not None:
            found[row["recording_id"]].append(Entity.from_row(row))
    return found


def _candidates(entities: Sequence[Entity], reference: Sequence[TimedEntity], padding: int) -> list[Candidate]:
    found_as: dict[tuple[int, int, float | None], str] = {}
    for entity in entities:
        if (entity.cause or "").startswith("rule:"):
            found_as.setdefault((entity.char_start, entity.char_end, entity.confidence), entity.type)
    candidates = []
    for entity in entities:
        if entity.cause not in (None, "threshold", OVERLAP):
            continue
        assert entity.start_s is not None and entity.end_s is not None
        time = (milliseconds(entity.start_s), milliseconds(entity.end_s))
        own = [one[:2] for one in reference if one.type == entity.type]
        key = (entity.char_start, entity.char_end, entity.confidence)
        kind = found_as.get(key, entity.type) if entity.source == "rule" else entity.type
        right = bool((iou([time], own) >= _RIGHT).any())
        cover = (max(0, time[0] - padding), time[1] + padding)
        candidates.append(Candidate(replace(entity, kept=True, cause=None), kind, time, cover, right))
    return candidates
