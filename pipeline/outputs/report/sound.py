"""The sound of recordings in the report: the loudness over time, and a small copy to play."""

import io
import math
import os
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import soundfile

from pipeline.files import not_opened
from pipeline.outputs.progress import Track, no_progress
from pipeline.outputs.report.recordings import ReportRecording
from pipeline.settings import DecodingSettings
from pipeline.speech.audio import SAMPLE_RATE, AudioError, decode

ENVELOPE_HZ = 25
"""Values of an envelope per second: enough to see when somebody speaks, far too few to make speech audible."""

_LOUDNESS_OF_SILENCE = 0.01  # full scale at 1; recordings that never get louder stay flat
_COMPRESSION = 0.96  # of libsndfile's range from 256 down to 6 kbit/s: 16 kbit/s
_SAMPLES_PER_WRITE = 1 << 16
_DURATION_TOLERANCE_S = 0.1  # an MP3 file states its length to a frame or two


class Preview(NamedTuple):
    """Fields of ``ReportRecording``: its envelope and its small copy, or the reason why there are none."""

    envelope: bytes | None = None
    sound: bytes | None = None
    no_audio: str | None = None


def add_sound(
    recordings: Sequence[ReportRecording], most_sound: float, track: Track = no_progress, schemes: Collection[str] = ()
) -> list[ReportRecording]:
    """Add the envelopes and, until the page's limit is reached, the small copies.

    Args:
        recordings: All recordings of the page; the first ones get sound.
        most_sound: Limit of the sound in the page, in characters of Base64.
        track: Shows the progress of decoding.
        schemes: Schemes of addresses from which recordings may be read, see ``files.not_opened``.
    """
    left = most_sound

    def load(recording: ReportRecording) -> Preview:
        return preview(recording.about.get("path"), recording.about.get("duration_s"), left > 0, schemes)

    added = []
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        previews = track(pool.map(load, recordings), len(recordings), "recordings")
        for recording, loaded in zip(recordings, previews, strict=True):
            left -= math.ceil(len(loaded.sound or b"") / 3) * 4
            fitting = loaded if left >= 0 else loaded._replace(sound=None)
            added.append(replace(recording, **fitting._asdict()))
    return added


def preview(path: str | None, duration_s: float | None, copy: bool, schemes: Collection[str] = ()) -> Preview:
    """Decode a recording for the page.

    Args:
        path: A local path or an fsspec URI, or None if it is unknown.
        duration_s: Length in seconds when the run decoded it; None skips the comparison.
        copy: Make the small copy too.
        schemes: Schemes of addresses from which recordings may be read, see ``files.not_opened``.
    """
    if not path:
        return Preview(no_audio="no sound: the run does not know where it is")
    if refused := not_opened(path, schemes):
        return Preview(no_audio=f"no sound: {refused}")
    try:
        audio = decode(path, DecodingSettings(min_duration_s=0.0, max_duration_s=math.inf))
    except AudioError as error:
        return Preview(no_audio=f"no sound: {error}")
    if duration_s is not None and abs(audio.duration_s - duration_s) > _DURATION_TOLERANCE_S:
        return Preview(no_audio=f"no sound: {audio.duration_s:.1f} s long now, and {duration_s:.1f} s in the run")
    return Preview(envelope(audio.samples), small_copy(audio.samples) if copy else None)


def envelope(samples: np.ndarray) -> bytes:
    """Return the peak of each 40 ms as a byte, where 255 is the loudest of the recording.

    Args:
        samples: Mono samples at 16 kHz, float32, shape (samples,).
    """
    window = SAMPLE_RATE // ENVELOPE_HZ
    peaks = np.pad(np.abs(samples), (0, -len(samples) % window)).reshape(-1, window).max(axis=1)
    return np.rint(255 * peaks / max(peaks.max(), _LOUDNESS_OF_SILENCE)).astype(np.uint8).tobytes()


def small_copy(samples: np.ndarray) -> bytes:
    """Encode samples as Ogg Opus of about 2 kB a second and of exactly the same length.

    Args:
        samples: Mono samples at 16 kHz, float32, shape (samples,).
    """
    content = io.BytesIO()
    form = {"format": "OGG", "subtype": "OPUS", "compression_level": _COMPRESSION}
    with soundfile.SoundFile(content, "w", SAMPLE_RATE, 1, **form) as file:
        for start in range(0, len(samples), _SAMPLES_PER_WRITE):
            file.write(samples[start : start + _SAMPLES_PER_WRITE])
    return content.getvalue()
