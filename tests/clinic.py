"""The made-up clinic as its recordings: sound and what is said, with the exact times of the words."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipeline.settings import DecodingSettings
from pipeline.speech.audio import decode
from pipeline.speech.census import take_census
from pipeline.speech.words import Transcript


@dataclass(frozen=True)
class Clip:
    """A recording of the clinic.

    Attributes:
        recording_id: Its id.
        path: Its audio file.
        said: What is said, with exact times.
    """

    recording_id: str
    path: str
    said: Transcript

    def samples(self) -> np.ndarray:
        """Decode the audio: float32, mono, 16 kHz."""
        return decode(self.path, DecodingSettings()).samples


def read_clips(folder: Path) -> list[Clip]:
    """Read a folder of a corpus made by ``pipeline.synthetic.corpus``, in the order of its table."""
    paths = take_census(str(folder / "audio")).recordings
    rows = pq.read_table(folder / "transcripts.parquet").to_pylist()
    return [Clip(row["recording_id"], paths[row["recording_id"]], Transcript.from_row(row)) for row in rows]
