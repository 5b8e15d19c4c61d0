"""A recording as the report shows it: how loud it is over time, and a small copy to listen to."""

import io
import math
from typing import NamedTuple

import numpy as np
import soundfile

from pipeline.settings import Decoding
from pipeline.speech.audio import SAMPLE_RATE, AudioError, decode

ENVELOPE_HZ = 25
"""Values per second: enough to see when somebody speaks, far too few to hear anything of it."""

_LOUDNESS_OF_SILENCE = 0.01  # full scale at 1; recordings that never get louder stay flat
_COMPRESSION = 0.96  # of libsndfile's range from 256 down to 6 kbit/s: 16 kbit/s
_SAMPLES_PER_WRITE = 1 << 16


_MOST_OTHER_S = 0.1  # an MP3 file tells its length to a frame or two


class Heard(NamedTuple):
    """A recording's envelope and its small copy, each None where there is none; or why it cannot be heard."""

    envelope: bytes | None = None
    sound: bytes | None = None
    no_audio: str | None = None


def listen(path: str | None, duration_s: float | None, copy: bool) -> Heard:
    """Decode a recording for the page.

    Args:
        path: A local path or an fsspec URI, or None where nobody knows it.
        duration_s: Length in seconds that the run found; None skips the comparison.
        copy: Whether the small copy is wanted too.
    """
    if not path:
        return Heard(no_audio="no sound: the run does not know where it is")
    try:
        audio = decode(path, Decoding(min_duration_s=0.0, max_duration_s=math.inf))
    except AudioError as error:
        return Heard(no_audio=f"no sound: {error}")
    if duration_s is not None and abs(audio.duration_s - duration_s) > _MOST_OTHER_S:
        return Heard(no_audio=f"no sound: {audio.duration_s:.1f} s long now, and {duration_s:.1f} s in the run")
    return Heard(envelope(audio.samples), small_copy(audio.samples) if copy else None)


def envelope(samples: np.ndarray) -> bytes:
    """Return the peak of each 40 ms as a byte, where 255 is the loudest.

    Args:
        samples: Mono, 16 kHz, float32, shape (samples,).
    """
    window = SAMPLE_RATE // ENVELOPE_HZ
    peaks = np.pad(np.abs(samples), (0, -len(samples) % window)).reshape(-1, window).max(axis=1)
    return np.rint(255 * peaks / max(peaks.max(), _LOUDNESS_OF_SILENCE)).astype(np.uint8).tobytes()


def small_copy(samples: np.ndarray) -> bytes:
    """Encode samples (mono, 16 kHz, float32) as Ogg Opus of about 2 kB a second, with their times exact."""
    content = io.BytesIO()
    form = {"format": "OGG", "subtype": "OPUS", "compression_level": _COMPRESSION}
    with soundfile.SoundFile(content, "w", SAMPLE_RATE, 1, **form) as file:
        for start in range(0, len(samples), _SAMPLES_PER_WRITE):
            file.write(samples[start : start + _SAMPLES_PER_WRITE])
    return content.getvalue()
