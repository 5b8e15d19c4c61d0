"""Grouped-query attention under a mask, without a copy of keys and values for each query head.

PyTorch's kernels for grouped queries take no mask on a GPU, and so Transformers repeats keys and values in every layer
of a masked pass. Here the queries that share a head of keys become further rows of the attention over that head.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

_NAME = "grouped_queries"


@contextmanager
def grouped_queries(model: Any) -> Iterator[int]:
    """Let a model attend so; gives how many query heads share one head of keys.

    The mask of a forward pass has to be repeated along its queries that many times: see ``mask_for``. A model that does
    not use PyTorch's plain attention stays as it is, and gives 1.
    """
    config = model.config
    before = config._attn_implementation
    group = config.num_attention_heads // getattr(config, "num_key_value_heads", config.num_attention_heads)
    if before != "sdpa" or group == 1:
        yield 1
        return
    model.set_attn_implementation(_NAME)
    try:
        yield group
    finally:
        model.set_attn_implementation(before)


def mask_for(mask: torch.Tensor, group: int) -> torch.Tensor:
    """Repeat a mask, shape (batch, 1, tokens, slots), for each query of a group: (batch, 1, group * tokens, slots)."""
    return mask.repeat(1, 1, group, 1) if group > 1 else mask


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend; see ``transformers.AttentionInterface``.

    Args:
        module: The attention layer.
        query: Shape (batch, heads, tokens, head size).
        key: Shape (batch, heads of keys, slots, head size).
        value: Like ``key``.
        attention_mask: See ``mask_for``.
        scaling: Factor of the scores.

    Returns:
        Shape (batch, tokens, heads, head size), and no weights.
    """
    batch, heads, tokens, size = query.shape
    grouped = query.reshape(batch, key.shape[1], -1, size)
    output = scaled_dot_product_attention(grouped, key, value, attn_mask=attention_mask, scale=scaling)
    return output.reshape(batch, heads, tokens, size).transpose(1, 2).contiguous(), None


AttentionInterface.register(_NAME, _attend)
