"""Parakeet, NVIDIA's FastConformer-TDT model for English, through NeMo."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.settings import ParakeetSettings
from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.batches import in_batches
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces


class Parakeet:
    """Parakeet with greedy decoding. Creating it imports NeMo, which takes about 20 s.

    Args:
        model: A .nemo file.
        settings: Precision and batches.
        device: ``cuda`` or ``cpu``. By default, the GPU if there is one.
    """

    name = "parakeet"

    def __init__(self, model: str, settings: ParakeetSettings, device: str | None = None):
        import torch

        self._batch_seconds = settings.batch_seconds
        self._model = load_nemo(model, device).to(getattr(torch, settings.dtype))

    def transcribe(self, batch: Sequence[np.ndarray]) -> list[Transcript]:
        """Transcribe segments (float32, mono, 16 kHz, at least 0.1 s), one transcript each, in order."""
        transcripts: dict[int, Transcript] = {}
        for places in in_batches([len(samples) / SAMPLE_RATE for samples in batch], self._batch_seconds):
            transcripts |= zip(places, self._transcribe([batch[place] for place in places]), strict=True)
        return [transcripts[place] for place in range(len(batch))]

    def _transcribe(self, batch: Sequence[np.ndarray]) -> list[Transcript]:
        # NeMo pads segments shorter than a second on both sides, which would shift the words. So pad the end first.
        padded = [np.pad(audio, (0, max(SAMPLE_RATE - len(audio), 0))) for audio in batch]
        hypotheses = self._model.transcribe(padded, batch_size=len(padded), timestamps=True, verbose=False)
        return [
            transcript_from_pieces(
                pieces_of(hypothesis.text, hypothesis.timestamp["word"]), len(audio) / SAMPLE_RATE, self.name
            )
            for hypothesis, audio in zip(hypotheses, batch, strict=True)
        ]


def load_nemo(model: str, device: str | None = None) -> Any:
    """Load an ASR model of NeMo for inference, and keep NeMo's warnings quiet.

    Args:
        model: A .nemo file.
        device: ``cuda`` or ``cpu``. By default, the GPU if there is one.
    """
    import torch
    from nemo.collections.asr.models import ASRModel
    from nemo.utils import logging

    logging.set_verbosity(logging.ERROR)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return ASRModel.restore_from(model, map_location=torch.device(device)).eval()


def pieces_of(text: str, words: Sequence[dict]) -> list[Piece]:
    """Split the text of a hypothesis into pieces with NeMo's word times, without changing the text.

    NeMo rebuilds the words from the tokens, and their spaces around punctuation can differ from those of the text.
    Words are therefore matched to the text by counting the characters that are not spaces.

    Args:
        text: Text of the hypothesis.
        words: NeMo's words in order: ``word``, and ``start`` and ``end`` in seconds.
    """
    pieces: list[Piece] = []
    position = 0
    for i, word in enumerate(words):
        start, wanted = position, len("".join(word["word"].split()))
        while position < len(text) and (wanted or i == len(words) - 1 or text[position].isspace()):
            wanted -= not text[position].isspace() and wanted > 0
            position += 1
        if position > start:
            pieces.append(Piece(text[start:position], word["start"], word["end"]))
    return pieces
