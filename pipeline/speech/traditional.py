"""Chinese in the characters of Taiwan, whatever an ASR model was trained on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import opencc

from pipeline.speech.words import Transcript, Writer


class Traditional:
    """An ASR model whose Chinese is rewritten in traditional characters, as Taiwan uses them.

    Args:
        transcriber: The model.
    """

    def __init__(self, transcriber: Writer):
        self.name = transcriber.name
        self._transcriber = transcriber
        self._converter = opencc.OpenCC("s2tw")

    def english(self, batch: Sequence[np.ndarray]) -> list[float]:
        """Return the probability that a segment is English, for each."""
        return self._transcriber.english(batch)

    def transcribe(self, batch: Sequence[np.ndarray], english: Sequence[float] | None = None) -> list[Transcript]:
        """Transcribe segments (float32, mono, 16 kHz, at most 30 s), one transcript each, in order."""
        return [self._rewrite(transcript) for transcript in self._transcriber.transcribe(batch, english)]

    def _rewrite(self, transcript: Transcript) -> Transcript:
        if transcript.language != "zh":
            return transcript
        text = self.write(transcript.text)
        words = [replace(word, text=text[word.char_start : word.char_end]) for word in transcript.words]
        return replace(transcript, text=text, words=words)

    def write(self, text: str) -> str:
        """Return a text in traditional characters, each in the place of the one that it replaces."""
        converted = self._converter.convert(text)
        if len(converted) != len(text):
            converted = "".join(self._converter.convert(character)[:1] for character in text)
        # Taiwan writes 台 where the converter writes 臺.
        return "".join("台" if old == "台" and new == "臺" else new for old, new in zip(text, converted, strict=True))
