"""Transcription of recordings by two ASR models, and the choice between their transcripts."""

from collections.abc import Sequence

import numpy as np

from pipeline.settings import NONE, ParakeetSettings, Settings, WhisperSettings
from pipeline.speech.audio import is_silent
from pipeline.speech.words import Transcriber, Transcript

SILENCE = "silence"
"""Value of ``Transcript.recognizer`` for silent recordings, which no ASR model transcribes."""


class Transcription:
    """The ASR models, kept in memory: Whisper transcribes every recording, then Parakeet the English ones again.

    Args:
        settings: All settings, with models as absolute paths (see ``pipeline.models.locate``).

    Raises:
        UserError: A model cannot be used with these settings.
    """

    def __init__(self, settings: Settings):
        self._silence_dbfs = settings.decoding.silence_dbfs
        self._whisper = load_whisper(settings.models.whisper, settings.whisper)
        with_parakeet = settings.models.parakeet != NONE
        self._parakeet = load_parakeet(settings.models.parakeet, settings.parakeet) if with_parakeet else None

    def __call__(self, batch: Sequence[np.ndarray]) -> list[Transcript]:
        """Transcribe recordings (float32, mono, 16 kHz, at least 0.1 s), one transcript each, in order."""
        transcripts = transcribe(self._whisper, batch, self._silence_dbfs)
        return transcribe_english(self._parakeet, batch, transcripts) if self._parakeet else transcripts


def load_whisper(model: str, settings: WhisperSettings) -> Transcriber:
    """Load Whisper with the library and on the device that the settings choose."""
    from pipeline.speech import whisper

    loaded = whisper.load_whisper(model, settings, settings.pool.device)
    if not settings.traditional:
        return loaded
    from pipeline.speech.traditional import Traditional

    return Traditional(loaded)


def load_parakeet(model: str, settings: ParakeetSettings) -> Transcriber:
    """Load Parakeet on the device that the settings choose."""
    from pipeline.speech import parakeet

    return parakeet.Parakeet(model, settings, settings.pool.device)


def transcribe(whisper: Transcriber, batch: Sequence[np.ndarray], silence_dbfs: float) -> list[Transcript]:
    """Transcribe recordings of any language with Whisper; silent ones get an empty transcript.

    Args:
        whisper: The model.
        batch: Recordings (float32, mono, 16 kHz, at least 0.1 s).
        silence_dbfs: Threshold in dB of full scale, see ``pipeline.speech.audio.is_silent``.
    """
    loud = [i for i, samples in enumerate(batch) if not is_silent(samples, silence_dbfs)]
    written = whisper.transcribe([batch[i] for i in loud]) if loud else []
    transcripts = dict(zip(loud, written, strict=True))
    return [transcripts.get(i, Transcript("", [], SILENCE)) for i in range(len(batch))]


def is_for_parakeet(transcript: Transcript) -> bool:
    """Return whether Parakeet transcribes a recording again: it is not silent, and Whisper wrote no ideograph."""
    return transcript.language == "en" and transcript.recognizer != SILENCE


def transcribe_english(
    parakeet: Transcriber, batch: Sequence[np.ndarray], transcripts: Sequence[Transcript]
) -> list[Transcript]:
    """Transcribe the English recordings again with Parakeet.

    Args:
        parakeet: The model.
        batch: The recordings, as for ``transcribe``.
        transcripts: Whisper's transcripts of them.

    Returns:
        For each recording, Parakeet's transcript if there is one with text, else Whisper's.
    """
    english = [i for i, transcript in enumerate(transcripts) if is_for_parakeet(transcript)]
    written = parakeet.transcribe([batch[i] for i in english]) if english else []
    again = {i: transcript for i, transcript in zip(english, written, strict=True) if transcript.text}
    return [again.get(i, transcript) for i, transcript in enumerate(transcripts)]
