"""The made-up clinic as training data: recordings with the exact times of their words."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipeline.settings import Decoding
from pipeline.speech.audio import decode, find_recordings
from pipeline.speech.language import Language
from pipeline.speech.words import Word


@dataclass(frozen=True)
class Clip:
    """A recording of the clinic.

    Attributes:
        path: Its audio file.
        language: ``en`` or ``zh``; speech that mixes both is ``zh``.
        text: What is said.
        words: Its words with exact times.
    """

    path: str
    language: Language
    text: str
    words: list[Word]

    def samples(self) -> np.ndarray:
        """Decode the audio: float32, mono, 16 kHz."""
        return decode(self.path, Decoding()).samples


def read_clips(folder: Path) -> list[Clip]:
    """Read a phase of a corpus made by ``pipeline.corpus.synthetic``, in the order of its table."""
    paths = find_recordings(str(folder / "audio"))
    return [
        Clip(paths[row["recording_id"]], row["language"], row["text"], [Word(**word) for word in row["words"]])
        for row in pq.read_table(folder / "transcripts.parquet").to_pylist()
    ]
