"""The CUDA context of this process, which one fault can leave broken for good."""

import os
import sys
from typing import NoReturn


def is_broken(error: Exception) -> bool:
    """Say whether an error left the CUDA context of this process unusable, so that every later call fails too.

    An illegal access or a failed assertion on the GPU does that, and only a new process helps. Want of memory does not,
    nor does a kernel that cannot be started. So where there is a GPU, it is tried.

    Args:
        error: What a library raised: PyTorch, or another one whose class says nothing.
    """
    if "out of memory" in str(error).lower():
        return False
    import torch  # late: a process that only reads sound does without it

    if not torch.cuda.is_available():
        return isinstance(error, torch.AcceleratorError)
    try:
        torch.zeros(1, device="cuda").item()
    except RuntimeError as found:
        return "out of memory" not in str(found).lower()
    return False


def end_process(error: Exception) -> NoReturn:
    """End this process at once, and tell its log why; a context that is broken cannot be cleaned up."""
    print(f"The CUDA context is broken ({type(error).__name__}): this process ends.", file=sys.stderr, flush=True)
    os._exit(1)
