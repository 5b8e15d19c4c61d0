"""The demo's small models and clips."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from platformdirs import user_cache_path

_HERE = Path(str(files(__package__)))

CLIPS = _HERE / "clips"
"""Folder with the demo's recordings."""


def model_paths() -> dict[str, str]:
    """Paths of the demo's models in the user's cache, named as in ``pipeline.settings.Models``."""
    folder = _models_folder()
    return {
        "whisper": str(folder / "whisper"),
        "parakeet": str(folder / "parakeet.nemo"),
        "base_model": str(folder / "base_model"),
        "adapters": str(folder / "adapters"),
    }


def build_missing_models() -> None:
    """Build the demo's models, small and untrained, where this version of them is not in the cache yet."""
    folder = _models_folder()
    if folder.is_dir():
        return
    print("Building the demo's small models, untrained for now: their text means nothing. Once, about half a minute.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(dir=folder.parent))
    # In a process of its own: NeMo, Transformers and their many messages stay out of the job's.
    build = [sys.executable, "-m", "pipeline.demo.build", str(workshop)]
    subprocess.run(build, cwd=_HERE.parents[1], check=True, capture_output=True)
    try:
        os.rename(workshop, folder)
    except OSError:  # another process was first
        shutil.rmtree(workshop)


def _models_folder() -> Path:
    sources = [_HERE / "tiny.py", _HERE / "tiny_tagger.py", _HERE.parent / "tagging" / "groups.yaml"]
    version = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    return user_cache_path("shi-speech") / f"demo-models-{version}"
