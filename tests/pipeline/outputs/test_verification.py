"""What an ASR model still hears of the entities of redacted recordings."""

import numpy as np
import pytest
import soundfile

from pipeline.outputs.progress import no_progress
from pipeline.outputs.redactable import RedactableRecording
from pipeline.outputs.verification import still_recognised
from pipeline.settings import DecodingSettings
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces
from pipeline.tagging.entities import Entity


def transcript(*words: tuple[str, float]) -> Transcript:
    """Words by their start; each lasts 0.4 s."""
    return transcript_from_pieces([Piece(f" {word}", start, start + 0.4) for word, start in words], 20.0, "whisper")


SAID = transcript(
    ("I", 1.0), ("saw", 1.5), ("Nora", 2.0), ("Lee", 2.5), ("two", 3.0), ("weeks", 3.5), ("in", 4.0), ("two", 4.5)
)
ENTITIES = [
    Entity("PATIENT", "names", "Nora Lee", 6, 14, 0.9, "adapter", start_s=2.0, end_s=2.9),
    Entity("DURATION", "times", "two weeks", 15, 24, 0.9, "adapter", start_s=3.0, end_s=3.9),
]


@pytest.mark.parametrize(
    ("heard", "types"),
    [
        (transcript(("I", 1.0), ("saw", 1.5), ("in", 4.0), ("two", 4.5)), []),
        (transcript(("I", 1.0), ("saw", 1.5), ("NORA", 2.2), ("in", 4.0), ("two", 4.5)), ["PATIENT"]),
        (transcript(("I", 1.0), ("Lee's", 2.9)), ["PATIENT"]),
        (transcript(("I", 1.0), ("Nora", 9.0)), []),
        (transcript(("two", 3.2), ("in", 4.0), ("two", 4.5)), ["DURATION"]),
        (transcript(), []),
    ],
    ids=["nothing", "a part", "its genitive", "at another time", "beside a word like it", "silence"],
)
def test_an_entity_is_still_recognised_where_a_word_of_it_is_heard_in_its_time(tmp_path, heard, types):
    soundfile.write(tmp_path / "1.wav", np.zeros(16_000), 16_000)
    recording = RedactableRecording("1", "", 20.0, SAID, ENTITIES, [])
    copies = {"1": str(tmp_path / "1.wav")}
    found = still_recognised([recording], copies, lambda batch: [heard for _ in batch], DecodingSettings(), no_progress)
    assert [each["type"] for each in found] == types
    assert all(set(each) == {"recording_id", "type", "start_s", "end_s"} for each in found), "no text"
