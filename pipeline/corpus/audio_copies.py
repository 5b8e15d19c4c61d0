"""Mono 16 kHz copies of recordings for training."""

import pyarrow as pa

from pipeline import tables
from pipeline.errors import unwritten, without_text
from pipeline.settings import DecodingSettings
from pipeline.speech.audio import SAMPLE_RATE, decode, write_wav
from pipeline.speech.reader import INCOMPLETE, AudioError

SCHEMA = tables.schema(
    "recording_id: string, path: string?, duration_s: float64?, sample_rate: int32?, channels: int32?, error: string?, "
    "unwritten: string?"
)


def copy(batch: pa.Table, folder: str, settings: DecodingSettings) -> pa.Table:
    """Decode files and write a copy of each that is not a local mono WAV or FLAC file at 16 kHz.

    Args:
        batch: Table with ``recording_id`` and ``path``.
        folder: Folder for the copies.
        settings: Minimum and maximum duration.

    Returns:
        Table of ``SCHEMA``: the path of the file to train on with its duration and format, or the error. A file of
        which not all can be read is an error: its transcript would teach to hear what is not there.
    """
    rows = []
    for row in batch.to_pylist():
        rows.append(dict.fromkeys(SCHEMA.names) | row)
        try:
            audio = decode(row["path"], settings)
            if (audio.note or "").startswith(INCOMPLETE):
                raise AudioError(f"{audio.note}, so its transcript says more than is heard")
        except Exception as error:
            rows[-1]["error"] = without_text(error)
            continue
        rows[-1] |= {"duration_s": audio.duration_s, "sample_rate": SAMPLE_RATE, "channels": 1}
        suffix = row["path"].rpartition(".")[2].lower()
        local = "://" not in row["path"]
        if local and suffix in ("wav", "flac") and (audio.sample_rate, audio.channels) == (SAMPLE_RATE, 1):
            continue
        rows[-1]["path"] = f"{folder}/{row['recording_id']}.wav"
        try:
            write_wav(rows[-1]["path"], audio.samples)
        except OSError as error:
            rows[-1]["unwritten"] = unwritten(error)
    return pa.Table.from_pylist(rows, schema=SCHEMA)
