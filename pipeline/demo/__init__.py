"""The demo's small models and clips."""

import hashlib
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from platformdirs import user_cache_path

from pipeline.errors import UserError

_HERE = Path(str(files(__package__)))

CLIPS = _HERE / "clips"
"""Folder with the demo's recordings, in the competition's layout."""

MODELS = _HERE / "models"
"""Folder with the demo's trained recognisers."""


def model_paths() -> dict[str, str]:
    """Paths of the demo's models, named as in ``pipeline.settings.Models``."""
    folder = _models_folder()
    return {
        "whisper": str(MODELS / "whisper"),
        "parakeet": str(MODELS / "parakeet.nemo"),
        "base_model": str(folder / "base_model"),
        "adapters": str(folder / "adapters"),
    }


def build_missing_models() -> None:
    """Build the demo's tagger, small and untrained, where this version of it is not in the user's cache yet."""
    folder = _models_folder()
    if folder.is_dir():
        return
    print("Building the demo's tagger, untrained for now: its entities mean nothing. Once, a few seconds.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        workshop = tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise UserError(f"{folder.parent} cannot be written ({error.strerror}): set XDG_CACHE_HOME.") from None
    with workshop:
        # In a process of its own: Transformers and its many messages stay out of the job's.
        build = [sys.executable, "-m", "pipeline.demo.build", workshop.name]
        subprocess.run(build, cwd=_HERE.parents[1], check=True, capture_output=True)
        with suppress(OSError):  # another process was first
            os.rename(workshop.name, folder)


def _models_folder() -> Path:
    sources = [_HERE / "tiny_tagger.py", _HERE.parent / "tagging" / "groups.yaml"]
    version = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    return user_cache_path("shi-speech") / f"demo-models-{version}"
