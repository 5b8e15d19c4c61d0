"""What a training takes of its GPU."""

from contextlib import suppress

import torch
from pynvml import NVMLError


def sample() -> dict[str, float]:
    """Return the current GPU's utilization and the peak memory of this process; nothing without a GPU, and no
    utilization where the driver does not tell it.

    Utilization is a share of 1, memory is GiB since its training began.
    """
    if not torch.cuda.is_available():
        return {}
    values = {"gpu_memory_gib": torch.cuda.max_memory_allocated() / 2**30}
    with suppress(NVMLError, RuntimeError):  # a slice of a GPU does not tell
        values["gpu_utilization"] = torch.cuda.utilization() / 100
    return values
