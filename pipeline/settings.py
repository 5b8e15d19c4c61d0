"""Every knob of inference, with the three profiles that set them.

A job shows the knobs that it reads: ``python -m jobs.predict --help``. A profile is a complete set of values;
options on the command line override single ones.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from pipeline import demo
from pipeline.errors import UserError

NO_ADAPTERS = "none"
"""Value of the setting ``adapters`` with which the base model tags on its few-shot turns alone."""


@dataclass(frozen=True)
class Models:
    """Where the models are. Each is a folder, a file or a hub name (``organisation/name``)."""

    whisper: str = "andybi7676/cool-whisper"
    """Whisper model that hears every recording first: a Transformers or a CTranslate2 folder, or a hub name."""

    parakeet: str = "nvidia/parakeet-tdt-0.6b-v2"
    """Parakeet TDT model for English: a .nemo file, or a hub name."""

    base_model: str = "meta-llama/Llama-3.2-3B-Instruct"
    """Causal language model under the adapters: a Transformers folder or a hub name."""

    adapters: str = "/models/adapters"
    """Folder with one adapter folder for each group, as jobs.finetune_taggers makes it. `none`: the base model
    tags on its few-shot turns alone."""


@dataclass(frozen=True)
class Decoding:
    """What counts as speech input."""

    min_duration_s: float = 0.1
    """Shorter recordings are refused (seconds)."""

    max_duration_s: float = 600.0
    """Longer recordings are refused (seconds): Parakeet's attention over much more than ten minutes in one piece
    does not fit a card that three models share."""

    silence_dbfs: float = -60.0
    """A recording with no 50 ms louder than this (dB of full scale, RMS) is silent: its transcript is empty."""


@dataclass(frozen=True)
class Pool:
    """The actors that hold one model."""

    actors: int = 0
    """How many actors. 0: one for each GPU of the cluster, or a single one where no GPU is asked for."""

    num_gpus: float = 0.0
    """Share of a GPU that an actor takes; 0 runs on the CPU. The three shares of one card sum to at most 1."""

    num_cpus: float = 0.25
    """CPUs that Ray keeps for an actor."""


@dataclass(frozen=True)
class Whisper:
    """How Whisper hears."""

    backend: Literal["transformers", "faster-whisper"] = "faster-whisper"
    """Library that runs the model: Transformers, or CTranslate2 through faster-whisper."""

    language: str = "zh"
    """Language that Whisper is told to write."""

    beam_size: int = 5
    """Beams; 1 is greedy."""

    condition_on_previous_text: bool = True
    """In a recording longer than one window, let each window read the text of the one before."""

    no_speech_threshold: float = 0.6
    """Text counts as imagined where Whisper's probability of no speech is above this and its mean log probability
    below the next."""

    log_prob_threshold: float = -1.0
    """See no-speech-threshold."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float16"
    """Precision of the weights."""

    batch_size: int = 16
    """Recordings in one batch."""

    pool: Pool = field(default_factory=Pool)


@dataclass(frozen=True)
class Parakeet:
    """How Parakeet hears the recordings that are in English."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Precision of the weights."""

    batch_size: int = 16
    """Recordings in one batch."""

    pool: Pool = field(default_factory=Pool)


@dataclass(frozen=True)
class Tagger:
    """How transcripts are tagged."""

    quantization: Literal["none", "nf4"] = "nf4"
    """nf4 holds the base model in 4 bits (bitsandbytes, double quantisation), on a GPU only."""

    dtype: Literal["float32", "float16", "bfloat16"] = "bfloat16"
    """Precision of the weights, or of the computation over 4-bit weights."""

    batch_size: int = 16
    """Answers that are written side by side; one that is finished makes room for the next."""

    mixed: bool = False
    """One batch holds rows of different adapters: better for small, streaming batches. Otherwise one adapter tags
    all transcripts before the next."""

    missing_adapters: Literal["refuse", "skip"] = "refuse"
    """What to do where the folder of adapters lacks a group: refuse to start, or leave the group out."""

    opening_bias: dict[str, float] = field(default_factory=dict)
    """Added to the logit of opening a tag, for each group that is named (`names 0.5 times -1`): above 0 finds more
    entities and more false ones, below 0 fewer."""

    max_entities: int = 64
    """Entities that one adapter may find in one stretch of text; after that the rest is copied without tags."""

    groups: Path | None = None
    """YAML file with groups of types in place of the six built in."""

    rules: Path | None = None
    """YAML file with rules in place of those built in, or added to them by an entry `include: built-in`. An empty
    list switches all rules off."""

    patterns: Path | None = None
    """YAML file with patterns in place of those built in, or added to them by an entry `include: built-in`. They find
    what has a form of its own: telephone numbers, addresses of mail and web, numbers with a check digit. An empty list
    switches all patterns off."""

    thresholds: dict[str, float] = field(default_factory=dict)
    """Least confidence, 0 to 1, of the types that are named (`PATIENT 0.3 SET 0.8`); what is less sure is dropped and
    stays in the table."""

    pool: Pool = field(default_factory=Pool)


@dataclass(frozen=True)
class Settings:
    """Everything that inference reads."""

    models: Annotated[Models, tyro.conf.arg(name="")] = field(default_factory=Models)
    decoding: Decoding = field(default_factory=Decoding)
    whisper: Whisper = field(default_factory=Whisper)
    parakeet: Parakeet = field(default_factory=Parakeet)
    tagger: Tagger = field(default_factory=Tagger)


def check(settings: Settings) -> None:
    """Refuse values that no run can work with.

    Raises:
        UserError: A batch size or number of beams is below one, or another number below zero.
    """
    least = {"batch_size": 1, "beam_size": 1, "silence_dbfs": -math.inf, "log_prob_threshold": -math.inf}

    def visit(knobs: Any, option: str) -> None:
        for knob in fields(knobs):
            value, name = getattr(knobs, knob.name), option + knob.name.replace("_", "-")
            if is_dataclass(value):
                visit(value, f"{name}.")
            elif knob.name == "thresholds" and not all(0 <= confidence <= 1 for confidence in value.values()):
                raise UserError(f"--{name}: a threshold is a confidence from 0 to 1.")
            elif isinstance(value, int | float) and value < least.get(knob.name, 0):
                raise UserError(f"--{name} {value}: at least {least.get(knob.name, 0)} is needed.")

    visit(settings, "")


def demo_profile() -> Settings:
    """Small models on the CPU: a walk through the system without a download or a GPU."""
    return Settings(
        models=Models(**demo.model_paths()),
        whisper=Whisper(backend="transformers", beam_size=1, dtype="float32", batch_size=8),
        parakeet=Parakeet(batch_size=8),
        tagger=Tagger(quantization="none", dtype="float32", batch_size=8, max_entities=8),
    )


def rtx4090_profile() -> Settings:
    """Cool-whisper, Parakeet TDT 0.6B and Llama 3.2 3B with six adapters, together on one 24 GB card."""
    return Settings(
        whisper=Whisper(pool=Pool(num_gpus=0.33, num_cpus=1.0)),
        parakeet=Parakeet(pool=Pool(num_gpus=0.33, num_cpus=1.0)),
        tagger=Tagger(pool=Pool(num_gpus=0.33, num_cpus=1.0)),
    )


def reference_profile() -> Settings:
    """The reference method: the same models, one recording at a time in recognition, 64 in tagging."""
    return Settings(
        whisper=Whisper(batch_size=1, pool=Pool(num_gpus=0.33, num_cpus=1.0)),
        parakeet=Parakeet(batch_size=1, pool=Pool(num_gpus=0.33, num_cpus=1.0)),
        tagger=Tagger(batch_size=64, pool=Pool(num_gpus=0.33, num_cpus=1.0)),
    )


PROFILES: dict[str, Callable[[], Settings]] = {
    "demo": demo_profile,
    "rtx4090": rtx4090_profile,
    "reference": reference_profile,
}
