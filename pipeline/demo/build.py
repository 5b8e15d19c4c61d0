"""Build the demo's small models in a folder: ``python -m pipeline.demo.build FOLDER``."""

import sys
from pathlib import Path

from pipeline.demo.tiny import build_parakeet, build_whisper
from pipeline.demo.tiny_tagger import build_tagger

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    build_whisper(folder / "whisper")
    build_parakeet(folder / "parakeet.nemo")
    build_tagger(folder / "base_model", folder / "adapters")
