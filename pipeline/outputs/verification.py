"""What of the entities is still recognised in the redacted copies of recordings."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.outputs.progress import Track
from pipeline.outputs.redactable import RedactableRecording
from pipeline.scoring.normalise import tokens_apart
from pipeline.settings import DecodingSettings
from pipeline.speech.audio import decode
from pipeline.speech.batches import in_order
from pipeline.speech.words import Transcript
from pipeline.tagging.entities import Entity

Transcribe = Callable[[Sequence[np.ndarray]], list[Transcript]]

_MARGIN_S = 0.5  # around an entity, in which a word of it may be heard


def still_recognised(
    recordings: Sequence[RedactableRecording],
    copies: Mapping[str, str],
    transcribe: Transcribe,
    settings: DecodingSettings,
    track: Track,
) -> list[dict[str, Any]]:
    """Transcribe redacted copies, and compare what is heard at the time of each entity with its text.

    Args:
        recordings: The recordings as they were.
        copies: Paths or URIs of their copies, by recording id.
        transcribe: Transcribes recordings (float32, mono, 16 kHz).
        settings: How recordings are decoded, and how many are transcribed at once.
        track: Shows the progress.

    Returns:
        ``recording_id``, ``type``, ``start_s`` and ``end_s`` of each entity of which a word is heard again, within half
        a second of it, that does not also stand beside it; no text.

    Raises:
        AudioError: A copy cannot be read.
    """

    def heard() -> Iterator[tuple[RedactableRecording, Transcript]]:
        for places in in_order([each.duration_s for each in recordings], settings.recordings_at_once):
            some = [recordings[place] for place in places]
            samples = [decode(copies[each.recording_id], settings).samples for each in some]
            yield from zip(some, transcribe(samples), strict=True)

    return [
        {"recording_id": each.recording_id, "type": entity.type, "start_s": entity.start_s, "end_s": entity.end_s}
        for each, transcript in track(heard(), len(recordings), "recordings")
        for entity in each.entities
        if _is_heard(entity, each, transcript)
    ]


def _is_heard(entity: Entity, recording: RedactableRecording, heard: Transcript) -> bool:
    beside = _said_near(entity, recording.transcript, [(each.char_start, each.char_end) for each in recording.entities])
    return bool((_said_near(entity, heard) - beside) & Counter(tokens_apart(entity.text)))


def _said_near(entity: Entity, transcript: Transcript, left_out: Sequence[tuple[int, int]] = ()) -> Counter[str]:
    """Count the tokens around the time of an entity, without those of the spans that are left out."""
    first, last = (entity.start_s or 0.0) - _MARGIN_S, (entity.end_s or 0.0) + _MARGIN_S
    near = [word for word in transcript.words if word.start_s < last and first < word.end_s]
    kept = [
        word for word in near if not any(word.char_start < end and start < word.char_end for start, end in left_out)
    ]
    return Counter(token for word in kept for token in tokens_apart(word.text))
