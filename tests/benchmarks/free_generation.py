"""The reference's way to tag: a model generates freely and greedily."""

from collections.abc import Sequence
from typing import Any

import torch

NEW_TOKENS = 256


def generate(model: Any, prompts: Sequence[Sequence[int]], end: int, **options: Any) -> list[list[int]]:
    """Return the tokens that a model writes after each prompt, without the end of the turn.

    Args:
        model: A causal language model, with the right adapter set.
        prompts: Token ids of each prompt, which are padded at their left.
        end: The token that ends a turn.
        options: Further ones of ``generate``.
    """
    width = max(map(len, prompts))
    tokens = [[end] * (width - len(row)) + list(row) for row in prompts]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in prompts]
    with torch.inference_mode():
        output = model.generate(
            input_ids=torch.tensor(tokens, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            eos_token_id=end,
            pad_token_id=end,
            **options,
        )
    return [row[: row.index(end)] if end in row else row for row in output[:, width:].tolist()]
