"""jobs.predict with stand-ins for its models, in a process of its own, for tests that kill it.

python -m tests.stub_predict OPTIONS
"""

import os
import time

from jobs import predict
from jobs.command_line import run_job
from pipeline import flow, stages
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces
from pipeline.tagging.entities import Entity

WORK_S = float(os.environ.get("STUB_WORK_S", "0.02"))
"""Seconds for a recording in each model, so that a kill finds every stage at work."""


class Asr:
    """Writes the same words of whatever it hears."""

    def __init__(self, work_s: float):
        self.work_s = work_s

    def transcribe(self, batch, english=None) -> list[Transcript]:
        time.sleep(self.work_s * len(batch))
        return [transcript_from_pieces([Piece("王小明 早安 Lee", 0.0, 0.2)], 0.3, "whisper") for _ in batch]


class Tagger:
    """Finds a name."""

    def __init__(self, work_s: float):
        self.work_s = work_s

    def tag(self, transcripts) -> list[list[Entity]]:
        time.sleep(self.work_s * len(transcripts))
        places = [text.index("Lee") for text in transcripts]
        return [[Entity("PATIENT", "names", "Lee", at, at + 3, 0.9, "adapter")] for at in places]


LOADERS = stages.Loaders(
    whisper=lambda settings: Asr(WORK_S),
    parakeet=lambda settings: Asr(WORK_S),
    tagger=lambda base_model, adapters, settings: Tagger(WORK_S),
)

if __name__ == "__main__":
    flow.Loaders = lambda: LOADERS  # type: ignore[misc, assignment]
    run_job(predict.main)
