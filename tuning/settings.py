"""Every knob of training, with the three profiles that set them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pipeline import demo
from pipeline.errors import UserError
from pipeline.tagging.groups import read_yaml


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


def check_asr(asr: Asr) -> None:
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


@dataclass(frozen=True)
class Adapter:
    """How an adapter is trained. The defaults are those of the reference method, where the profile says no other."""

    base_model: str = "meta-llama/Llama-3.2-3B-Instruct"
    """Causal language model under the adapters: a Transformers folder or a hub name."""

    rank: int = 16
    """Rank of the LoRA matrices."""

    alpha: int = 32
    """Scale of what they add, over the rank."""

    dropout: float = 0.1
    """Share of their input that is dropped in training."""

    learning_rate: float = 4e-5
    """Peak of the learning rate, which falls linearly to 0."""

    weight_decay: float = 1e-4
    """Weight decay of AdamW."""

    epochs: int = 10
    """Epochs at most."""

    patience: int = 3
    """Epochs without a lower validation loss after which training stops; 0 never stops."""

    batch_size: int = 2
    """Sequences side by side: examples, or packs of them."""

    accumulation: int = 2
    """Batches of one optimizer step."""

    few_shot: int | None = None
    """Few-shot turns before each example, in training and then in inference; without it, those of the prepared set.
    With 0 an adapter learns from the answers alone, and most of the tokens are saved."""

    loss: Literal["answer", "all"] = "answer"
    """Learn from the answers only, or from the prompts too."""

    packing: bool = True
    """Put several short examples in one sequence; they do not see each other."""

    quantization: Literal["none", "nf4"] = "nf4"
    """nf4 holds the base model in 4 bits (bitsandbytes, double quantisation); without a GPU it is not in 4 bits."""

    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Precision of the computation."""

    seed: int = 1126
    """Of the weights, the dropout and the order of the examples."""

    num_gpus: float = 1.0
    """GPUs that one training takes. As many trainings run at once as the cluster has room for."""

    num_cpus: float = 1.0
    """CPUs that one training takes."""


def demo_adapter() -> Adapter:
    """Small models on the CPU."""
    return Adapter(
        base_model=demo.model_paths()["base_model"],
        learning_rate=1e-3,
        epochs=3,
        batch_size=8,
        accumulation=1,
        quantization="none",
        dtype="float32",
        num_gpus=0,
    )


def rtx4090_adapter() -> Adapter:
    """The reference's, on the answers alone and without the few-shot turns, which were most of its tokens."""
    return Adapter(few_shot=0)


def reference_adapter() -> Adapter:
    """The reference method: five few-shot turns before each example, and loss on all of it."""
    return Adapter(loss="all", patience=0)


def check_adapter(adapter: Adapter, prefix: str = "") -> None:
    """Refuse values that no training can work with.

    Args:
        adapter: The knobs.
        prefix: What stands before a knob's name in its option.

    Raises:
        UserError: A number is out of its range.
    """
    least = {"rank": 1, "alpha": 1, "epochs": 1, "batch_size": 1, "accumulation": 1}
    for knob in fields(adapter):
        value, option = getattr(adapter, knob.name), f"--{prefix}{knob.name.replace('_', '-')}"
        if knob.name == "dropout" and not 0 <= value < 1:
            raise UserError(f"{option} {value}: give a number from 0 to below 1.")
        if isinstance(value, int | float) and value < least.get(knob.name, 0):
            raise UserError(f"{option} {value}: give a number from {least.get(knob.name, 0)}.")


def read_settings(file: Path, adapter: Adapter) -> dict[str, Adapter]:
    """Read settings of single groups, which override the others: a YAML file of knobs by group.

    Args:
        file: As jobs.search writes it.
        adapter: What is not in the file.

    Raises:
        UserError: The file cannot be read, or holds something else.
    """
    content = read_yaml(file)
    known = {name: type_ for name, type_ in get_type_hints(Adapter).items() if name not in _NOT_OF_A_GROUP}
    own: dict[str, Adapter] = {}
    if not isinstance(content, dict):
        raise UserError(f"{file} holds no settings: write knobs by group, as jobs.search does.")
    for group, knobs in content.items():
        if not isinstance(knobs, dict) or not knobs.keys() <= known.keys():
            raise UserError(f"{file}, {group}: give knobs out of {', '.join(sorted(known))}.")
        for name, value in knobs.items():
            if not _fits(value, known[name]):
                raise UserError(f"{file}, {group}: {name} {value!r} is not {_what(known[name])}.")
        own[group] = replace(adapter, **knobs)
        check_adapter(own[group])
    return own


_NOT_OF_A_GROUP = ("base_model", "num_gpus", "num_cpus")


def _fits(value: Any, type_: Any) -> bool:
    """Say whether a value from a file is of a knob's type; a whole number will do for any number."""
    if get_origin(type_) is Literal:
        return value in get_args(type_)
    if isinstance(value, bool):
        return type_ is bool
    return isinstance(value, int if type_ is float else type_) or (type_ is float and isinstance(value, float))


def _what(type_: Any) -> str:
    if get_origin(type_) is Literal:
        return f"one of {', '.join(get_args(type_))}"
    return {bool: "true or false", int: "a whole number", float: "a number (write 0.00004 or 4.0e-05)"}.get(
        type_, "a whole number or null"
    )


ADAPTER_PROFILES: dict[str, Callable[[], Adapter]] = {
    "demo": demo_adapter,
    "rtx4090": rtx4090_adapter,
    "reference": reference_adapter,
}
