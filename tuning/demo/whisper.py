"""First training of the demo's Whisper, from random weights, on speech whose words have exact times.

``python -m tuning.demo.whisper --corpus CORPUS --out FOLDER --work CHECKPOINTS``; the same command goes on where it was
stopped. Two things let so small a model learn to listen within an hour on a CPU core. The exact times show two heads of
the cross-attention where to look: one at the token just read, one, a layer above, at the token to be written; the
latter gives words their times afterwards. And what the encoder makes of a token's positions has to tell the token by
itself.

English speech, too, is written behind ``<|zh|>``: decoding always says so, and the text decides the language.
"""

import copy
import json
import math
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import torch
import tyro
from torch.nn import functional
from transformers import WhisperConfig, WhisperForConditionalGeneration, WhisperTokenizer
from transformers.utils import logging

from pipeline.scoring.normalise import normalise
from pipeline.speech.language import language_of
from tuning.demo.checkpoint import Checkpoint
from tuning.demo.corpus import read_clips
from tuning.demo.whisper_examples import Batch, Example, batches, collate, read_examples, split_texts
from tuning.demo.whisper_files import save_whisper, whisper_token_ids, whisper_tokenizer

TRAINING, VALIDATION = ("phase1", "phase2"), "valid"
WINDOW_S = 10
VOCABULARY = 2000
READING_HEAD, WRITING_HEAD = (0, 0), (1, 0)
"""Layer and head of the decoder that look where the token that is read, or written, is said."""


LOSSES = {"text": 1.0, "reading": 0.5, "writing": 1.0, "acoustic": 1.0, "script": 4.0}
"""On what is written, on where the reading and the writing head look, on what the encoder alone tells of a token, and
on Chinese characters in English speech; with their weights."""

CHECK_EVERY = 500
FACTS = "whisper.json"
"""Written last, beside the checkpoints: a training without it is not finished."""

_WARMUP_STEPS = 400
_WINDOW_SHARE = 0.15
"""Share of the batches that are as long as the window, as all input is in decoding."""

_UNTIMED_SHARE = 0.15
"""Share of the batches without timestamps, as CTranslate2 aligns a text."""

_EMBEDDINGS = 0.05
_AWAY = (2, 4, 6, 8)
"""Positions of 20 ms by which the encoder's heads look back and ahead at first, layer by layer."""

_SHARPNESS = 1.5
_LATIN = re.compile("[A-Za-z]")
_STAMP = re.compile(r"<\|[0-9.]+\|>")
_NOT_SAID = 1e-6
_VALIDATED = 100


@dataclass(frozen=True)
class Training:
    """Train the demo's Whisper on the made-up clinic."""

    corpus: Path
    """Folder of the clinic's corpus, as `jobs.demo --make-corpus` writes it."""

    out: Path
    """Folder for the model, in Transformers' form."""

    work: Path
    """Folder for features and checkpoints of this corpus; the same command goes on from the last."""

    start: Path | None = None
    """A folder with a model of this shape to begin with, its tokenizer included. Without it: random weights."""

    steps: int = 6_000
    """Steps of the optimiser."""

    batch_s: float = 48.0
    """Seconds of sound in a step."""

    learning_rate: float = 1.5e-3
    """Highest rate: it rises over the first 400 steps and falls by a cosine to nothing."""

    seed: int = 0
    """Of weights, order and noise."""


def main(settings: Training) -> None:
    """Train, or go on with a training, and write the model."""
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    tokenizer, training, validation = _prepare(settings)
    torch.manual_seed(settings.seed)
    model = build(tokenizer)
    if settings.start:
        model.load_state_dict(
            WhisperForConditionalGeneration.from_pretrained(settings.start, dtype=torch.float32).state_dict()
        )
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    checkpoint = Checkpoint(settings.work / "whisper.pt", {"model": model, "optimizer": optimizer})
    parameters = sum(weights.numel() for weights in model.parameters())
    print(f"{parameters} parameters, {len(training)} recordings", flush=True)

    noted: list[torch.Tensor] = []
    order = _Order(training, settings)
    for step in range(checkpoint.step, settings.steps):
        torch.manual_seed(settings.seed + step)  # so that a training that goes on is the one that never stopped
        window_s = WINDOW_S if torch.rand(()) < _WINDOW_SHARE else None
        batch = collate(order.at(step), tokenizer, window_s, timestamps=bool(torch.rand(()) >= _UNTIMED_SHARE))
        mask_features(batch.features)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(step, settings.steps)
        parts = losses(model.train(), batch)
        loss = (parts * torch.tensor(list(LOSSES.values()))).sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        noted.append(parts.detach())
        done = step + 1
        if done % 100 == 0:
            means = zip(LOSSES, torch.stack(noted).mean(0).tolist(), strict=True)
            shown = ", ".join(f"{name} {mean:.3f}" for name, mean in means)
            print(f"step {done}: {shown}, {checkpoint.seconds:.0f} s", flush=True)
            noted.clear()
        if done % CHECK_EVERY == 0 or done == settings.steps:
            checkpoint.save(done)
            export(model, tokenizer, settings.work / "whisper")
            print(f"step {done}: {validate(settings.work / 'whisper', validation)}", flush=True)
    export(model, tokenizer, settings.out)
    facts = {"parameters": parameters, "recordings": len(training), "steps": settings.steps, "seed": settings.seed}
    (settings.work / FACTS).write_text(json.dumps(facts | {"seconds": round(checkpoint.seconds)}))


def _prepare(settings: Training) -> tuple[Any, list[Example], list[Example]]:
    """Train the tokenizer and read the examples, or find both in the work folder."""
    tokenizer_folder, file = settings.work / "tokenizer", settings.work / "examples.pt"
    if not file.is_file():
        settings.work.mkdir(parents=True, exist_ok=True)
        clips = [clip for phase in TRAINING for clip in read_clips(settings.corpus / phase)]
        tokenizer = (
            WhisperTokenizer.from_pretrained(settings.start)
            if settings.start
            else whisper_tokenizer(split_texts([clip.text for clip in clips]), VOCABULARY)
        )
        tokenizer.save_pretrained(tokenizer_folder)
        validation = read_clips(settings.corpus / VALIDATION)
        examples = tuple(read_examples(some, tokenizer, WINDOW_S) for some in (clips, validation))
        torch.save(examples, file.with_suffix(".tmp"))
        file.with_suffix(".tmp").replace(file)
    training, validation = torch.load(file, weights_only=False)
    english = [example for example in training if language_of(example.text) == "en"]
    mandarin = [example for example in training if language_of(example.text) == "zh"]
    mixed = [example for example in mandarin if _LATIN.search(example.text)]
    # Its English only has to be told from Mandarin; single words of it within Mandarin are the hardest of all.
    return WhisperTokenizer.from_pretrained(tokenizer_folder), mandarin + mixed + english[::2], validation


class _Order:
    """Which examples take part in a step, the same in every run."""

    def __init__(self, examples: list[Example], settings: Training):
        self._examples, self._settings = examples, settings
        self._epoch, self._begin = 0, 0
        self._batches = self._of_epoch()

    def at(self, step: int) -> list[Example]:
        """Return a step's examples; steps only grow."""
        while step >= self._begin + len(self._batches):
            self._begin += len(self._batches)
            self._epoch += 1
            self._batches = self._of_epoch()
        return self._batches[step - self._begin]

    def _of_epoch(self) -> list[list[Example]]:
        return batches(self._examples, self._settings.batch_s, self._settings.seed + self._epoch)


def _schedule(step: int, steps: int) -> float:
    """Return the share of the highest learning rate: it rises over the first steps and falls by a cosine."""
    if step < _WARMUP_STEPS:
        return (step + 1) / _WARMUP_STEPS
    return 0.5 + 0.5 * math.cos(math.pi * (step - _WARMUP_STEPS) / (steps - _WARMUP_STEPS))


def build(tokenizer: Any) -> WhisperForConditionalGeneration:
    """Build the model with random weights."""
    config = WhisperConfig(
        **whisper_token_ids(tokenizer),
        vocab_size=len(tokenizer),
        encoder_layers=4,
        decoder_layers=2,
        encoder_attention_heads=3,
        decoder_attention_heads=3,
        encoder_ffn_dim=768,
        decoder_ffn_dim=768,
        d_model=192,
        max_source_positions=50 * WINDOW_S,
        max_target_positions=448,
    )
    config._attn_implementation = "eager"  # the only one that shows its weights
    model = WhisperForConditionalGeneration(config)
    begin_locally(model)
    return model


@torch.no_grad()
def begin_locally(model: WhisperForConditionalGeneration) -> None:
    """Set random weights of a size that lets a small model learn, and let the encoder's heads begin like convolutions.

    A head of the encoder looks a fixed number of positions back, at the same position, or ahead, further in each layer:
    it compares the sines and cosines of the positions, turned by that distance (compare ConViT,
    https://arxiv.org/abs/2103.10697). From there it is free to learn.
    """
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Conv1d):
            gain = 2.0 if isinstance(module, torch.nn.Conv1d) else 1.0
            branch = name.endswith(("out_proj", "fc2"))
            torch.nn.init.normal_(
                module.weight, std=gain * (0.5 if branch else 1.0) / math.sqrt(module.weight[0].numel())
            )
    torch.nn.init.normal_(model.model.decoder.embed_tokens.weight, std=_EMBEDDINGS)
    torch.nn.init.normal_(model.model.decoder.embed_positions.weight, std=_EMBEDDINGS)

    encoder = model.model.encoder
    heads, width = model.config.encoder_attention_heads, model.config.d_model
    size, half = width // heads, width // 2
    waves = size // 2  # the fastest of the sinusoids
    speed = torch.exp(-math.log(10_000) / (half - 1) * torch.arange(waves))
    sines, cosines = torch.arange(waves), half + torch.arange(waves)
    for layer, away in zip(encoder.layers, _AWAY, strict=True):
        for head, distance in enumerate((-away, 0, away)):
            rows = slice(head * size, (head + 1) * size)
            query, key = torch.zeros(size, width), torch.zeros(size, width)
            wave = torch.arange(waves)
            query[wave, sines], query[wave, cosines] = torch.cos(speed * distance), torch.sin(speed * distance)
            query[waves + wave, cosines], query[waves + wave, sines] = (
                torch.cos(speed * distance),
                -torch.sin(speed * distance),
            )
            key[wave, sines] = key[waves + wave, cosines] = 1.0
            layer.self_attn.q_proj.weight[rows] = _SHARPNESS * query
            layer.self_attn.k_proj.weight[rows] = _SHARPNESS * key


def encode(model: WhisperForConditionalGeneration, features: torch.Tensor) -> torch.Tensor:
    """Encode features that are shorter than the window too: (examples, 80, frames) to (examples, frames / 2, width)."""
    encoder = model.model.encoder
    hidden = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(features)))).transpose(1, 2)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    for layer in encoder.layers:
        hidden = layer(hidden, None)
    return encoder.layer_norm(hidden)


def losses(model: WhisperForConditionalGeneration, batch: Batch) -> torch.Tensor:
    """Return the losses of a batch in the order of ``LOSSES``, in nats for a token."""
    with torch.autocast("cpu", torch.bfloat16):
        encoded = encode(model, batch.features)
        decoded = model.model.decoder(
            batch.inputs, encoder_hidden_states=encoded, use_cache=False, output_attentions=True
        )
        logits = model.proj_out(decoded.last_hidden_state)
        said = batch.spans.sum(-1) > 0
        told = model.proj_out(torch.bmm(batch.spans, encoded)[said])
    text = functional.cross_entropy(logits.flatten(0, 1).float(), batch.labels.flatten())
    looks = [decoded.cross_attentions[layer][:, head].float() for layer, head in (READING_HEAD, WRITING_HEAD)]
    reading = _misses(looks[0][:, 1:], batch.spans[:, :-1])
    writing = _misses(looks[1], batch.spans)
    acoustic = functional.cross_entropy(told.float(), batch.labels[said])
    return torch.stack([text, reading, writing, acoustic, _script(logits.float(), batch)])


def _script(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Return how likely Chinese is in English: one stray character, and a recording counts as Mandarin."""
    written = batch.labels >= 0
    english = ~batch.chinese[batch.labels.clamp_min(0)].any(1)
    chinese = logits.softmax(-1)[..., batch.chinese].sum(-1)
    return -torch.log1p(-chinese.clamp(max=1 - _NOT_SAID))[written & english[:, None]].sum() / written.sum()


def _misses(looks: torch.Tensor, spans: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of attention with the positions where tokens are said."""
    return -(spans * (looks + _NOT_SAID).log()).sum() / spans.sum()


def mask_features(features: torch.Tensor, bands: int = 12, frames: int = 15) -> None:
    """Replace two bands and two stretches of time of each example by its mean, in place (SpecAugment).

    Args:
        features: Shape (examples, 80, frames).
        bands: The most mel bands of a band.
        frames: The most frames of a stretch.
    """
    for example in features:
        mean = example.mean()
        for axis, most in ((0, bands), (1, frames), (0, bands), (1, frames)):
            width = int(torch.randint(0, most + 1, ()))
            start = int(torch.randint(0, example.shape[axis] - width, ()))
            example.narrow(axis, start, width).fill_(mean)


def export(model: WhisperForConditionalGeneration, tokenizer: Any, folder: Path) -> None:
    """Write the model as a Transformers folder in float16, which takes the place of one that is there."""
    unfinished = folder.with_name(f"unfinished-{folder.name}")
    save_whisper(unfinished, copy.deepcopy(model).half(), tokenizer, [list(WRITING_HEAD)], max_new_tokens=120)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.replace(folder)


@torch.inference_mode()
def validate(folder: Path, examples: list[Example]) -> dict[str, float]:
    """Transcribe some examples of each language greedily with an exported model.

    Returns:
        ``zh`` and ``en``: the error rates of characters and of words, both normalised; ``zh_right`` and ``en_right``:
        the shares whose text has the language of what was said.
    """
    model = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    tokenizer = WhisperTokenizer.from_pretrained(folder)
    scores: dict[str, float] = {}
    for language, rate in (("zh", jiwer.cer), ("en", jiwer.wer)):
        some = [example for example in examples if language_of(example.text) == language][:_VALIDATED]
        written: list[str] = []
        for start in range(0, len(some), 25):
            features = collate(some[start : start + 25], tokenizer, WINDOW_S).features
            tokens = model.generate(features, language="zh", task="transcribe", return_timestamps=True, num_beams=1)
            written += [_STAMP.sub("", text) for text in tokenizer.batch_decode(tokens, skip_special_tokens=True)]
        scores[language] = rate([normalise(example.text) for example in some], [normalise(text) for text in written])
        scores[f"{language}_right"] = sum(language_of(text) == language for text in written) / len(some)
    return {name: round(score, 4) for name, score in scores.items()}


if __name__ == "__main__":
    main(tyro.cli(Training))
