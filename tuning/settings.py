"""Every knob of training, with the three profiles that set them; see ``python -m jobs.finetune_asr --help``."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

from pipeline import demo
from pipeline.errors import UserError


@dataclass(frozen=True)
class Asr:
    """How Parakeet is trained. The defaults are the reference method's."""

    parakeet: str = "nvidia/parakeet-tdt-0.6b-v2"
    """Parakeet TDT model to begin with: a .nemo file or a hub name."""

    learning_rate: float = 1e-4
    """AdamW's learning rate after the warm-up, from where it falls along a cosine."""

    min_learning_rate: float = 5e-6
    """Where the cosine ends."""

    betas: tuple[float, float] = (0.9, 0.98)
    """AdamW's decay rates of the gradient's mean and square."""

    weight_decay: float = 1e-3
    """AdamW's weight decay."""

    warmup_steps: int = 5000
    """Steps of the optimizer over which the learning rate rises."""

    warmup_share: float = 1.0
    """The warm-up ends at the latest after this share of all steps, 0 to 1."""

    epochs: int = 50
    """How often all recordings are heard."""

    patience: int = 0
    """End after so many epochs without a better validation. 0: go through all epochs."""

    batch_size: int = 2
    """Most recordings in a batch of one GPU."""

    batch_seconds: float = 0.0
    """Most seconds in a batch of one GPU, padding included; recordings of like length then share a batch. 0: no such
    limit, and batches are drawn from all lengths."""

    accumulation: int = 2
    """Batches, over all GPUs, for one step of the optimizer."""

    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """float32 throughout, or float32 weights with most of the computation in bfloat16."""

    freq_masks: int = 2
    """SpecAugment: bands of frequencies that are masked in each recording."""

    freq_width: int = 27
    """SpecAugment: widest band, in mel channels."""

    time_masks: int = 10
    """SpecAugment: stretches of time that are masked in each recording."""

    time_width: float = 0.05
    """SpecAugment: longest stretch, as a share of the recording."""

    min_duration_s: float = 0.1
    """Shortest recording that is trained or validated on (seconds)."""

    max_duration_s: float = 35.0
    """Longest recording that is trained or validated on (seconds)."""

    keep: int = 5
    """Best checkpoints that are kept, beside the last."""

    loaders: int = 4
    """Processes that read audio for one GPU; 0 reads in the training's own."""

    seed: int = 1126
    """Seed of batches and masks."""


def check(asr: Asr) -> None:
    """Refuse values that no training can work with.

    Raises:
        UserError: A number is out of its range.
    """
    least = {"epochs": 1, "batch_size": 1, "accumulation": 1, "keep": 1}
    most = {"warmup_share": 1.0, "time_width": 1.0, "min_learning_rate": asr.learning_rate}
    for knob in fields(asr):
        value, option = getattr(asr, knob.name), f"--{knob.name.replace('_', '-')}"
        if isinstance(value, int | float) and not least.get(knob.name, 0) <= value <= most.get(knob.name, math.inf):
            span = f"from {least.get(knob.name, 0)}"
            span += f" to {most[knob.name]:g}" if knob.name in most else ""
            raise UserError(f"{option} {value}: give a number {span}.")
    if not all(0 <= beta < 1 for beta in asr.betas):
        raise UserError("--betas: give two numbers from 0 to below 1.")
    if 0 < asr.batch_seconds < asr.max_duration_s:
        raise UserError(
            f"--batch-seconds {asr.batch_seconds}: the longest recording has {asr.max_duration_s:g} s "
            "(--max-duration-s), and a batch has to hold it."
        )
    if asr.min_duration_s > asr.max_duration_s:
        raise UserError("--min-duration-s is above --max-duration-s: no recording is left.")


def demo_asr() -> Asr:
    """The demo's small model on the CPU: a walk through the training."""
    return Asr(
        parakeet=demo.model_paths()["parakeet"],
        learning_rate=3e-3,
        min_learning_rate=1e-4,
        warmup_share=0.1,
        epochs=20,
        batch_size=8,
        batch_seconds=60.0,
        accumulation=1,
        loaders=0,
    )


def rtx4090_asr() -> Asr:
    """The reference's optimizer, with less waiting on one 24 GB card.

    bfloat16 runs on the card's matrix units and halves what a second of audio takes of its memory. A batch holds up to
    100 s of recordings of like length: about as many recordings as the reference's two times two, in one pass and with
    little padding. The warm-up is a tenth of all steps, for 5000 steps would be most of a smaller corpus' training.
    Ten epochs without a better validation end it.
    """
    return Asr(
        warmup_share=0.1, patience=10, batch_size=16, batch_seconds=100.0, accumulation=1, precision="bf16-mixed"
    )


def reference_asr() -> Asr:
    """The reference method, which took 5.6 hours and 21.7 GiB of one RTX 4090."""
    return Asr()


ASR_PROFILES: dict[str, Callable[[], Asr]] = {
    "demo": demo_asr,
    "rtx4090": rtx4090_asr,
    "reference": reference_asr,
}
