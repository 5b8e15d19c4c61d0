"""What a training takes of its GPU."""

import torch


def sample() -> dict[str, float]:
    """Return the current GPU's utilization and the peak memory of this process; nothing without a GPU.

    Utilization is a share of 1, memory is GiB since the process began.
    """
    if not torch.cuda.is_available():
        return {}
    return {
        "gpu_utilization": torch.cuda.utilization() / 100,
        "gpu_memory_gib": torch.cuda.max_memory_allocated() / 2**30,
    }
