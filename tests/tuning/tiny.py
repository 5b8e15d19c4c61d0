"""A tiny Parakeet that learns fast, and utterances for it to learn: every letter is a tone of its own."""

import json
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from pipeline.demo.tiny import _parakeet_config, _sentencepiece

LETTERS = "abcdefgh"
WORDS = ["abe", "cab", "dad", "fed", "head", "bag", "age", "beef", "gab", "each", "hag", "face"]


def build(file: Path, seed: int = 0) -> None:
    import sentencepiece
    import torch
    from nemo.collections.asr.models import EncDecRNNTBPEModel
    from nemo.utils import logging
    from omegaconf import OmegaConf

    logging.set_verbosity(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(WORDS),
            model_prefix=f"{folder}/tokenizer",
            vocab_size=len(LETTERS) + 2,
            model_type="char",
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            minloglevel=2,
        )
        tokens = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/tokenizer.model")
        words = [tokens.id_to_piece(i) for i in range(1, len(tokens))]
        (Path(folder) / "vocab.txt").write_text("".join(f"{w}\n" for w in words))
        torch.manual_seed(seed)
        EncDecRNNTBPEModel(cfg=OmegaConf.create(_parakeet_config(folder))).save_to(str(file))
