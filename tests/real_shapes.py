"""Models with the shapes of the real ones and random weights: what they write means nothing, what they cost does."""

import random
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase, WhisperConfig

from tests.parakeet_files import parakeet_config, write_sentencepiece
from tests.whisper_files import save_whisper, whisper_token_ids, whisper_tokenizer

LLAMA_3B = LlamaConfig(
    vocab_size=128256,
    hidden_size=3072,
    intermediate_size=8192,
    num_hidden_layers=28,
    num_attention_heads=24,
    num_key_value_heads=8,
    head_dim=128,
    max_position_embeddings=131072,
    rms_norm_eps=1e-5,
    tie_word_embeddings=True,
    rope_parameters={
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
)
"""Llama 3.2 3B."""

WHISPER_LARGE_V2: dict[str, Any] = {
    "d_model": 1280,
    "encoder_layers": 32,
    "decoder_layers": 32,
    "encoder_attention_heads": 20,
    "decoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "decoder_ffn_dim": 5120,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
    "max_target_positions": 448,
}
"""Whisper large-v2, without its vocabulary."""

WHISPER_BASE = WHISPER_LARGE_V2 | {
    "d_model": 512,
    "encoder_layers": 6,
    "decoder_layers": 6,
    "encoder_attention_heads": 8,
    "decoder_attention_heads": 8,
    "encoder_ffn_dim": 2048,
    "decoder_ffn_dim": 2048,
}
"""Whisper base, without its vocabulary."""

WHISPER_PIECES = 50257
"""Tokens of Whisper's byte-level BPE; its special tokens come behind them."""

_LARGE_V2_HEADS = [[10, 12], [13, 17], [16, 11], [16, 12], [16, 13], [17, 15], [17, 16], [18, 4], [18, 11], [18, 19]]
_LARGE_V2_HEADS += [[19, 11], [21, 2], [21, 3], [22, 3], [22, 9], [22, 12], [23, 5], [23, 7], [23, 13], [25, 5]]
_LARGE_V2_HEADS += [[26, 1], [26, 12], [27, 15]]

_CONSONANTS, _VOWELS = "bcdfghjklmnprstvwz", "aeiou"


def made_up_sentences(count: int, seed: int = 0) -> list[str]:
    """Return sentences of made-up words, enough of them for a tokenizer with many pieces."""
    draw = random.Random(seed)

    def word() -> str:
        syllables = ("".join((draw.choice(_CONSONANTS), draw.choice(_VOWELS))) for _ in range(draw.randint(1, 4)))
        return "".join(syllables) + draw.choice(["", "n", "s", "ng"])

    return [" ".join(word() for _ in range(10)).capitalize() + "." for _ in range(count)]


def fast_random(model: torch.nn.Module, std: float = 0.02) -> None:
    """Give matrices other random weights, some hundred times as fast as the libraries do: a block, again and again."""
    block = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0)) * std
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                flat = weights.view(-1)
                for start in range(0, flat.numel(), len(block)):
                    part = flat[start : start + len(block)]
                    part.copy_(block[: len(part)].roll(start >> 20))


def new_model(make: Any, dtype: torch.dtype, device: torch.device | str = "cpu") -> Any:
    """Make a model in a precision, without the libraries' own slow initialisation."""
    from transformers.initialization import no_init_weights

    previous = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device), no_init_weights():
            model = make()
    finally:
        torch.set_default_dtype(previous)
    fast_random(model)
    return model


def write_llama(
    folder: Path, tokenizer: PreTrainedTokenizerBase, config: LlamaConfig = LLAMA_3B, device: str = "cpu"
) -> None:
    """Write a random Llama in bfloat16, with a tokenizer, as a Transformers folder."""
    model = new_model(lambda: LlamaForCausalLM(config), torch.bfloat16, device)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def write_whisper(folder: Path, shape: dict[str, Any] = WHISPER_LARGE_V2, pieces: int = WHISPER_PIECES) -> None:
    """Write a random Whisper in float16 as a Transformers folder."""
    from transformers import WhisperForConditionalGeneration

    tokenizer = whisper_tokenizer(made_up_sentences(pieces // 3 + 200), pieces)
    config = WhisperConfig(**whisper_token_ids(tokenizer), vocab_size=len(tokenizer), **shape)
    model = new_model(lambda: WhisperForConditionalGeneration(config), torch.float16)
    heads = [head for head in _LARGE_V2_HEADS if head[0] < shape["decoder_layers"]] or [[0, 0]]
    save_whisper(folder, model, tokenizer, heads, max_new_tokens=200)


def parakeet_06b_config(tokenizer: str) -> dict[str, Any]:
    """Return the configuration of Parakeet TDT 0.6B, NVIDIA's flags included.

    Args:
        tokenizer: Folder of its tokenizer.
    """
    config = parakeet_config(tokenizer, width=1024, layers=24, channels=256)
    config["model_defaults"] |= {"pred_hidden": 640, "joint_hidden": 640}
    config["preprocessor"]["features"] = config["encoder"]["feat_in"] = 128
    config["encoder"] |= {"n_heads": 8, "use_bias": False}
    config["decoder"]["prednet"] |= {"pred_hidden": 640, "pred_rnn_layers": 2}
    config["joint"] |= {"fuse_loss_wer": True, "fused_batch_size": 4}
    config["joint"]["jointnet"]["joint_hidden"] = 640
    return config | {"compute_eval_loss": False}


def write_parakeet(file: Path, small: bool = False) -> None:
    """Write a random Parakeet TDT 0.6B, or a small one with the same flags, as a .nemo file."""
    from nemo.collections.asr.models import EncDecRNNTBPEModel
    from nemo.utils import logging
    from omegaconf import OmegaConf

    logging.set_verbosity(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        write_sentencepiece(Path(folder), made_up_sentences(2000), 1024)
        torch.manual_seed(0)
        config = parakeet_06b_config(folder)
        if small:
            config["encoder"] |= {"n_layers": 2}
        EncDecRNNTBPEModel(cfg=OmegaConf.create(config)).save_to(str(file))
