"""A tiny untrained tagger with the real files: a Llama, its byte-level BPE and six adapters.

Its weights are random, so what it tags means nothing; everything around the weights is real.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipeline.tagging.adapters import write_tagging_json
from pipeline.tagging.groups import load_groups
from pipeline.tagging.prompts import Prompt

_BOS, _EOT = "<|begin_of_text|>", "<|eot_id|>"
_SPECIAL = [_BOS, "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", _EOT]

# How Llama 3 splits text before its BPE.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# Llama 3's form, its date included: a prompt that forgot to fix the date would change from day to day.
_CHAT_TEMPLATE = (
    "{{- bos_token }}"
    "{%- if date_string is not defined %}{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}"
    "{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{%- if message['role'] == 'system' %}{{- 'Today Date: ' + date_string + '\n\n' }}{%- endif %}"
    "{{- message['content'] | trim + '<|eot_id|>' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)


def build_tagger(base_folder: Path, adapters_folder: Path, seed: int = 0) -> None:
    """Save an untrained base model and an adapter for each built-in group.

    Args:
        base_folder: Gets the model and its tokenizer.
        adapters_folder: Gets one adapter folder for each group.
        seed: Fixes all weights; another seed is another base model.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        prompts = [Prompt.of(group) for group in load_groups()]
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


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE of Llama 3's form, with its chat template.

    Args:
        texts: What it is trained on.
        vocab_size: How many tokens it has at most.
    """
    bpe = Tokenizer(models.BPE(ignore_merges=True))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single=f"{_BOS} $A", pair=f"{_BOS} $A {_BOS} $B", special_tokens=[(_BOS, bpe.token_to_id(_BOS))]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=_BOS, eos_token=_EOT, pad_token="<|end_of_text|>", model_max_length=16384
    )
    tokenizer.chat_template = _CHAT_TEMPLATE
    return tokenizer
