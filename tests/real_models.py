"""Small pretrained models that a developer may have, in ~/.cache/real-models; the tests that use them say if not."""

from pathlib import Path

import pytest

NAMES = ("smollm2", "llama3", "qwen2.5")
"""Language models and, of Llama 3, the tokenizer."""


def real_model(name: str) -> str:
    """Return the folder of a model, or skip the test."""
    folder = Path.home() / ".cache" / "real-models" / name
    if not folder.is_dir():
        pytest.skip(f"left out: {name} is not in {folder} (../shared/real_models/make.py {name})")
    return str(folder)
