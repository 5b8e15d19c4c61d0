"""Which errors leave a process without a usable GPU."""

import pytest
import torch

from pipeline import cuda


@pytest.mark.parametrize(
    ("error", "broken"),
    [
        (torch.AcceleratorError("CUDA error: device-side assert triggered"), True),
        (torch.AcceleratorError("CUDA error: out of memory"), False),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), False),
        (RuntimeError("CUDA failed with error out of memory"), False),
    ],
)
def test_a_fault_breaks_the_context_and_want_of_memory_does_not(error, broken):
    assert cuda.is_broken(error) == broken


@pytest.mark.parametrize("found", [RuntimeError("CUDA error: an illegal memory access was encountered"), None])
def test_what_another_library_raised_is_settled_by_a_look_at_the_gpu(monkeypatch, found):
    def look(*_, **__):
        if found:
            raise found
        return torch.ones(1)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", look)
    assert cuda.is_broken(RuntimeError("CUDA failed with error unspecified launch failure")) == bool(found)


def test_an_error_on_a_machine_without_a_gpu_breaks_nothing():
    if torch.cuda.is_available():
        pytest.skip("left out: there is a GPU here")
    assert not cuda.is_broken(ValueError("a shape"))
