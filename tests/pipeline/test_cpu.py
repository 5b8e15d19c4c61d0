import subprocess
import sys
from pathlib import Path

LOOK = """
import sys
from pipeline.cpu import use_threads
from pipeline.settings import Pool

use_threads(Pool(threads=3))
assert "torch" not in sys.modules
import torch
use_threads(Pool(threads=3))
print(torch.get_num_threads())
use_threads(Pool(threads=5, num_gpus=1.0))
print(torch.get_num_threads())
"""


def test_pytorch_computes_with_an_actors_threads_and_is_not_imported_for_that():
    root = Path(__file__).parents[2]
    found = subprocess.run([sys.executable, "-c", LOOK], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["3", "3"]
