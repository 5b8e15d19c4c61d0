"""Which errors leave a process without a usable GPU."""

import pytest
import torch

from pipeline import cuda

pytestmark = pytest.mark.faults


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


ILLEGAL, FULL = (
    torch.AcceleratorError("CUDA error: illegal access"),
    torch.AcceleratorError("CUDA error: out of memory"),
)


@pytest.mark.parametrize(("found", "broken"), [(ILLEGAL, True), (FULL, False), (None, False)])
@pytest.mark.parametrize("error", [RuntimeError("CUDA failed with error unspecified launch failure"), ILLEGAL])
def test_where_there_is_a_gpu_it_is_tried(monkeypatch, error, found, broken):
    def look(*_, **__):
        if found:
            raise found
        return torch.ones(1)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", look)
    assert cuda.is_broken(error) == broken


def test_an_error_on_a_machine_without_a_gpu_breaks_nothing():
    if torch.cuda.is_available():
        pytest.skip("left out: there is a GPU here")
    assert not cuda.is_broken(ValueError("a shape"))
