"""Which recordings of a run can be redacted completely, and what has to be redacted in each of them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from pipeline.files import not_opened
from pipeline.ids import id_order, is_id
from pipeline.outputs import text
from pipeline.outputs.entity_times import timed
from pipeline.speech.words import Transcript
from pipeline.tables import REVIEW
from pipeline.tagging.entities import Entity, Span
from pipeline.tagging.mentions import find_mentions
from pipeline.tagging.overlaps import OVERLAP


@dataclass(frozen=True)
class RedactableRecording:
    """A recording in which the time and the span of every entity are known.

    Attributes:
        recording_id: Id of the recording.
        path: Path or URI of its audio.
        duration_s: Length in seconds.
        transcript: Its transcript with timed words.
        entities: The entities to redact; they may overlap.
        widened: Those of them whose time is only known to be between the words beside them.
    """

    recording_id: str
    path: str
    duration_s: float
    transcript: Transcript
    entities: Sequence[Entity]
    widened: Sequence[Entity]

    @property
    def times(self) -> list[tuple[Any, Any]]:
        """Start and end of each entity in seconds."""
        return [(entity.start_s, entity.end_s) for entity in self.entities]

    @property
    def spans(self) -> list[Span]:
        """The span of each entity in the transcript, extended to whole words."""
        spans = [Span(entity.type, entity.char_start, entity.char_end) for entity in self.entities]
        return [text.whole_words(self.transcript.text, span) for span in spans]


def found_entities(entities: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of the kept entities and of those that lost an overlap, which may cover more than the winner."""
    return [row for row in entities.to_pylist() if row["kept"] or row["cause"] == OVERLAP]


def choose(
    run: Mapping[str, pa.Table], found: Sequence[Mapping[str, Any]], schemes: Collection[str] = ()
) -> tuple[list[RedactableRecording], dict[str, str]]:
    """Separate the recordings that can be redacted from those that have to be withheld.

    Args:
        run: The tables of a run.
        found: Rows of the entities to redact.
        schemes: Schemes of addresses from which recordings may be read, see ``files.not_opened``.

    Returns:
        The redactable recordings sorted by id, and the reason for withholding each of the others, by id. Other mentions
        of their names and numbers are redacted too, see ``pipeline.tagging.mentions``, but for what a person rejected.
    """
    recordings, transcripts, failures = (
        {row["recording_id"]: row for row in run[name].to_pylist()}
        for name in ("recordings", "transcripts", "failures")
    )
    entities: dict[str, list[Entity]] = defaultdict(list)
    for row in found:
        entities[row["recording_id"]].append(Entity.from_row(row))
    rejected: dict[str, list[Entity]] = defaultdict(list)
    for row in run["entities"].to_pylist():
        if row["cause"] == REVIEW and row["char_start"] is not None:
            rejected[row["recording_id"]].append(Entity.from_row(row))
    chosen: list[RedactableRecording] = []
    withheld: dict[str, str] = {}
    for i in sorted({*recordings, *transcripts, *failures, *entities}, key=id_order):
        if i in failures:
            withheld[i] = f"failed in the run ({failures[i]['stage']}: {failures[i]['error']})"
        elif not is_id(i):
            withheld[i] = "its id cannot be the name of a file"
        elif i not in transcripts:
            withheld[i] = "the run has no transcript of it"
        elif i not in recordings or not recordings[i]["path"] or recordings[i]["duration_s"] is None:
            withheld[i] = "the run does not know its audio"
        elif refused := not_opened(recordings[i]["path"], schemes):
            withheld[i] = f"audio not opened: {refused}"
        else:
            transcript, duration_s = Transcript.from_row(transcripts[i]), recordings[i]["duration_s"]
            try:
                own = [timed(each, transcript, duration_s) for each in entities[i]]
                kept = [replace(each, kept=True) for each, _ in own]
                again = find_mentions(transcript.text, kept + rejected[i])
                own += [timed(each, transcript, duration_s) for each in again]
            except ValueError as error:
                withheld[i] = str(error)
                continue
            widened = [entity for entity, is_widened in own if is_widened]
            path = recordings[i]["path"]
            chosen.append(RedactableRecording(i, path, duration_s, transcript, [entity for entity, _ in own], widened))
    return chosen, withheld
