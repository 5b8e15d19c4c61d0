"""What the demo's Whisper is trained on: features of recordings, and tokens that know when they are said."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from transformers import WhisperFeatureExtractor

from pipeline.errors import UserError
from pipeline.settings import Decoding
from pipeline.speech.audio import SAMPLE_RATE, decode, find_recordings
from pipeline.speech.words import CJK
from pipeline.tables import TRANSCRIPTS

FRAMES_PER_S = 100
POSITIONS_PER_S = 50
"""Positions of the encoder: its second convolution takes every other frame."""

_CHARACTER = re.compile(rf"[{CJK}]|[^{CJK}]+")
_SILENCE_S = 0.2
_END_STEP_S = 0.5
_SECONDS_AHEAD = 1000.0


@dataclass(frozen=True)
class Clip:
    """A recording with its transcript.

    Attributes:
        recording_id: Its id.
        text: What is said.
        features: Log-mel frames as the feature extractor makes them for a whole window, without the silence behind
            the recording; float16, shape (80, frames).
        tokens: Ids of the text's tokens.
        times: Start and end of each token in seconds.
        end_s: End of the last word.
    """

    recording_id: str
    text: str
    features: torch.Tensor
    tokens: list[int]
    times: list[tuple[float, float]]
    end_s: float


@dataclass(frozen=True)
class Batch:
    """Clips side by side.

    Attributes:
        features: float32, shape (clips, 80, frames); silence behind the shorter ones.
        inputs: What the decoder reads, shape (clips, tokens).
        labels: What it is to write, -100 behind the shorter ones; same shape.
        spans: The positions of the encoder at which each label is said, as weights with the sum 1; rows of zeros for
            labels that are not said. Shape (clips, tokens, frames / 2).
    """

    features: torch.Tensor
    inputs: torch.Tensor
    labels: torch.Tensor
    spans: torch.Tensor


def split_texts(texts: Sequence[str]) -> Iterator[str]:
    """Cut texts before and behind each CJK ideograph, so that a tokenizer trained on the parts joins no two."""
    return (part for text in texts for part in _CHARACTER.findall(text))


def read_transcripts(folder: Path) -> list[dict[str, Any]]:
    """Read the transcripts of a folder of the corpus, with exact times.

    Raises:
        UserError: There are none.
    """
    file = folder / "transcripts.parquet"
    if not file.is_file():
        raise UserError(f"--corpus: {file} does not exist; make the corpus first.")
    return pq.read_table(file, schema=TRANSCRIPTS).to_pylist()


def read_clips(folder: Path, tokenizer: Any, window_s: int) -> list[Clip]:
    """Read all recordings of a folder that fit the window and hold speech.

    Args:
        folder: Has ``audio/`` and ``transcripts.parquet``.
        tokenizer: Whisper's.
        window_s: The model's window.
    """
    extract = WhisperFeatureExtractor(feature_size=80, chunk_length=window_s)
    paths = find_recordings(str(folder / "audio"), "--corpus")
    clips = []
    for row in read_transcripts(folder):
        samples = decode(paths[row["recording_id"]], Decoding()).samples
        if not row["words"] or len(samples) > window_s * SAMPLE_RATE:
            continue
        frames = extract(samples, sampling_rate=SAMPLE_RATE, return_tensors="np")["input_features"][0]
        length = min(len(samples) * FRAMES_PER_S // SAMPLE_RATE + 3, frames.shape[1])
        tokens, times = timed_tokens(row["text"], row["words"], tokenizer)
        features = torch.from_numpy(frames[:, :length].astype(np.float16))
        clips.append(Clip(row["recording_id"], row["text"], features, tokens, times, row["words"][-1]["end_s"]))
    return clips


def timed_tokens(
    text: str, words: Sequence[dict[str, Any]], tokenizer: Any
) -> tuple[list[int], list[tuple[float, float]]]:
    """Tokenize a text; time runs evenly over the characters of a word, and punctuation lies in the pause behind it.

    Args:
        text: The transcript.
        words: Its words, in order, with their characters and times.
        tokenizer: Whisper's.

    Returns:
        Ids of the tokens, and start and end of each in seconds.
    """
    seconds = np.full((len(text), 2), np.nan)
    following = [word["start_s"] for word in words[1:]] + [words[-1]["end_s"] + _SILENCE_S]
    for word, next_s in zip(words, following, strict=True):
        start, end = word["char_start"], word["char_end"]
        spoken = max((i for i in range(start, end) if text[i].isalnum()), default=end - 1) + 1
        edges = np.linspace(word["start_s"], word["end_s"], spoken - start + 1)
        seconds[start:spoken] = np.stack([edges[:-1], edges[1:]], axis=1)
        seconds[spoken:end] = word["end_s"], max(next_s, word["end_s"])
    encoding = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
    times: list[tuple[float, float]] = []
    for start, end in encoding.offsets:
        known = seconds[start:end][~np.isnan(seconds[start:end, 0])]
        earlier = times[-1][1] if times else 0.0
        times.append((float(known[0, 0]), float(known[-1, 1])) if len(known) else (earlier, earlier))
    return encoding.ids, times


def batches(clips: Sequence[Clip], batch_s: float, seed: int) -> list[list[Clip]]:
    """Put clips of about one length together, in random order.

    Args:
        clips: All of them; each is in one batch.
        batch_s: Length of a batch in seconds, with the silence behind its shorter clips.
        seed: Of the order.
    """
    rng = random.Random(seed)
    by_length = sorted(clips, key=lambda clip: clip.features.shape[1] * rng.uniform(0.9, 1.1))
    found: list[list[Clip]] = [[]]
    longest = 0
    for clip in by_length:
        longest = max(longest, clip.features.shape[1])
        if longest * (len(found[-1]) + 1) > batch_s * FRAMES_PER_S:
            found.append([])
            longest = clip.features.shape[1]
        found[-1].append(clip)
    rng.shuffle(found)
    return [batch for batch in found if batch]


def collate(clips: Sequence[Clip], tokenizer: Any, window_s: float | None = None, timestamps: bool = True) -> Batch:
    """Make a batch.

    Args:
        clips: Its clips.
        tokenizer: Whisper's.
        window_s: Its length; as long as the longest clip if None.
        timestamps: Whether the text stands between timestamps, as in decoding, or behind ``<|notimestamps|>``, as
            where CTranslate2 aligns a text.
    """
    ids = tokenizer.convert_tokens_to_ids
    prompt = ids(["<|startoftranscript|>", "<|zh|>", "<|transcribe|>"])
    frames = int((window_s or 0) * FRAMES_PER_S) or max(clip.features.shape[1] for clip in clips)
    frames += frames % 2
    features = torch.zeros(len(clips), len(clips[0].features), frames)
    rows: list[list[int]] = []
    spans = torch.zeros(len(clips), max(len(clip.tokens) for clip in clips) + 5, frames // 2)
    for i, clip in enumerate(clips):
        features[i] = clip.features.min()
        features[i, :, : clip.features.shape[1]] = clip.features
        rounded = min(-(-clip.end_s // _END_STEP_S) * _END_STEP_S, window_s or _SECONDS_AHEAD)
        end = [ids(f"<|{rounded:.2f}|>")] if timestamps else []
        begin = ids("<|0.00|>" if timestamps else "<|notimestamps|>")
        rows.append([*prompt, begin, *clip.tokens, *end, tokenizer.eos_token_id])
        silence = (clip.end_s, clip.end_s + _SILENCE_S)
        for row, (start_s, end_s) in enumerate([*clip.times, *[silence] * (1 + timestamps)], len(prompt)):
            first = min(round(start_s * POSITIONS_PER_S), frames // 2 - 1)
            last = max(min(round(end_s * POSITIONS_PER_S), frames // 2), first + 1)
            spans[i, row, first:last] = 1 / (last - first)
    longest = max(map(len, rows))
    padded = torch.tensor([row + [-100] * (longest - len(row)) for row in rows])
    return Batch(features, padded[:, :-1].clamp_min(0), padded[:, 1:], spans[:, : longest - 1])
