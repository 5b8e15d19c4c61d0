"""A start for training in which a small Llama already copies: an induction head, set by hand.

A small model finds this circuit by itself only after many thousands of steps (Olsson et al. 2022, In-context Learning
and Induction Heads). Layer 0 writes down which token came before, and which came before that; layer 1 looks for the
place where the same two came before, and says what stood there.
"""

import math

import torch
from transformers import LlamaForCausalLM

TOKEN_STD, CONSTANT = 0.08, 0.24  # of the embeddings, and the value that all of them share in dimension 0
LOOK_BACK, MATCH, SAY = 60.0, 60.0, 6.0  # how sharply layer 0 looks back, layer 1 matches, and how loudly it says
SLOW = 0.03  # radians a token: pairs of a head that turn more slowly still match across a transcript


@torch.no_grad()
def begin_with_copying(model: LlamaForCausalLM) -> None:
    """Set the embeddings and half of the heads of the first two layers; the model has eight heads in each.

    Dimension 0 is the same for every token and the rest of the first half tells tokens apart. The second half has room
    for two heads' part of the token before, and of the one before that.
    """
    hidden, heads = model.config.hidden_size, model.config.num_attention_heads
    size, half = hidden // heads, hidden // 2
    turns = model.config.rope_parameters["rope_theta"] ** (-torch.arange(0, size, 2) / size)
    embeddings = model.model.embed_tokens.weight
    embeddings.zero_()
    embeddings[:, 1:half].normal_(0, TOKEN_STD)
    embeddings[:, 0] = CONSTANT
    scale = embeddings.square().mean().sqrt()  # what RMSNorm divides by
    first, second = (layer.self_attn for layer in model.model.layers[:2])
    for attention in (first, second):
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
            projection.weight[: 4 * size] = 0
        attention.o_proj.weight[:, : 4 * size] = 0

    peak = math.sqrt(LOOK_BACK * math.sqrt(size) / (size / 2)) / (CONSTANT / scale)
    for head in range(4):
        rows, back, part = slice(head * size, (head + 1) * size), 1 + head // 2, head % 2
        first.k_proj.weight[rows, 0][: size // 2] = peak
        first.q_proj.weight[rows, 0] = peak * torch.cat([torch.cos(turns * back), -torch.sin(turns * back)])
        first.v_proj.weight[rows, 1 + part * size : 1 + (part + 1) * size] = torch.eye(size)
        first.o_proj.weight[half + head * size : half + (head + 1) * size, rows] = torch.eye(size) * scale

    slow = (turns < SLOW).nonzero().flatten().tolist()
    slow += [size // 2 + pair for pair in slow]
    strength = math.sqrt(MATCH * math.sqrt(size) / len(slow))
    token, before, earlier = 1, half, half + 2 * size  # where each begins that layer 1 sees
    for head in range(4):
        rows = slice(head * size, (head + 1) * size)
        for number, row in enumerate(slow):
            dimension = int(torch.randint(2 * size, ()))
            mine, its = (token, before) if number % 3 else (before, earlier)
            second.q_proj.weight[head * size + row, mine + dimension] = strength
            second.k_proj.weight[head * size + row, its + dimension] = strength
        second.v_proj.weight[rows, rows] = torch.eye(size)
        second.o_proj.weight[rows, rows] = torch.eye(size) * SAY * scale
