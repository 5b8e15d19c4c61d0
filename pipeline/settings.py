"""All settings of inference, and four profiles of them.

A job lists the settings that it uses: ``python -m jobs.predict --help``. A profile is a complete set of values. Options
on the command line override single values.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pipeline import demo
from pipeline.errors import UserError

NONE = "none"
"""Value of the settings ``adapters``, for tagging with the base model and few-shot turns only, ``parakeet``, for
Whisper's transcripts in both languages, and ``identifier`` and ``aligner``, for what Whisper itself hears."""

IDENTIFY = "identify"
"""Value of Whisper's setting ``language`` for writing each recording in its own."""


@dataclass(frozen=True)
class Models:
    """Locations of the models. Each is a folder, a file or a hub name (``organisation/name``)."""

    whisper: str = "andybi7676/cool-whisper"
    """Whisper model that transcribes what is not left to Parakeet: a Transformers or CTranslate2 folder, or a hub
    name."""

    identifier: str = NONE
    """Whisper model that hears which language is spoken, where --routing is identify. `none`: --whisper does, which one
    that was fine-tuned on a single language may have forgotten."""

    parakeet: str = "nvidia/parakeet-tdt-0.6b-v2"
    """Parakeet TDT model that transcribes English: a .nemo file or a hub name. `none`: Whisper's
    transcripts stay; it should then have --whisper.language identify."""

    aligner: str = NONE
    """CTC model that times the words of Whisper's transcripts: a .nemo file or a hub name. `none`: Whisper's
    cross-attention does."""

    base_model: str = "meta-llama/Llama-3.2-3B-Instruct"
    """Causal language model that tags, with or without adapters: a Transformers folder or a hub name."""

    adapters: str = "/models/adapters"
    """Folder with one adapter folder for each entity group, written by jobs.finetune_taggers. `none`: tag with the base
    model and few-shot turns only."""


@dataclass(frozen=True)
class DecodingSettings:
    """Which recordings are accepted, and which of them are silent."""

    min_duration_s: float = 0.1
    """Minimum duration of a recording in seconds; shorter ones are refused."""

    max_duration_s: float = 86_400.0
    """Maximum duration of a recording in seconds; longer ones are refused. Models hear pieces of at most half a minute,
    so what counts is the memory for its samples, 230 MB an hour."""

    channels: Literal["mix", "left", "right"] = "mix"
    """What is transcribed: the mean of all channels, or one of them, as in recordings of telephone calls with a speaker
    on each. A mean that cancels its channels gives way to the louder one."""

    voice_threshold: float = 0.5
    """Probability of a voice, 0 to 1, from which a moment counts as speech (Silero's network and default value). Where
    nobody speaks, the transcript is empty, and longer recordings are cut at pauses. 0: all is speech."""

    recordings_at_once: int = 64
    """Number of recordings that travel together and are written together; the models sort them by length."""

    silence_dbfs: float = -60.0
    """RMS level in dB of full scale. A recording without a louder 50 ms window is silent: its transcript is empty."""


@dataclass(frozen=True)
class Pool:
    """The Ray actors that run one model."""

    actors: int = 0
    """Number of actors. 0: one for each GPU of the cluster, or a single one if num-gpus is 0."""

    num_gpus: float = 0.0
    """Share of a GPU for each actor, at most 1; 0 runs the model on the CPU. Each card gets one actor of each model as
    far as the shares allow."""

    num_cpus: float = 0.25
    """Number of CPUs that Ray reserves for each actor."""

    threads: int = 0
    """Threads that each actor computes with on the CPU. 0: one for each core of its machine."""

    @property
    def device(self) -> Literal["cuda", "cpu"]:
        """Device that the model runs on."""
        return "cuda" if self.num_gpus else "cpu"


@dataclass(frozen=True)
class WhisperSettings:
    """How Whisper transcribes."""

    backend: Literal["transformers", "faster-whisper"] = "faster-whisper"
    """Library that runs the model: Transformers, or CTranslate2 through faster-whisper."""

    language: str = "zh"
    """Language that Whisper writes, as one of its codes (zh, en, ...). `identify`: that which it hears, out of English
    and Mandarin."""

    traditional: bool = False
    """Write Chinese in Taiwan's traditional characters, whatever the model was trained on (OpenCC)."""

    beam_size: int = 5
    """Number of beams; 1 is greedy search."""

    certainty: float = 0.9
    """Probability of a language, 0.5 to 1, from which it counts as heard. Below it Whisper writes a segment, in each
    language that it may write; of two texts the one with the higher mean token probability stays, where one in both
    scripts has 0.05 more. A text without an ideograph is Parakeet's then too."""

    no_speech_threshold: float = 0.6
    """Text is dropped as hallucinated if Whisper's no-speech probability is above this value and its mean log
    probability is below log-prob-threshold."""

    log_prob_threshold: float = -1.0
    """Mean log probability below which text in apparent silence is dropped; see no-speech-threshold."""

    compression_ratio_threshold: float = 2.4
    """A text that zlib shortens by more than this factor repeats itself and is dropped (Whisper's own value; the
    highest of 1,858 real transcripts is 2.15)."""

    max_repeats: int = 4
    """How often a phrase may stand in a row at the end of a segment; more is a loop, of which the first one stays (at
    most three in the same transcripts)."""

    max_tokens_per_second: float = 16.0
    """Tokens that Whisper writes of each second at most, so that a loop ends with its segment (faster-whisper)."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float16"
    """Precision of the weights. On the CPU, faster-whisper computes in float32 or else with weights of 8 bits, which
    is several times as fast."""

    batch_seconds: float = 480.0
    """Seconds of sound in a batch; Whisper computes 30 s for every segment. 0: one segment at a time."""

    expected_confidence: float = 0.0
    """A run ends with a warning if Whisper's mean confidence (0 to 1) is below this value, which suggests that the
    recordings differ from the training data. 0: no warning."""

    pool: Pool = field(default_factory=Pool)


@dataclass(frozen=True)
class ParakeetSettings:
    """How Parakeet transcribes English recordings."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Precision of the weights."""

    batch_seconds: float = 480.0
    """Seconds of sound in a batch, each segment counted as long as the longest. 0: one segment at a time."""

    pool: Pool = field(default_factory=Pool)


@dataclass(frozen=True)
class CalibrationSettings:
    """What makes the confidence of an entity the probability that it is right, as jobs.calibrate fits it.

    A confidence c becomes sigmoid(slope · logit(c) + intercept + shift). The values as they are leave it alone.
    """

    slope: float = 1.0
    """Factor of the confidence's logit, above 0."""

    intercept: float = 0.0
    """What is added to the logit of all entities."""

    shifts: dict[str, float] = field(default_factory=dict)
    """What is added to the logit of a type as well, or, as `patterns`, of all that patterns found (`PATIENT -0.4`)."""


@dataclass(frozen=True)
class TaggerSettings:
    """How transcripts are tagged."""

    quantization: Literal["none", "nf4"] = "none"
    """nf4 loads the base model in 4 bits (bitsandbytes, double quantisation); it needs a GPU."""

    dtype: Literal["float32", "float16", "bfloat16"] = "bfloat16"
    """Precision of the weights, or of the computation with 4-bit weights."""

    batch_size: int = 16
    """Number of texts that are tagged in parallel. When one is finished, the next takes its place."""

    mixed: bool = False
    """Use several adapters in one batch, which is better for small, streaming batches. Otherwise, each adapter tags all
    transcripts before the next one starts."""

    missing_adapters: Literal["refuse", "skip"] = "refuse"
    """What to do if the adapters folder lacks an entity group: refuse to start, or skip the entity group."""

    opening_bias: dict[str, float] = field(default_factory=dict)
    """Value added to the logits of opening tags, by entity group (`names 0.5 times -1`). Above 0 finds more entities
    and more false ones, below 0 fewer."""

    max_entities: int = 64
    """Maximum number of entities of one adapter in one chunk of text; the text after them is not tagged."""

    groups_file: Path | None = None
    """YAML file with entity groups that replace the six built-in ones."""

    rules: Path | None = None
    """YAML file with rules that replace the built-in ones, or extend them with an entry `include: built-in`. An empty
    list disables all rules."""

    patterns: Path | None = None
    """YAML file with patterns that replace the built-in ones, or extend them with an entry `include: built-in`. An
    empty list disables all patterns. Patterns find entities with a fixed form: telephone numbers, mail and web
    addresses, numbers with a check digit."""

    repeats: Literal["recording", "run", "none"] = "recording"
    """Where further mentions of a found name, number or address are looked for: in its recording, in all recordings of
    the run, or nowhere. Names count in other case, as possessive, in parts, by nicknames and with titles; numbers
    written or spoken."""

    patients: Path | None = None
    """Table with the columns recording_id and patient_id, separated by commas or tabs: with repeats run, only mentions
    in recordings of the same patient count."""

    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)

    thresholds: dict[str, float] = field(default_factory=dict)
    """Minimum confidence (0 to 1, calibrated) by type (`PATIENT 0.3 SET 0.8`). Entities below it are dropped, but stay
    in the table entities."""

    pool: Pool = field(default_factory=Pool)


@dataclass(frozen=True)
class Settings:
    """All settings of inference."""

    models: Models = field(default_factory=Models)
    decoding: DecodingSettings = field(default_factory=DecodingSettings)
    whisper: WhisperSettings = field(default_factory=WhisperSettings)
    parakeet: ParakeetSettings = field(default_factory=ParakeetSettings)
    tagger: TaggerSettings = field(default_factory=TaggerSettings)

    routing: Literal["identify", "reference"] = "identify"
    """Who transcribes what, where there is a Parakeet. identify: the language of each segment is heard first, English
    is Parakeet's and all else Whisper's. reference: Whisper transcribes everything, and Parakeet again what Whisper
    wrote no ideograph of."""

    @property
    def pools(self) -> dict[str, Pool]:
        """The actors of each model that is used."""
        pools = {"whisper": self.whisper.pool, "parakeet": self.parakeet.pool, "tagger": self.tagger.pool}
        return {name: pool for name, pool in pools.items() if getattr(self.models, name, "") != NONE}


def without_recognition(settings: Settings) -> Settings:
    """Return the settings of a run that is given its transcripts: no ASR model is looked for."""
    return replace(settings, models=replace(settings.models, whisper=NONE, parakeet=NONE, aligner=NONE))


def check(settings: Settings) -> None:
    """Raise a UserError, which names the option, if a value is out of its range."""
    least = {"batch_size": 1, "beam_size": 1, "silence_dbfs": -math.inf, "log_prob_threshold": -math.inf}
    least |= {"recordings_at_once": 1, "certainty": 0.5, "slope": 0.001, "intercept": -math.inf}

    def visit(settings: Any, prefix: str) -> None:
        check_numbers(
            vars(settings),
            least,
            {"expected_confidence": 1, "certainty": 1, "num_gpus": 1, "voice_threshold": 1},
            prefix,
        )
        for name, value in vars(settings).items():
            option = f"{prefix}{name.replace('_', '-')}"
            if is_dataclass(value):
                visit(value, f"{option}.")
            elif isinstance(value, dict) and not all(map(math.isfinite, value.values())):
                raise UserError(f"--{option}: give finite numbers.")

    visit(settings, "")
    decoding, tagger = settings.decoding, settings.tagger
    if decoding.min_duration_s > decoding.max_duration_s:
        raise UserError(
            f"--decoding.min-duration-s {decoding.min_duration_s:g} is above --decoding.max-duration-s "
            f"{decoding.max_duration_s:g}: no recording would be accepted."
        )
    if tagger.quantization == "nf4" and not tagger.pool.num_gpus:
        raise UserError(
            "--tagger.quantization nf4 needs a GPU: give --tagger.pool.num-gpus too, or --tagger.quantization none."
        )
    if not all(0 <= confidence <= 1 for confidence in settings.tagger.thresholds.values()):
        raise UserError("--tagger.thresholds: a threshold is a confidence from 0 to 1.")


def check_numbers(
    values: Mapping[str, Any],
    least: Mapping[str, float],
    most: Mapping[str, float] = MappingProxyType({}),
    prefix: str = "",
) -> None:
    """Raise a UserError, which names the option, if a number is out of its range.

    Args:
        values: Values by setting; those that are no numbers are left alone.
        least: The least value of a setting; 0 for those that are not in it.
        most: The highest value of a setting; those that are not in it have none.
        prefix: What the options have before the names of the settings.
    """
    for name, value in values.items():
        low, high = least.get(name, 0), most.get(name, math.inf)
        if isinstance(value, int | float) and not low <= value <= high:
            span = f"from {low:g}" + (f" to {high:g}" if name in most else "")
            raise UserError(f"--{prefix}{name.replace('_', '-')} {value}: give a number {span}.")


_ONE_THREAD = Pool(threads=1)  # small models lose more by several than they gain
_THIRD_OF_A_GPU = Pool(num_gpus=0.33, num_cpus=1.0)

PROFILES = {
    # Small models on the CPU, to try the system without a download or a GPU. The mean confidence of their Whisper is
    # about 0.8 on the made-up clinic that it was trained on, and 0.4 on real speech.
    "demo": Settings(
        models=Models(**demo.model_paths()),
        decoding=DecodingSettings(recordings_at_once=8),
        whisper=WhisperSettings(
            backend="transformers",
            beam_size=1,
            dtype="float32",
            batch_seconds=240.0,
            expected_confidence=0.6,
            pool=_ONE_THREAD,
        ),
        parakeet=ParakeetSettings(batch_seconds=240.0, pool=_ONE_THREAD),
        tagger=TaggerSettings(quantization="none", dtype="float32", batch_size=8, max_entities=8, pool=_ONE_THREAD),
        routing="reference",
    ),
    # Real models that a laptop runs: Whisper small for both languages, and a base of half a billion parameters.
    "laptop": Settings(
        models=Models(
            whisper="Systran/faster-whisper-small",
            parakeet=NONE,
            base_model="Qwen/Qwen2.5-Coder-0.5B-Instruct",
            adapters=str(Path(__file__).with_name("adapters")),
        ),
        decoding=DecodingSettings(recordings_at_once=8),
        whisper=WhisperSettings(language=IDENTIFY, traditional=True, batch_seconds=240.0),
        tagger=TaggerSettings(quantization="none", dtype="bfloat16", batch_size=8),
    ),
    # Cool-whisper, Parakeet TDT 0.6B and Llama 3.2 3B with six adapters, together on one GPU with 24 GB.
    "rtx4090": Settings(
        models=Models(identifier="Systran/faster-whisper-base"),
        whisper=WhisperSettings(pool=_THIRD_OF_A_GPU),
        parakeet=ParakeetSettings(pool=_THIRD_OF_A_GPU),
        tagger=TaggerSettings(quantization="nf4", pool=_THIRD_OF_A_GPU),
    ),
    # The reference method: the same models, transcribing one recording at a time and tagging 64 texts in parallel.
    "reference": Settings(
        whisper=WhisperSettings(batch_seconds=0.0, pool=_THIRD_OF_A_GPU),
        parakeet=ParakeetSettings(batch_seconds=0.0, pool=_THIRD_OF_A_GPU),
        tagger=TaggerSettings(quantization="nf4", batch_size=64, pool=_THIRD_OF_A_GPU),
        routing="reference",
    ),
}
"""Complete settings by name of the profile."""
