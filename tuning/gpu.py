"""How much of its GPU a training uses."""

from contextlib import suppress

import torch
from pynvml import NVMLError


def sample() -> dict[str, float]:
    """Return the peak memory of this process since its training began (GiB) and the GPU's utilization (0 to 1).

    Empty without a GPU, and without the utilization where the driver does not report it.
    """
    if not torch.cuda.is_available():
        return {}
    values = {"gpu_memory_gib": torch.cuda.max_memory_allocated() / 2**30}
    with suppress(NVMLError, RuntimeError):  # the driver does not report that of a slice
        values["gpu_utilization"] = torch.cuda.utilization() / 100
    return values
