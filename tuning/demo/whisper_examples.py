"""What the demo's Whisper is trained on: features of recordings, and tokens that know when they are said."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from transformers import WhisperFeatureExtractor

from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.whisper import token_to_bytes
from pipeline.speech.words import CJK, Word
from tuning.demo.corpus import Clip

FRAMES_PER_S = 100
POSITIONS_PER_S = 50
"""Positions of the encoder: its second convolution takes every other frame."""

_CHARACTER = re.compile(rf"[{CJK}]|[^{CJK}]+")
_SILENCE_S = 0.2
_END_STEP_S = 0.5
_SECONDS_AHEAD = 1000.0


@dataclass(frozen=True)
class Example:
    """A recording as the model takes it, with its transcript.

    Attributes:
        text: What is said.
        features: Log-mel frames as the feature extractor makes them for a whole window, without the silence behind
            the recording; float16, shape (80, frames).
        tokens: Ids of the text's tokens.
        times: Start and end of each token in seconds.
        end_s: End of the last word.
    """

    text: str
    features: torch.Tensor
    tokens: list[int]
    times: list[tuple[float, float]]
    end_s: float


@dataclass(frozen=True)
class Batch:
    """Examples side by side.

    Attributes:
        features: float32, shape (examples, 80, frames); silence behind the shorter ones.
        inputs: What the decoder reads, shape (examples, tokens).
        labels: What it is to write, -100 behind the shorter ones; same shape.
        spans: The positions of the encoder at which each label is said, as weights with the sum 1; rows of zeros for
            labels that are not said. Shape (examples, tokens, frames / 2).
        chinese: Which tokens of the vocabulary are of Chinese characters; shape (vocabulary,).
    """

    features: torch.Tensor
    inputs: torch.Tensor
    labels: torch.Tensor
    spans: torch.Tensor
    chinese: torch.Tensor


def split_texts(texts: Sequence[str]) -> Iterator[str]:
    """Cut texts before and behind each CJK ideograph, so that a tokenizer trained on the parts joins no two."""
    return (part for text in texts for part in _CHARACTER.findall(text))


def read_examples(clips: Sequence[Clip], tokenizer: Any, window_s: int) -> list[Example]:
    """Make examples of all clips that fit the window.

    Args:
        clips: Recordings of the corpus.
        tokenizer: Whisper's.
        window_s: The model's window.
    """
    extract = WhisperFeatureExtractor(feature_size=80, chunk_length=window_s)
    examples = []
    for clip in clips:
        samples = clip.samples()
        if len(samples) > window_s * SAMPLE_RATE:
            continue
        frames = extract(samples, sampling_rate=SAMPLE_RATE, return_tensors="np")["input_features"][0]
        length = min(len(samples) * FRAMES_PER_S // SAMPLE_RATE + 3, frames.shape[1])
        features = torch.from_numpy(frames[:, :length].astype(np.float16))
        tokens, times = timed_tokens(clip.text, clip.words, tokenizer)
        examples.append(Example(clip.text, features, tokens, times, clip.words[-1].end_s))
    return examples


def timed_tokens(text: str, words: Sequence[Word], tokenizer: Any) -> tuple[list[int], list[tuple[float, float]]]:
    """Tokenize a text; time runs evenly over the characters of a word, and punctuation lies in the pause behind it.

    Args:
        text: The transcript.
        words: Its words, in order, with their characters and times.
        tokenizer: Whisper's.

    Returns:
        Ids of the tokens, and start and end of each in seconds.
    """
    seconds = np.full((len(text), 2), np.nan)
    following = [word.start_s for word in words[1:]] + [words[-1].end_s + _SILENCE_S]
    for word, next_s in zip(words, following, strict=True):
        start, end = word.char_start, word.char_end
        spoken = max((i for i in range(start, end) if text[i].isalnum()), default=end - 1) + 1
        edges = np.linspace(word.start_s, word.end_s, spoken - start + 1)
        seconds[start:spoken] = np.stack([edges[:-1], edges[1:]], axis=1)
        seconds[spoken:end] = word.end_s, max(next_s, word.end_s)
    encoding = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
    times: list[tuple[float, float]] = []
    for start, end in encoding.offsets:
        known = seconds[start:end][~np.isnan(seconds[start:end, 0])]
        earlier = times[-1][1] if times else 0.0
        times.append((float(known[0, 0]), float(known[-1, 1])) if len(known) else (earlier, earlier))
    return encoding.ids, times


def batches(examples: Sequence[Example], batch_s: float, seed: int) -> list[list[Example]]:
    """Put examples of about one length together, in random order.

    Args:
        examples: All of them; each is in one batch.
        batch_s: Length of a batch in seconds, with the silence behind its shorter examples.
        seed: Of the order.
    """
    rng = random.Random(seed)
    by_length = sorted(examples, key=lambda example: example.features.shape[1] * rng.uniform(0.9, 1.1))
    found: list[list[Example]] = [[]]
    longest = 0
    for example in by_length:
        longest = max(longest, example.features.shape[1])
        if longest * (len(found[-1]) + 1) > batch_s * FRAMES_PER_S:
            found.append([])
            longest = example.features.shape[1]
        found[-1].append(example)
    rng.shuffle(found)
    return [batch for batch in found if batch]


def collate(
    examples: Sequence[Example], tokenizer: Any, window_s: float | None = None, timestamps: bool = True
) -> Batch:
    """Make a batch.

    Args:
        examples: Its examples.
        tokenizer: Whisper's.
        window_s: Its length; as long as the longest example if None.
        timestamps: Whether the text stands between timestamps, as in decoding, or behind ``<|notimestamps|>``, as
            where CTranslate2 aligns a text.
    """
    ids = tokenizer.convert_tokens_to_ids
    prompt = ids(["<|startoftranscript|>", "<|zh|>", "<|transcribe|>"])
    frames = int((window_s or 0) * FRAMES_PER_S) or max(example.features.shape[1] for example in examples)
    frames += frames % 2
    features = torch.zeros(len(examples), len(examples[0].features), frames)
    rows: list[list[int]] = []
    spans = torch.zeros(len(examples), max(len(example.tokens) for example in examples) + 5, frames // 2)
    for i, example in enumerate(examples):
        features[i] = example.features.min()
        features[i, :, : example.features.shape[1]] = example.features
        rounded = min(-(-example.end_s // _END_STEP_S) * _END_STEP_S, window_s or _SECONDS_AHEAD)
        end = [ids(f"<|{rounded:.2f}|>")] if timestamps else []
        start = 2 * round(example.times[0][0] * POSITIONS_PER_S) / FRAMES_PER_S
        begin = ids(f"<|{start:.2f}|>" if timestamps else "<|notimestamps|>")
        rows.append([*prompt, begin, *example.tokens, *end, tokenizer.eos_token_id])
        silence = (example.end_s, example.end_s + _SILENCE_S)
        for row, (start_s, end_s) in enumerate([*example.times, *[silence] * (1 + timestamps)], len(prompt)):
            first = min(round(start_s * POSITIONS_PER_S), frames // 2 - 1)
            last = max(min(round(end_s * POSITIONS_PER_S), frames // 2), first + 1)
            spans[i, row, first:last] = 1 / (last - first)
    longest = max(map(len, rows))
    padded = torch.tensor([row + [-100] * (longest - len(row)) for row in rows])
    spans = spans[:, : longest - 1]
    return Batch(features, padded[:, :-1].clamp_min(0), padded[:, 1:], spans, _chinese(tokenizer))


@cache
def _chinese(tokenizer: Any) -> torch.Tensor:
    """Say of each token whether it is a Chinese character or a part of one, which is no byte of ASCII."""
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    text = [i < tokenizer.eos_token_id and token != "" for i, token in enumerate(tokens)]
    return torch.tensor([own and not token_to_bytes(token).isascii() for own, token in zip(text, tokens, strict=True)])
