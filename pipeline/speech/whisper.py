"""Whisper through Transformers, and the choice between it and CTranslate2."""

import codecs
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor
from transformers.convert_slow_tokenizer import bytes_to_unicode

from pipeline.errors import UserError
from pipeline.settings import Whisper
from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.words import Piece, Recognizer, Transcript, transcript_from_pieces

_STAMP_S = 0.02
"""Seconds between Whisper's timestamps."""

_BYTE_OF = {character: byte for byte, character in bytes_to_unicode().items()}


class TransformersWhisper:
    """Whisper through Transformers: greedy or beam search without sampling, word times from cross-attention.

    Recordings go one at a time. In a batch, Transformers aligns over the padding behind the shorter texts, so that
    batch mates would move a recording's words.

    Args:
        model: A Transformers folder or hub name.
        settings: Language, beams, conditioning and precision.
        device: ``cuda`` or ``cpu``; the GPU where there is one.

    Raises:
        UserError: The model cannot be told to write the language, or gives words no times.
    """

    name = "whisper"

    def __init__(self, model: str, settings: Whisper, device: str | None = None):
        self._settings = settings
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        processor = WhisperProcessor.from_pretrained(model)
        self._tokenizer, self._features = processor.tokenizer, processor.feature_extractor
        self._model = WhisperForConditionalGeneration.from_pretrained(model, dtype=getattr(torch, settings.dtype))
        self._model.to(torch.device(self._device)).eval()  # type: ignore[arg-type]
        generation: Any = self._model.generation_config
        if f"<|{settings.language}|>" not in getattr(generation, "lang_to_id", {}):
            raise UserError(
                f"--whisper {model} knows no language {settings.language} (lang_to_id in its generation_config.json): "
                "give --whisper.language one of Whisper's codes, such as zh or en, or another model."
            )
        if not getattr(generation, "alignment_heads", None):
            raise UserError(
                f"--whisper {model} gives words no times: its generation_config.json lacks alignment_heads; "
                "copy them from the model that it was fine-tuned from."
            )
        self._first_stamp: int = generation.no_timestamps_token_id + 1

    def transcribe(self, batch: Sequence[np.ndarray]) -> list[Transcript]:
        """Transcribe recordings (float32, mono, 16 kHz, at least 0.1 s), one transcript each, in order."""
        return [self._hear(audio) for audio in batch]

    @torch.inference_mode()
    def _hear(self, audio: np.ndarray) -> Transcript:
        windows = len(audio) > self._features.n_samples
        inputs = self._features(
            audio,
            sampling_rate=SAMPLE_RATE,
            return_tensors="pt",
            return_attention_mask=True,
            truncation=False,
            padding="longest" if windows else "max_length",
        )
        output = self._model.generate(
            inputs.input_features.to(self._device, self._model.dtype),
            attention_mask=inputs.attention_mask.to(self._device),
            language=self._settings.language,
            task="transcribe",
            num_beams=self._settings.beam_size,
            do_sample=False,
            temperature=0.0,
            no_speech_threshold=self._settings.no_speech_threshold,
            logprob_threshold=self._settings.log_prob_threshold,
            condition_on_prev_tokens=windows and self._settings.condition_on_previous_text,
            return_timestamps=True,
            return_token_timestamps=True,
            return_segments=True,
        )
        segments = output["segments"][0]
        pieces = [piece for segment in segments for piece in self._pieces(segment)]
        transcript = transcript_from_pieces(pieces, len(audio) / SAMPLE_RATE, self.name)
        return replace(transcript, confidence=self._confidence(segments))

    def _pieces(self, segment: dict) -> list[Piece]:
        """Turn a segment's text tokens into pieces.

        Transformers says where the decoder looks after each token: there the next one starts. What comes first would
        start with its window, however long the silence before it; there the model's own timestamp counts.
        """
        tokens, ends = segment["tokens"].tolist(), segment["token_timestamps"].tolist()
        starts = [float(segment["start"]), *ends[:-1]]
        end_of_text = self._tokenizer.eos_token_id
        text = [i for i, token in enumerate(tokens) if token < end_of_text]
        if text and text[0]:
            first = text[0]
            starts[first] = min(max(starts[first], self._start_s(segment, tokens, text)), ends[first])
        return pieces_from_tokens(
            [(token_to_bytes(self._tokenizer.convert_ids_to_tokens(tokens[i])), starts[i], ends[i]) for i in text]
        )

    def _confidence(self, segments: Sequence[dict]) -> float | None:
        """Return the mean probability of the text tokens; Transformers has their scores at hand for its thresholds."""
        found: list[float] = []
        window, prompt = None, 0
        for segment in segments:
            if segment["result"] is not window:  # a window's first segment begins behind its prompt
                window, prompt = segment["result"], segment["idxs"][0]
            first, end = (place - prompt for place in segment["idxs"])
            tokens = segment["tokens"].cpu()
            probabilities = torch.stack(segment["result"]["scores"][first:end]).float().softmax(-1)
            own = probabilities.gather(-1, tokens[:, None]).squeeze(-1)
            found += own[tokens < self._tokenizer.eos_token_id].tolist()
        return sum(found) / len(found) if found else None

    def _start_s(self, segment: dict, tokens: list[int], text: list[int]) -> float:
        """Return the second at which a segment starts by the timestamp in front of its text.

        Transformers gives a window's only segment the start of the window, but each segment its own end: the timestamp
        behind its text. Where there is none, the text was cut off, and the segment is its window's only one.
        """
        start_s, *end_s = [
            _STAMP_S * (token - self._first_stamp) for token in (tokens[text[0] - 1], *tokens[text[-1] + 1 :][:1])
        ]
        return start_s + (float(segment["end"]) - end_s[0] if end_s else float(segment["start"]))


def token_to_bytes(token: str) -> bytes:
    """Turn a token of a byte-level vocabulary, where each character stands for one byte, into its bytes."""
    return bytes(_BYTE_OF[character] for character in token)


def pieces_from_tokens(tokens: Sequence[tuple[bytes, float, float]]) -> list[Piece]:
    """Join tokens until their bytes are whole UTF-8 characters; bytes that never become whole are dropped.

    Args:
        tokens: Bytes, start and end in seconds of each token. Rare Chinese characters are split over several.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")
    pieces: list[Piece] = []
    text, start_s = "", None
    for token, token_start_s, token_end_s in tokens:
        start_s = token_start_s if start_s is None else start_s
        text += decoder.decode(token)
        if not decoder.getstate()[0]:
            if text:
                pieces.append(Piece(text, start_s, token_end_s))
            text, start_s = "", None
    return pieces


def load_whisper(model: str, settings: Whisper, device: str | None = None) -> Recognizer:
    """Load Whisper with the library that the settings name.

    Raises:
        UserError: The model cannot write the language.
    """
    if settings.backend == "transformers":
        return TransformersWhisper(model, settings, device)
    from pipeline.speech.faster_whisper import FasterWhisper

    return FasterWhisper(model, settings, device)
