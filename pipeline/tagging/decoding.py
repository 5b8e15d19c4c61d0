"""Greedy decoding under the constraint, token by token, in batches."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from pipeline.tagging.constraint import Constraint, State, Vocabulary
from pipeline.tagging.entities import Span, parse

Answer = list[tuple[int, float]]
"""An answer's tokens, its end included, each with its log-probability among the legal tokens of its step."""

_LOWEST, _HIGHEST = -1e9, 1e9  # what a broken model's NaN and infinite logits count as


def decode(
    model: torch.nn.Module, prompts: Sequence[Sequence[int]], constraints: Sequence[Constraint]
) -> list[list[Span]]:
    """Answer a batch of prompts, each under its constraint, and read the spans.

    The best legal token is taken at each step, the lowest id among equals. What the model does cannot alter a text
    or end it early; it decides on the spans alone.

    Args:
        model: A causal language model, with the right adapter set.
        prompts: Token ids of each prompt, none empty.
        constraints: One for each prompt, all of one vocabulary.

    Returns:
        The spans of each text in order, half open in characters, with confidences.
    """
    return [
        read_spans(answer, constraint.vocabulary)
        for answer, constraint in zip(answers(model, prompts, constraints), constraints, strict=True)
    ]


@torch.inference_mode()
def answers(
    model: torch.nn.Module, prompts: Sequence[Sequence[int]], constraints: Sequence[Constraint]
) -> list[Answer]:
    """Return the greedy answer to each prompt; the arguments are those of ``decode``."""
    if not prompts:
        return []
    vocabulary = constraints[0].vocabulary
    device = next(model.parameters()).device
    states: list[State | None] = [constraint.start for constraint in constraints]
    written: list[Answer] = [[] for _ in prompts]

    width = max(len(prompt) for prompt in prompts)
    pads = [width - len(prompt) for prompt in prompts]
    tokens = torch.tensor(
        [[vocabulary.end] * pad + list(prompt) for pad, prompt in zip(pads, prompts, strict=True)],
        device=device,
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
        legal = [
            constraint.legal(state) if state is not None else {vocabulary.end: None}
            for constraint, state in zip(constraints, states, strict=True)
        ]
        chosen = _best(output.logits[:, -1], [list(ids) for ids in legal])
        for row, (token, logprob) in enumerate(chosen):
            if states[row] is not None:
                written[row].append((token, logprob))
                states[row] = legal[row][token]
        if all(state is None for state in states):
            return written
        tokens = torch.tensor([[token] for token, _ in chosen], device=device)
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
        positions = positions[:, -1:] + 1


def read_spans(answer: Answer, vocabulary: Vocabulary) -> list[Span]:
    """Read the spans of an answer.

    An entity's confidence is the probability of the tokens that write a byte of its two tags.
    """
    written = b"".join(vocabulary.bytes[token] for token, _ in answer)
    _, spans = parse(written.decode())
    owner: list[int | None] = []  # for each byte, the entity whose tag it belongs to
    tags = 0
    in_tag = False
    for byte in written:
        in_tag = in_tag or byte == ord("<")
        owner.append(tags // 2 if in_tag else None)
        if in_tag and byte == ord(">"):
            in_tag = False
            tags += 1
    total = [0.0] * len(spans)
    end = 0
    for token, logprob in answer:
        start, end = end, end + len(vocabulary.bytes[token])
        for entity in {entity for entity in owner[start:end] if entity is not None}:
            total[entity] += logprob
    return [replace(span, confidence=min(1.0, math.exp(logprob))) for span, logprob in zip(spans, total, strict=True)]


def _best(logits: torch.Tensor, legal: Sequence[Sequence[int]]) -> list[tuple[int, float]]:
    """Return each row's best legal token and its log-probability among the legal ones.

    Args:
        logits: Scores of the whole vocabulary, rows × vocabulary.
        legal: Each row's legal token ids, ascending.
    """
    most = max(len(ids) for ids in legal)
    index = torch.tensor([[*ids, *[ids[0]] * (most - len(ids))] for ids in legal])
    padding = torch.arange(most)[None] >= torch.tensor([len(ids) for ids in legal])[:, None]
    scores = logits.gather(1, index.to(logits.device)).float().cpu()
    scores = scores.nan_to_num(nan=_LOWEST, posinf=_HIGHEST, neginf=_LOWEST).masked_fill(padding, -torch.inf)
    best = scores.argmax(-1)  # on the CPU the first of equals wins
    logprobs = scores.log_softmax(-1).gather(1, best[:, None])[:, 0]
    return [(ids[place], logprob) for ids, place, logprob in zip(legal, best.tolist(), logprobs.tolist(), strict=True)]
