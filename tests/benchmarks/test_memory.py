"""Every job fits a card with 24 GB on paper, and the table of docs/models.md is what the arithmetic gives."""

from pathlib import Path

import pytest

from tests.benchmarks import memory

TABLE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_table_says_what_inference_takes():
    for profile in ("rtx4090", "reference"):
        assert memory.predict(profile).line in TABLE


@pytest.mark.slow
def test_every_job_fits_the_card_and_the_table_says_how():
    for need in memory.table():
        assert need.total < memory.CARD_GIB, need.line
        assert need.line in TABLE, need.line


def test_only_what_is_kept_for_the_backward_pass_is_counted():
    import torch

    weights, inputs = torch.nn.Linear(100, 50), torch.randn(8, 100).requires_grad_() * 1.0
    with memory.kept_bytes(weights) as kept:
        weights(inputs).tanh().sum()
    assert kept == [4 * (8 * 100 + 8 * 50)], "the layer's input and its output's tanh"
