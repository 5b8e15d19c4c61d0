"""The tokenizers of small Llamas, in Llama 3's form."""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

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


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE of Llama 3's form, with its chat template.

    Args:
        texts: What it is trained on.
        vocab_size: How many tokens it has at most.
    """
    return _finished(_train(texts, vocab_size))


def _split(pattern: str) -> pre_tokenizers.PreTokenizer:
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _train(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    bpe = Tokenizer(models.BPE(ignore_merges=True))
    bpe.pre_tokenizer = _split(_SPLIT)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return bpe


def _finished(bpe: Tokenizer) -> PreTrainedTokenizerFast:
    bpe.post_processor = processors.TemplateProcessing(
        single=f"{_BOS} $A", pair=f"{_BOS} $A {_BOS} $B", special_tokens=[(_BOS, bpe.token_to_id(_BOS))]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=_BOS, eos_token=_EOT, pad_token="<|end_of_text|>", model_max_length=16384
    )
    tokenizer.chat_template = _CHAT_TEMPLATE
    return tokenizer
