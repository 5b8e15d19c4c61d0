"""A tiny untrained tagger with the real files: a Llama, its byte-level BPE and six adapters.

Its weights are random, so what it tags means nothing; everything around the weights is real.
"""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipeline.tagging.adapters import write_tagging_json
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.prompts import Prompt
from tests.llama_files import train_tokenizer


def build_tagger(base_folder: Path, adapters_folder: Path, seed: int = 0) -> None:
    """Save an untrained base model and an adapter for each built-in group.

    Args:
        base_folder: Gets the model and its tokenizer.
        adapters_folder: Gets one adapter folder for each group.
        seed: Fixes all weights; another seed is another base model.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        prompts = [Prompt.of(group) for group in load_entity_groups()]
        texts = [text for prompt in prompts for text in (prompt.system, *prompt.examples)]
        tokenizer = train_tokenizer(texts, vocab_size=1500)
        tokenizer.save_pretrained(base_folder)
        _base(tokenizer).save_pretrained(base_folder)
        for prompt in prompts:
            base = LlamaForCausalLM.from_pretrained(base_folder, dtype=torch.float32)
            adapter = get_peft_model(
                base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
            )
            for name, weight in adapter.named_parameters():
                if "lora_B" in name:
                    torch.nn.init.normal_(weight, std=0.5)
            folder = adapters_folder / prompt.group
            adapter.save_pretrained(str(folder))
            write_tagging_json(folder, prompt, base_folder.name, adapter, tokenizer)


def _base(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Make the model; its norms are not all ones, so that they tell one base from another."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=16384,
        initializer_range=0.3,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("norm.weight"):
                weight.copy_((1 + 0.1 * torch.randn_like(weight)).bfloat16())
    return model
