"""Greedy decoding under the constraint, token by token, in padded batches: what the decoder is checked against."""

from collections.abc import Sequence

import torch

from pipeline.tagging.constraint import Constraint, Legal, State
from pipeline.tagging.decoding import Answer

_LOWEST, _HIGHEST = -1e9, 1e9  # what a broken model's NaN and infinite logits count as


@torch.inference_mode()
def answers(
    model: torch.nn.Module, prompts: Sequence[Sequence[int]], constraints: Sequence[Constraint]
) -> list[Answer]:
    """Return the greedy answer to each prompt, with the end of the turn.

    Args:
        model: A causal language model, with the right adapter set.
        prompts: Token ids of each prompt, none empty.
        constraints: One for each prompt, all of one vocabulary.
    """
    if not prompts:
        return []
    vocabulary = constraints[0].vocabulary
    device = next(model.parameters()).device
    states: list[State | None] = [constraint.start for constraint in constraints]
    written: list[Answer] = [[] for _ in prompts]

    width = max(len(prompt) for prompt in prompts)
    pads = [width - len(prompt) for prompt in prompts]
    tokens = torch.tensor(
        [[vocabulary.end] * pad + list(prompt) for pad, prompt in zip(pads, prompts, strict=True)], device=device
    )
    mask = (torch.arange(width)[None] >= torch.tensor(pads)[:, None]).long().to(device)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache = None
    while True:
        output = model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = output.past_key_values
        running = [row for row, state in enumerate(states) if state is not None]
        chosen = _best(output.logits[running, -1], [constraints[row].legal(states[row]) for row in running])
        tokens = torch.full((len(prompts), 1), vocabulary.end, device=device)
        for row, (token, logprob) in zip(running, chosen, strict=True):
            written[row].append((token, logprob))
            states[row] = constraints[row].after(states[row], token)
            tokens[row] = token
        if all(state is None for state in states):
            return written
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
        positions = positions[:, -1:] + 1


def _best(logits: torch.Tensor, legal: Sequence[Legal]) -> list[tuple[int, float]]:
    """Return each row's best legal token and its log-probability among the legal ones before the bias.

    Args:
        logits: Scores of the whole vocabulary, rows × vocabulary.
        legal: What is legal in each row.
    """
    chosen = []
    for row, one in zip(logits.float().cpu(), legal, strict=True):
        scores = row[torch.from_numpy(one.ids)].nan_to_num(nan=_LOWEST, posinf=_HIGHEST, neginf=_LOWEST)
        best = int((scores + torch.from_numpy(one.bias)).argmax())  # on the CPU the first of equals wins
        chosen.append((int(one.ids[best]), float(scores.log_softmax(0)[best])))
    return chosen
