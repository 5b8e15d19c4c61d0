"""Utterances that are quick to learn, and a tiny Parakeet to learn them: every letter is a tone of its own."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.speech.audio import SAMPLE_RATE
from tests.parakeet_files import parakeet_config

LETTERS = "abcdefgh"
WORDS = ("abe", "cab", "dad", "fed", "head", "bag", "age", "beef", "gab", "each", "hag", "face")
LETTER_S = 0.16


@pytest.fixture(scope="session")
def tone_parakeet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a tiny Parakeet that writes letters and was never trained."""
    import sentencepiece
    import torch
    from nemo.collections.asr.models import EncDecRNNTBPEModel
    from nemo.utils import logging
    from omegaconf import OmegaConf

    logging.set_verbosity(logging.ERROR)
    file = tmp_path_factory.mktemp("models") / "tones.nemo"
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
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
        lines = [f"{tokens.id_to_piece(i)}\n" for i in range(1, len(tokens))]
        (Path(folder) / "vocab.txt").write_text("".join(lines), encoding="utf-8")
        torch.manual_seed(0)
        EncDecRNNTBPEModel(cfg=OmegaConf.create(parakeet_config(folder))).save_to(str(file))
    return file


@pytest.fixture(scope="session")
def tone_manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of manifests of 50 utterances to learn, of which the first 25 are also those to validate on."""
    folder = tmp_path_factory.mktemp("tones")
    write_manifests(folder, 50, 25)
    return folder


def write_manifests(folder: Path, train: int, valid: int) -> None:
    """Write ``train.jsonl`` and ``valid.jsonl`` and their audio."""
    random = np.random.default_rng(0)
    lines = []
    for i in range(train):
        text = " ".join(random.choice(WORDS, random.integers(2, 4)))
        audio = np.concatenate([_tone(letter) for letter in text])
        soundfile.write(folder / f"{i}.wav", audio + random.normal(0, 0.003, len(audio)), SAMPLE_RATE)
        lines.append({"audio_filepath": str(folder / f"{i}.wav"), "duration": len(audio) / SAMPLE_RATE, "text": text})
    for split, number in (("train", train), ("valid", valid)):
        content = "".join(f"{json.dumps(line)}\n" for line in lines[:number])
        (folder / f"{split}.jsonl").write_text(content, encoding="utf-8")


def _tone(letter: str) -> np.ndarray:
    seconds = np.arange(int(LETTER_S * SAMPLE_RATE)) / SAMPLE_RATE
    if letter == " ":
        return np.zeros(len(seconds))
    pitch = 300 * 2 ** (LETTERS.index(letter) / 2.2)
    return 0.3 * np.sin(2 * np.pi * pitch * seconds) * np.hanning(len(seconds))
