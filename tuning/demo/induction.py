"""A start for training in which a small Llama already copies: an induction head, set by hand.

A small model finds this circuit by itself only after many thousands of steps (Olsson et al. 2022, In-context Learning
and Induction Heads). Layer 0 writes down which token came before, and which came before that; layer 1 looks for the
place where the same two came before, and says what stood there.
"""

import math

import torch
from transformers import LlamaForCausalLM

TOKEN, CONSTANT = 0.1, 0.3  # size of the embeddings, and the value that all of them share in dimension 0
LOOK_BACK, MATCH, SAY = 200.0, 150.0, 10.0  # how sharply layer 0 looks back, layer 1 matches, and how loudly it says
SLOW = 0.01  # radians a token: pairs of a head that turn more slowly still match across a prompt


@torch.no_grad()
def begin_with_copying(model: LlamaForCausalLM, rope_theta: float) -> None:
    """Set the embeddings, and two of the four heads of each of the first two layers.

    Of the residual stream, dimension 0 is the same for every token, and the rest of the first half tells tokens apart
    by signs alone, so that all tokens match themselves equally well. The second half has room for a quarter of the
    stream from the token before, and for the same of the one before that.
    """
    hidden = model.config.hidden_size
    size, half = hidden // 4, hidden // 2
    turns = rope_theta ** (-torch.arange(0, size, 2) / size)
    embeddings = model.model.embed_tokens.weight
    embeddings.zero_()
    embeddings[:, 1:half] = TOKEN * torch.randint(0, 2, (len(embeddings), half - 1)).mul(2).sub(1)
    embeddings[:, 0] = CONSTANT
    scale = embeddings.square().mean().sqrt()  # what RMSNorm divides by
    first, second = (layer.self_attn for layer in model.model.layers[:2])
    for attention in (first, second):
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
            projection.weight[: 2 * size] = 0
        attention.o_proj.weight[:, : 2 * size] = 0

    peak = math.sqrt(LOOK_BACK * math.sqrt(size) / (size / 2)) / (CONSTANT / scale)
    for head, back in enumerate((1, 2)):
        rows = slice(head * size, (head + 1) * size)
        first.k_proj.weight[rows, 0][: size // 2] = peak
        first.q_proj.weight[rows, 0] = peak * torch.cat([torch.cos(turns * back), -torch.sin(turns * back)])
        first.v_proj.weight[rows, 1 : 1 + size] = torch.eye(size)
        first.o_proj.weight[half + head * size : half + (head + 1) * size, rows] = torch.eye(size) * scale

    slow = (turns < SLOW).nonzero().flatten().tolist()
    slow += [size // 2 + pair for pair in slow]
    strength = math.sqrt(MATCH * math.sqrt(size) / len(slow))
    token, before, earlier = 1, half, half + size  # where each begins in what layer 1 sees
    for head in range(2):
        rows = slice(head * size, (head + 1) * size)
        for number, (row, dimension) in enumerate(zip(slow, torch.randperm(size).tolist(), strict=False)):
            mine, its = (token, before) if number % 3 else (before, earlier)
            second.q_proj.weight[head * size + row, mine + dimension] = strength
            second.k_proj.weight[head * size + row, its + dimension] = strength
        second.v_proj.weight[rows, rows] = torch.eye(size)
        second.o_proj.weight[rows, rows] = torch.eye(size) * SAY * scale
