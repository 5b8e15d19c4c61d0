"""Which recordings of a run can be redacted completely, and what has to be redacted in each of them."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from pipeline.files import not_opened
from pipeline.ids import id_order, is_id
from pipeline.outputs import text
from pipeline.speech.words import Transcript
from pipeline.tagging.entities import Entity, Span
from pipeline.tagging.entity_groups import EntityGroup, load_entity_groups
from pipeline.tagging.overlaps import OVERLAP
from pipeline.tagging.patterns import load_patterns

_GROUPS_OF_IDENTITIES = ("names", "identifiers")


@dataclass(frozen=True)
class RedactableRecording:
    """A recording in which the time and the span of every entity are known.

    Attributes:
        recording_id: Id of the recording.
        path: Path or URI of its audio.
        duration_s: Length in seconds.
        transcript: Its transcript with timed words.
        entities: The entities to redact; they may overlap.
    """

    recording_id: str
    path: str
    duration_s: float
    transcript: Transcript
    entities: Sequence[Entity]

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
        run: The tables recordings, transcripts and failures of a run.
        found: Rows of the entities to redact.
        schemes: Schemes of addresses from which recordings may be read, see ``files.not_opened``.

    Returns:
        The redactable recordings sorted by id, and the reason for withholding each of the others, by id. Names and
        identifying numbers are redacted wherever their text occurs in the transcript.
    """
    recordings, transcripts, failures = (
        {row["recording_id"]: row for row in run[name].to_pylist()}
        for name in ("recordings", "transcripts", "failures")
    )
    entities: dict[str, list[Entity]] = defaultdict(list)
    for row in found:
        entities[row["recording_id"]].append(Entity.from_row(row))
    identities = _types_of(group for group in load_entity_groups() if group.name in _GROUPS_OF_IDENTITIES)
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
        elif reasons := [reason for each in entities[i] if (reason := _unknown(each, transcripts[i]["text"]))]:
            withheld[i] = reasons[0]
        else:
            transcript = Transcript.from_row(transcripts[i])
            try:
                own = [*entities[i], *_repeated(entities[i], transcript, identities)]
            except ValueError:
                withheld[i] = "an entity occurs again, where no word has a time"
                continue
            path, duration_s = recordings[i]["path"], recordings[i]["duration_s"]
            chosen.append(RedactableRecording(i, path, duration_s, transcript, own))
    return chosen, withheld


def _types_of(groups: Iterable[EntityGroup]) -> set[str]:
    """Return the types of entity groups and of all patterns."""
    types = {type_ for group in groups for type_ in group.types}
    return types | {pattern.type for pattern in load_patterns()}


def _repeated(entities: Sequence[Entity], transcript: Transcript, types: Collection[str]) -> list[Entity]:
    """Return an entity for every further occurrence in the transcript of the text of an entity of the given types.

    Raises:
        ValueError: An occurrence touches no word, so its time is unknown.
    """
    known = {(entity.char_start, entity.char_end) for entity in entities}
    repeated = []
    for entity in entities:
        if entity.type not in types:
            continue
        for start, end in text.occurrences(transcript.text, entity.text):
            if (start, end) not in known:
                known.add((start, end))
                start_s, end_s = transcript.times(start, end)
                repeated.append(replace(entity, char_start=start, char_end=end, start_s=start_s, end_s=end_s))
    return repeated


def _unknown(entity: Entity, transcript: str) -> str | None:
    """Return why an entity cannot be redacted, or None where its time and span are known."""
    if entity.start_s is None or entity.end_s is None or not 0 <= entity.start_s < entity.end_s < math.inf:
        return f"an entity ({entity.type}) has no time"
    start, end = entity.char_start, entity.char_end
    if start is None or end is None or not 0 <= start < end <= len(transcript) or transcript[start:end] != entity.text:
        return f"an entity ({entity.type}) has no place in the transcript"
    return None
