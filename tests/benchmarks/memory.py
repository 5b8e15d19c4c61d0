"""What each profile takes of a card with 24 GB, on paper: python -m tests.benchmarks.memory.

Parameters are counted on models of the real shapes, activations are what PyTorch keeps for the backward pass of one
layer on the CPU, times the layers. What CUDA, its libraries and a process take is a rule of thumb.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, WhisperConfig, WhisperForConditionalGeneration

from pipeline.settings import NONE, PROFILES, Settings
from pipeline.tagging import decoding
from tests.real_shapes import LLAMA_3B, WHISPER_BASE, WHISPER_LARGE_V2, parakeet_06b_config
from tuning.adapter import LORA_MODULES
from tuning.settings import ADAPTER_PROFILES, ASR_PROFILES, AdapterSettings, AsrSettings

CARD_GIB = 24.0
PROCESS_GIB = 0.6  # CUDA's context and kernels
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)  # bytes a weight: 4 bits, and doubly quantised scales of blocks of 64
RECORDING_S = 30  # seconds of a recording in inference, Whisper's window
WINDOW_TOKENS = 200  # that Whisper writes of a window
TRANSCRIPT_SLOTS = 1024  # of the tagger's cache for a row: five turns, a transcript, its answer
PREFIX_TOKENS = 626  # of the longest prompt with five turns
TOKENS_A_SECOND = 4  # that Parakeet writes
FRAMES_A_SECOND = 12.5  # of Parakeet's encoder


@dataclass(frozen=True)
class Need:
    """Memory of one job in GiB.

    Attributes:
        job: The job.
        profile: The profile.
        weights: Weights of all its models.
        training: Gradients and the optimizer's state.
        working: Activations, caches and logits.
        processes: Number of processes on the card.
    """

    job: str
    profile: str
    weights: float
    training: float
    working: float
    processes: int = 1

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.training + self.working + PROCESS_GIB * self.processes

    @property
    def line(self) -> str:
        """The row of the table in docs/models.md."""
        numbers = (self.weights, self.training, self.working, PROCESS_GIB * self.processes, self.total)
        return f"| `{self.job}` | `{self.profile}` | {' | '.join(f'{number:.1f}' for number in numbers)} |"


def _gib(count: float) -> float:
    return count / 2**30


def _on_paper(make: Callable[[], Any]) -> Any:
    with torch.device("meta"):
        return make()


def _count(model: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


@contextmanager
def kept_bytes(model: torch.nn.Module) -> Iterator[list[int]]:
    """Add up what a model keeps for the backward pass while the body runs, its own weights left out."""
    own = {weights.untyped_storage().data_ptr() for weights in model.parameters()}
    kept: dict[int, int] = {}
    total: list[int] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and not tensor.is_leaf:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield total
    total.append(sum(kept.values()))


def lora_weights(rank: int) -> int:
    """Count the weights of one adapter."""
    model = _on_paper(lambda: LlamaForCausalLM(LLAMA_3B))
    return sum(
        rank * (module.in_features + module.out_features)
        for name, module in model.named_modules()
        if name.rpartition(".")[2] in LORA_MODULES
    )


def llama_bytes(quantized: bool) -> float:
    """Weights of the base model, its embedding always in bfloat16."""
    model = _on_paper(lambda: LlamaForCausalLM(LLAMA_3B))
    linear = sum(weight.numel() for name, weight in model.model.layers.named_parameters() if "proj" in name)
    return linear * (NF4 if quantized else 2) + (_count(model) - linear) * 2


def llama_activations(settings: AdapterSettings, tokens: int = 256) -> float:
    """Bytes that a token's backward pass keeps of all layers."""

    def measured(layers: int) -> int:
        config = LlamaConfig(**LLAMA_3B.to_dict() | {"num_hidden_layers": layers, "vocab_size": 64})
        model = LlamaForCausalLM(config).to(torch.bfloat16)
        lora = LoraConfig(r=settings.rank, lora_dropout=settings.dropout, target_modules=LORA_MODULES)
        learner = get_peft_model(model, lora).train()
        ids = torch.zeros(1, tokens, dtype=torch.long)
        with kept_bytes(learner) as kept, torch.autocast("cpu", torch.bfloat16):
            learner(input_ids=ids, use_cache=False)
        return kept[0]

    layer = (measured(2) - measured(1)) / tokens
    layers = LLAMA_3B.num_hidden_layers
    kept = 2 * LLAMA_3B.hidden_size * layers + layer if settings.gradient_checkpointing else layer * layers
    return kept


def conformer(layers: int) -> Any:
    """Make Parakeet's encoder."""
    from nemo.collections.asr.modules import ConformerEncoder

    config = parakeet_06b_config("nowhere")["encoder"] | {"n_layers": layers}
    return ConformerEncoder(**{key: value for key, value in config.items() if key != "_target_"})


def parakeet_count() -> int:
    """Count Parakeet's weights: its encoder, and the two layers of its decoder with embedding and joint."""
    config = parakeet_06b_config("nowhere")
    wide, hidden, joint = 1024, config["model_defaults"]["pred_hidden"], config["model_defaults"]["joint_hidden"]
    outputs = 1024 + 1 + config["joint"]["num_extra_outputs"]
    decoder = _on_paper(lambda: torch.nn.LSTM(hidden, hidden, config["decoder"]["prednet"]["pred_rnn_layers"]))
    joints = (wide + 1) * joint + (hidden + 1) * joint + (joint + 1) * outputs
    one, two = _count(conformer(1)), _count(conformer(2))
    return one + 23 * (two - one) + _count(decoder) + 1025 * hidden + joints


def parakeet_activations(settings: AsrSettings) -> float:
    """Bytes that a step keeps for its backward pass, with recordings of the greatest length that fill a batch."""
    seconds = settings.max_duration_s
    rows = max(int(settings.batch_seconds // seconds), 1) if settings.batch_seconds else settings.batch_size
    frames = int(seconds * 100)
    bfloat16 = settings.dtype == "bfloat16"

    def measured(layers: int) -> int:
        encoder = conformer(layers).train()
        sound = torch.zeros(rows, 128, frames)
        with kept_bytes(encoder) as kept, torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            encoder(audio_signal=sound, length=torch.full((rows,), frames))
        return kept[0]

    one, two = measured(1), measured(2)
    places = rows * seconds * FRAMES_A_SECOND * (seconds * TOKENS_A_SECOND + 1)
    # The joint keeps its hidden layer twice, and logits, their logarithms and gradients in float32.
    joint = places * (2 * 640 * BYTES[settings.dtype] + 3 * 1030 * 4)
    return (one - (two - one)) + 24 * (two - one) + joint


def predict(profile: str) -> Need:
    """Three processes with a model each."""
    settings: Settings = PROFILES[profile]
    config, base_config = (WhisperConfig(vocab_size=51865, **shape) for shape in (WHISPER_LARGE_V2, WHISPER_BASE))
    whisper = _count(_on_paper(lambda: WhisperForConditionalGeneration(config))) * BYTES[settings.whisper.dtype]
    if settings.models.identifier != NONE:
        identifier = _count(_on_paper(lambda: WhisperForConditionalGeneration(base_config)))
        whisper += identifier * BYTES[settings.whisper.dtype]
    parakeet = parakeet_count() * BYTES[settings.parakeet.dtype]
    base = llama_bytes(settings.tagger.quantization == "nf4")
    adapters = 6 * lora_weights(16) * BYTES[settings.tagger.dtype]

    rows, beams = _rows(settings.whisper.batch_seconds), settings.whisper.beam_size
    layer = 2 * config.d_model * BYTES[settings.whisper.dtype] * config.decoder_layers
    of_whisper = rows * beams * WINDOW_TOKENS * layer + rows * config.max_source_positions * layer
    # The first convolution's output and its copy, the largest that Parakeet makes.
    frames = RECORDING_S * 100 // 2
    of_parakeet = 2 * _rows(settings.parakeet.batch_seconds) * 256 * frames * 64 * BYTES[settings.parakeet.dtype]
    slot = 2 * LLAMA_3B.num_hidden_layers * LLAMA_3B.num_key_value_heads * LLAMA_3B.head_dim * 2
    slots = settings.tagger.batch_size * TRANSCRIPT_SLOTS + 6 * PREFIX_TOKENS
    of_tagger = slots * slot + decoding.MOST_READS * LLAMA_3B.vocab_size * 2
    weights, working = whisper + parakeet + base + adapters, of_whisper + of_parakeet + of_tagger
    return Need("jobs.predict", profile, _gib(weights), 0.0, _gib(working), 3)


def _rows(batch_seconds: float) -> int:
    return max(int(batch_seconds // RECORDING_S), 1)


def finetune_asr(profile: str) -> Need:
    """Parakeet: weights, gradients and two moments in float32."""
    settings, weights = ASR_PROFILES[profile], parakeet_count() * 4
    return Need("jobs.finetune_asr", profile, _gib(weights), _gib(3 * weights), _gib(parakeet_activations(settings)))


def finetune_taggers(profile: str) -> Need:
    """One adapter on a base in 4 bits."""
    settings = ADAPTER_PROFILES[profile]
    adapter = lora_weights(settings.rank) * 4
    tokens = settings.batch_size * settings.sequence_tokens
    working = tokens * llama_activations(settings)
    return Need(
        "jobs.finetune_taggers",
        profile,
        _gib(llama_bytes(settings.quantization == "nf4") + adapter),
        _gib(3 * adapter),
        _gib(working),
    )


def table() -> list[Need]:
    """All jobs in the profiles that are meant for such a card."""
    jobs = (predict, finetune_asr, finetune_taggers)
    return [job(profile) for job in jobs for profile in ("rtx4090", "reference")]


if __name__ == "__main__":
    for need in table():
        print(need.line)
