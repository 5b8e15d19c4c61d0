"""The demo's small models and clips."""

from importlib.resources import files
from pathlib import Path

CLIPS = Path(str(files(__package__))) / "clips"
"""Folder with the demo's recordings."""


def models_folder() -> Path:
    """The folder in the user's cache where the demo's models are built once."""
    from platformdirs import user_cache_path

    return user_cache_path("shi-speech") / "demo-models"


def model_paths() -> dict[str, str]:
    """Paths of the demo's models, named as in ``pipeline.settings.Models``."""
    folder = models_folder()
    return {
        "whisper": str(folder / "whisper"),
        "parakeet": str(folder / "parakeet.nemo"),
        "base_model": str(folder / "base_model"),
        "adapters": str(folder / "adapters"),
    }
