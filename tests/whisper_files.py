"""The files of a small Whisper: its tokenizer, and everything that decoding needs beside the weights."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_TIMESTAMPS = 1501


def whisper_tokenizer(texts: Iterable[str], vocab_size: int) -> Any:
    """Train a byte-level BPE and put Whisper's special tokens behind it, in Whisper's order.

    Args:
        texts: What it is trained on.
        vocab_size: Tokens of the BPE, the 256 bytes among them.
    """
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
    from transformers import WhisperTokenizer

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(texts, trainer)
    trained = json.loads(bpe.to_str())["model"]
    vocab, merges = trained["vocab"], [tuple(merge) for merge in trained["merges"]]
    specials = [
        "<|startoftranscript|>",
        *(f"<|{code}|>" for code in _languages()),
        *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
    ]
    # OpenAI's multilingual vocabulary has an empty token, and CTranslate2 knows a multilingual model by that.
    vocab[""] = len(vocab)
    tokenizer = WhisperTokenizer(vocab=vocab, merges=merges)
    tokenizer.add_special_tokens({"extra_special_tokens": specials})
    tokenizer.add_tokens([AddedToken(f"<|{i * 0.02:.2f}|>", normalized=False) for i in range(_TIMESTAMPS)])
    return tokenizer


def whisper_token_ids(tokenizer: Any) -> dict[str, Any]:
    """Return the special tokens that the configurations of a Whisper name."""
    end, start = tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|startoftranscript|>"])
    return {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start}


def save_whisper(
    folder: Path, model: Any, tokenizer: Any, alignment_heads: list[list[int]], max_new_tokens: int
) -> None:
    """Write a Whisper as a Transformers folder, all that decoding needs beside the weights.

    Args:
        folder: Where its files go.
        model: The model; its dtype is that of the file.
        tokenizer: Its tokenizer, as ``whisper_tokenizer`` makes it.
        alignment_heads: Layer and head of the cross-attention that gives words their times.
        max_new_tokens: The most tokens that it writes in a window.
    """
    from transformers import GenerationConfig, WhisperFeatureExtractor

    ids = tokenizer.get_vocab()
    special = whisper_token_ids(tokenizer)
    no_timestamps = ids["<|notimestamps|>"]
    specials_not_written = [ids["<|startoftranscript|>"], *range(ids["<|translate|>"], no_timestamps)]
    model.generation_config = GenerationConfig(
        **special,
        max_new_tokens=max_new_tokens,
        is_multilingual=True,
        lang_to_id={f"<|{code}|>": ids[f"<|{code}|>"] for code in _languages()},
        task_to_id={"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
        no_timestamps_token_id=no_timestamps,
        prev_sot_token_id=ids["<|startofprev|>"],
        alignment_heads=alignment_heads,
        max_initial_timestamp_index=50,
        suppress_tokens=sorted({*_noise_tokens(tokenizer), *specials_not_written}),
        begin_suppress_tokens=[ids["Ġ"], special["eos_token_id"]],
        return_timestamps=False,
    )
    window_s = model.config.max_source_positions // 50
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=model.config.num_mel_bins, chunk_length=window_s).save_pretrained(folder)


def _noise_tokens(tokenizer: Any) -> set[int]:
    """Tokens of brackets, notes and the like, which Whisper is kept from writing; not the space before one."""
    try:
        from faster_whisper.tokenizer import Tokenizer
    except ImportError:  # a machine that only measures
        return set()
    noise: tuple[int, ...] = Tokenizer(tokenizer.backend_tokenizer, True, "transcribe", "zh").non_speech_tokens
    return {*noise} - {tokenizer.convert_tokens_to_ids("Ġ")}


def _languages() -> list[str]:
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    return list(LANGUAGES)
