"""Build the demo's untrained tagger in a folder: ``python -m pipeline.demo.build FOLDER``."""

import sys
from pathlib import Path

from pipeline.demo.tiny_tagger import build_tagger

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    build_tagger(folder / "base_model", folder / "adapters")
