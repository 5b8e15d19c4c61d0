"""The demo's small models and clips."""

from importlib.resources import files
from pathlib import Path

_HERE = Path(str(files(__package__)))

CLIPS = _HERE / "clips"
"""Folder with the demo's recordings, in the competition's layout."""

MODELS = _HERE / "models"
"""Folder with the demo's trained models."""


def model_paths() -> dict[str, str]:
    """Paths of the demo's models, named as in ``pipeline.settings.Models``."""
    names = {"whisper": "whisper", "parakeet": "parakeet.nemo", "base_model": "base_model", "adapters": "adapters"}
    return {model: str(MODELS / name) for model, name in names.items()}
