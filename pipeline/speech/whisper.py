"""Whisper through Transformers, and the choice between Transformers and CTranslate2."""

import codecs
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature, WhisperForConditionalGeneration, WhisperProcessor
from transformers.convert_slow_tokenizer import bytes_to_unicode

from pipeline.errors import UserError
from pipeline.settings import WhisperSettings
from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.language import LANGUAGES, languages_of
from pipeline.speech.routing import Whisper
from pipeline.speech.voice import WINDOW_S
from pipeline.speech.words import NO_SPEECH, Piece, Transcript, transcript_from_pieces

_TIMESTAMP_S = 0.02
"""Resolution of Whisper's timestamp tokens in seconds."""

_BYTE_OF = {character: byte for byte, character in bytes_to_unicode().items()}


class TransformersWhisper:
    """Whisper through Transformers: greedy or beam search without sampling, word times from cross-attention.

    Segments are transcribed one at a time. In a batch, Transformers also aligns the padding after the shorter texts,
    so the word times of a segment would depend on the others.

    Args:
        model: A Transformers folder or hub name.
        settings: Language, beams and precision.
        device: ``cuda`` or ``cpu``. By default, the GPU if there is one.

    Raises:
        UserError: The model cannot write the language, or has no alignment heads for word times.
    """

    name = "whisper"

    def __init__(self, model: str, settings: WhisperSettings, device: str | None = None):
        self._settings = settings
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        processor = WhisperProcessor.from_pretrained(model)
        self._tokenizer, self._features = processor.tokenizer, processor.feature_extractor
        self._model = WhisperForConditionalGeneration.from_pretrained(model, dtype=getattr(torch, settings.dtype))
        self._model.to(torch.device(self._device)).eval()  # type: ignore[arg-type]
        generation: Any = self._model.generation_config
        languages = languages_of(settings.language)
        known = getattr(generation, "lang_to_id", {})
        if not {f"<|{language}|>" for language in languages} <= set(known):
            raise UserError(
                f"--whisper {model} knows no language {settings.language} (lang_to_id in its generation_config.json): "
                "give --whisper.language one of Whisper's codes, such as zh or en, or another model."
            )
        if not getattr(generation, "alignment_heads", None):
            raise UserError(
                f"--whisper {model} gives words no times: its generation_config.json lacks alignment_heads; "
                "copy them from the model that it was fine-tuned from."
            )
        self._first_timestamp: int = generation.no_timestamps_token_id + 1

    def encode(self, batch: Sequence[np.ndarray], window_s: float = WINDOW_S) -> list[BatchFeature]:
        """Prepare segments (float32, mono, 16 kHz, at most 30 s): the features of each, and which are no padding.

        Transformers encodes them again in each of the calls below, and only in the whole window.
        """
        return [self._features_of(samples) for samples in batch]

    @torch.inference_mode()
    def english(self, encoded: Sequence[BatchFeature]) -> list[float]:
        """Return the probability that a segment is English, out of English and Mandarin, for each."""
        start = torch.tensor([[self._model.config.decoder_start_token_id]], device=self._device)
        generation: Any = self._model.generation_config
        tokens = [generation.lang_to_id[f"<|{language}|>"] for language in LANGUAGES]
        found = []
        for features in encoded:
            window = features.input_features[:, :, : self._features.nb_max_frames]
            scores = self._model(window, decoder_input_ids=start).logits[0, -1, tokens]
            found.append(float(scores.float().softmax(-1)[LANGUAGES.index("en")]))
        return found

    def write(self, encoded: Sequence[BatchFeature], durations_s: Sequence[float], language: str) -> list[Transcript]:
        """Transcribe segments of these durations in one language, one transcript each, in order."""
        return [
            self._write(features, duration_s, language)
            for features, duration_s in zip(encoded, durations_s, strict=True)
        ]

    def _features_of(self, samples: np.ndarray) -> BatchFeature:
        """Compute the features of a segment; small models have a shorter window, and then it may take several."""
        features = self._features(
            samples,
            sampling_rate=SAMPLE_RATE,
            return_tensors="pt",
            return_attention_mask=True,
            truncation=False,
            padding="longest" if len(samples) > self._features.n_samples else "max_length",
        )
        return features.to(self._device, self._model.dtype)

    @torch.inference_mode()
    def _write(self, features: BatchFeature, duration_s: float, language: str) -> Transcript:
        output = self._model.generate(
            features.input_features,
            attention_mask=features.attention_mask,
            language=language,
            task="transcribe",
            num_beams=self._settings.beam_size,
            do_sample=False,
            temperature=0.0,
            no_speech_threshold=self._settings.no_speech_threshold,
            logprob_threshold=self._settings.log_prob_threshold,
            condition_on_prev_tokens=False,
            return_timestamps=True,
            return_token_timestamps=True,
            return_segments=True,
        )
        segments = output["segments"][0]
        pieces = [piece for segment in segments for piece in self._pieces(segment)]
        transcript = transcript_from_pieces(pieces, duration_s, self.name)
        note = None if transcript.text else NO_SPEECH
        return replace(transcript, confidence=self._confidence(segments), note=note)

    def _pieces(self, segment: dict) -> list[Piece]:
        """Convert a segment's text tokens to pieces.

        Transformers gives the end of each token, where the next one starts. The first text token would therefore start
        with its window, even after a long silence. The model's own timestamp is used for it instead.
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
        """Return the mean probability of the text tokens, from the scores that Transformers uses for its thresholds."""
        found: list[float] = []
        window, prompt = None, 0
        for segment in segments:
            if segment["result"] is not window:  # a window's first segment starts after its prompt
                window, prompt = segment["result"], segment["idxs"][0]
            first, end = (index - prompt for index in segment["idxs"])
            tokens = segment["tokens"].cpu()
            probabilities = torch.stack(segment["result"]["scores"][first:end]).float().softmax(-1)
            own = probabilities.gather(-1, tokens[:, None]).squeeze(-1)
            found += own[tokens < self._tokenizer.eos_token_id].tolist()
        return sum(found) / len(found) if found else None

    def _start_s(self, segment: dict, tokens: list[int], text: list[int]) -> float:
        """Return the start of a segment's text in seconds, from the timestamp token before it.

        Transformers sets the start of a window's only segment to that of the window, but the end of every segment to
        the timestamp after its text. Without that timestamp, the text was cut off, and the segment is the only one.
        """
        start_s, *end_s = [
            _TIMESTAMP_S * (token - self._first_timestamp)
            for token in (tokens[text[0] - 1], *tokens[text[-1] + 1 :][:1])
        ]
        return start_s + (float(segment["end"]) - end_s[0] if end_s else float(segment["start"]))


def token_to_bytes(token: str) -> bytes:
    """Convert a token of a byte-level vocabulary, in which each character stands for one byte, to its bytes."""
    return bytes(_BYTE_OF[character] for character in token)


def pieces_from_tokens(tokens: Sequence[tuple[bytes, float, float]]) -> list[Piece]:
    """Join tokens into pieces of whole UTF-8 characters; bytes that form no character are dropped.

    Args:
        tokens: Bytes, start and end (seconds) of each token. A rare Chinese character can take several tokens.
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


def load_whisper(model: str, settings: WhisperSettings, device: str | None = None) -> Whisper:
    """Load Whisper with the library that the settings choose.

    Raises:
        UserError: The model cannot be used with these settings.
    """
    if settings.backend == "transformers":
        return TransformersWhisper(model, settings, device)
    from pipeline.speech.faster_whisper import FasterWhisper

    return FasterWhisper(model, settings, device)
