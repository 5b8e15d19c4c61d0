"""Every setting of training, with the three profiles."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_type_hints

from pydantic import TypeAdapter, ValidationError

from pipeline import demo
from pipeline.errors import UserError
from pipeline.settings import check_numbers
from pipeline.tagging.entity_groups import read_yaml


@dataclass(frozen=True)
class AsrSettings:
    """How Parakeet is trained. The defaults are the reference method's."""

    parakeet: str = "nvidia/parakeet-tdt-0.6b-v2"
    """Parakeet TDT model to begin with: a .nemo file or a hub name."""

    learning_rate: float = 1e-4
    """AdamW's learning rate at the end of the warm-up; from there it falls along a cosine."""

    min_learning_rate: float = 5e-6
    """Learning rate at the end of the cosine."""

    betas: tuple[float, float] = (0.9, 0.98)
    """AdamW's decay rates of the gradient's mean and square."""

    weight_decay: float = 1e-3
    """AdamW's weight decay."""

    warmup_steps: int = 5000
    """Steps of the optimizer over which the learning rate rises."""

    warmup_share: float = 1.0
    """The warm-up ends at the latest after this share of all steps, 0 to 1."""

    epochs: int = 50
    """How often all recordings are gone through."""

    patience: int = 0
    """Epochs without a better validation after which training stops; 0 never stops."""

    batch_size: int = 2
    """Most recordings in a batch of one GPU."""

    batch_seconds: float = 0.0
    """Most seconds in a batch of one GPU, padding included; recordings of similar length then share a batch. 0: no
    limit, and a batch has recordings of any length."""

    accumulation: int = 2
    """Batches of all GPUs for one step of the optimizer."""

    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the computation; bfloat16 keeps the weights in float32 (mixed precision)."""

    freq_masks: int = 2
    """SpecAugment: masked frequency bands in each recording."""

    freq_width: int = 27
    """SpecAugment: width of the widest band (mel channels)."""

    time_masks: int = 10
    """SpecAugment: masked spans of time in each recording."""

    time_width: float = 0.05
    """SpecAugment: length of the longest span, as a share of the recording."""

    min_duration_s: float = 0.1
    """Shortest recording that is trained or validated on (seconds)."""

    max_duration_s: float = 35.0
    """Longest recording that is trained or validated on (seconds)."""

    keep: int = 5
    """Best checkpoints that are kept beside the last."""

    loaders: int = 4
    """Processes that read audio for one GPU; 0 reads in the process of the training."""

    seed: int = 1126
    """Seed of batches and masks."""


def check_asr(asr: AsrSettings) -> None:
    """Raise a UserError, which names the option, if no training can work with a value."""
    least = {"epochs": 1, "batch_size": 1, "accumulation": 1, "keep": 1}
    check_numbers(vars(asr), least, {"warmup_share": 1, "time_width": 1, "min_learning_rate": asr.learning_rate})
    if not all(0 <= beta < 1 for beta in asr.betas):
        raise UserError("--betas: give two numbers from 0 to below 1.")
    if 0 < asr.batch_seconds < asr.max_duration_s:
        raise UserError(
            f"--batch-seconds {asr.batch_seconds}: the longest recording has {asr.max_duration_s:g} s "
            "(--max-duration-s), and a batch has to hold it."
        )
    if asr.min_duration_s > asr.max_duration_s:
        raise UserError("--min-duration-s is above --max-duration-s: no recording is left.")


ASR_PROFILES = {
    # The demo's small model on the CPU.
    "demo": AsrSettings(
        parakeet=demo.model_paths()["parakeet"],
        learning_rate=3e-3,
        min_learning_rate=1e-4,
        warmup_share=0.1,
        epochs=20,
        batch_size=8,
        batch_seconds=60.0,
        accumulation=1,
        loaders=0,
    ),
    # The reference's optimizer, faster on one 24 GB card. bfloat16 runs on the card's matrix units and halves the
    # memory of a second of audio. A batch holds up to 100 s of recordings of similar length: about as many as the
    # reference's two batches of two, in one pass and with little padding. The warm-up is a tenth of all steps, because
    # 5000 steps are most of the training on a small corpus. Ten epochs without a better validation end the training.
    "rtx4090": AsrSettings(
        warmup_share=0.1, patience=10, batch_size=16, batch_seconds=100.0, accumulation=1, dtype="bfloat16"
    ),
    # The reference method, which took 5.6 hours and 21.7 GiB of one RTX 4090.
    "reference": AsrSettings(),
}
"""Complete settings of Parakeet's training by name of the profile."""


@dataclass(frozen=True)
class AdapterSettings:
    """How an adapter is trained. The defaults are the reference method's, except for what its profile overrides."""

    base_model: str = "meta-llama/Llama-3.2-3B-Instruct"
    """Causal language model under the adapters: a Transformers folder or a hub name."""

    rank: int = 16
    """Rank of the LoRA matrices."""

    alpha: int = 32
    """Scale of the LoRA update; it is divided by the rank."""

    dropout: float = 0.1
    """Share of the LoRA layers' input that is dropped in training."""

    learning_rate: float = 4e-5
    """Learning rate at the beginning; it falls linearly to 0."""

    weight_decay: float = 1e-4
    """Weight decay of AdamW."""

    epochs: int = 10
    """Most epochs."""

    patience: int = 3
    """Epochs without a lower validation loss after which training stops; 0 never stops."""

    batch_size: int = 2
    """Sequences side by side: examples, or packs of them."""

    accumulation: int = 2
    """Batches of one optimizer step."""

    few_shot: int | None = None
    """Few-shot turns before each example, in training and then in inference; without it, all of the dataset's. 0 saves
    most of the tokens."""

    loss: Literal["answer", "all"] = "answer"
    """Learn from the answers only, or from the prompts too."""

    packing: bool = True
    """Put several short examples in one sequence, where none attends to another."""

    sequence_tokens: int = 1024
    """Most tokens of a sequence, and so what a training step takes of memory. An example that is longer is cut at the
    ends of sentences, into parts that overlap."""

    gradient_checkpointing: bool = False
    """Keep one layer's activations at a time and compute the others anew: a fraction of the memory, a third more
    time. For longer sequences, larger batches or a smaller card."""

    quantization: Literal["none", "nf4"] = "nf4"
    """nf4 holds the base model in 4 bits on a GPU (bitsandbytes, double quantisation); a CPU ignores it."""

    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Precision of the computation."""

    seed: int = 1126
    """Seed of the weights, the dropout and the order of the examples."""

    num_gpus: float = 1.0
    """GPUs of one training. As many trainings run at once as the cluster has room for."""

    num_cpus: float = 1.0
    """CPUs of one training."""


ADAPTER_PROFILES = {
    # The demo's small model on the CPU.
    "demo": AdapterSettings(
        base_model=demo.model_paths()["base_model"],
        learning_rate=1e-3,
        epochs=3,
        batch_size=8,
        accumulation=1,
        quantization="none",
        dtype="float32",
        num_gpus=0,
    ),
    # A real model that two CPU cores can train; a GPU takes minutes. Of so low a rank, six adapters are 13 MB together.
    "laptop": AdapterSettings(
        base_model="Qwen/Qwen2.5-Coder-0.5B-Instruct",
        rank=2,
        dropout=0.0,
        learning_rate=3e-4,
        epochs=2,
        batch_size=4,
        accumulation=1,
        few_shot=0,
        quantization="none",
        num_gpus=0,
        num_cpus=2,
    ),
    # The reference's, without the few-shot turns, which are most of its tokens, and with loss on the answers only.
    "rtx4090": AdapterSettings(few_shot=0),
    # The reference method: five few-shot turns before each example, and loss on all of it.
    "reference": AdapterSettings(loss="all", patience=0),
}
"""Complete settings of an adapter's training by name of the profile."""


def check_adapter(adapter: AdapterSettings, prefix: str = "") -> None:
    """Raise a UserError if no training can work with a value; ``prefix`` begins the names of the options."""
    least = {"rank": 1, "alpha": 1, "epochs": 1, "batch_size": 1, "accumulation": 1, "sequence_tokens": 128}
    check_numbers(vars(adapter), least, prefix=prefix)
    if adapter.dropout >= 1:
        raise UserError(f"--{prefix}dropout {adapter.dropout}: give a number from 0 to below 1.")


def read_settings(file: Path, adapter: AdapterSettings) -> dict[str, AdapterSettings]:
    """Read a YAML file of settings by entity group, which override those of all groups.

    Args:
        file: As jobs.search writes it.
        adapter: The settings that the file does not name.

    Raises:
        UserError: The file cannot be read, or holds something else.
    """
    content = read_yaml(file)
    known = get_type_hints(AdapterSettings)
    for name in ("base_model", "num_gpus", "num_cpus"):
        del known[name]
    own: dict[str, AdapterSettings] = {}
    if not isinstance(content, dict):
        raise UserError(f"{file} holds no settings: write them by group, as jobs.search does.")
    for group, values in content.items():
        if not isinstance(values, dict) or not values.keys() <= known.keys():
            raise UserError(f"{file}, {group}: give settings out of {', '.join(sorted(known))}.")
        for name, value in values.items():
            try:
                TypeAdapter(known[name]).validate_python(value, strict=True)
            except ValidationError as error:
                hint = " (write 0.00004 or 4.0e-05)" if known[name] is float else ""
                reason = error.errors()[0]["msg"].replace("Input", "it")
                raise UserError(f"{file}, {group}: {name} {value!r}: {reason}{hint}.") from None
        own[group] = replace(adapter, **values)
        check_adapter(own[group])
    return own
