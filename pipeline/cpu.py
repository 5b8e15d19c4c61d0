"""How a model computes on the CPU: with how many threads, and in which precision."""

import os
import sys

from pipeline.settings import Pool


def threads(pool: Pool) -> int:
    """Return how many threads an actor computes with: as set, or one for each core that its process may use."""
    return pool.threads or len(os.sched_getaffinity(0))


def precision(dtype: str) -> str:
    """Return the precision in which the CPU computes fast: bfloat16 only where it has instructions for it."""
    import torch

    has_bfloat16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "float32" if dtype == "bfloat16" and not has_bfloat16 else dtype


def use_threads(pool: Pool) -> None:
    """Let PyTorch, where the model that was loaded uses it, compute with an actor's threads.

    Ray has it compute with as many as it reserves CPUs.
    """
    if not pool.num_gpus and (torch := sys.modules.get("torch")):
        torch.set_num_threads(threads(pool))
