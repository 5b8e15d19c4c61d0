"""A start for training in which a small Llama already copies past tags: induction heads, set by hand.

A small model finds this circuit by itself only after many thousands of steps (Olsson et al. 2022, In-context Learning
and Induction Heads). Layer 0 writes down which token came before, and which came before that. In layer 1 two heads look
for the place where the same two stood before, and two look past a tag that was just written; what comes next there is
noted. The last layer says it.
"""

import math
import re

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from tuning.demo.llama_files import TAG_PATTERN

TOKEN, FEATURE = 0.1, 0.3  # size of a token's signs, and of the features
CONSTANT, TAG, START = 0, 1, 2  # dimensions of features: of all tokens, of tags, of the first token
SIGNS = 3  # where a token's signs begin
OWN = 24  # signs in which a word at its beginning differs from the same word behind a space
LOOK_BACK, MATCH, SAY = 200.0, 150.0, 30.0  # how sharply layer 0 looks back, layer 1 matches, and how loudly it says
SINK = 120.0  # how strongly the heads of layer 1 look away to the first token where they have nothing to look for
OPEN = 2.0  # weight of a gate
QUIET = 0.2  # share of the random weights with which a layer writes
_TAG = re.compile(f"Ġ?{TAG_PATTERN}")
SLOW = 0.01  # radians a token: pairs of a head that turn more slowly still match across a prompt


@torch.no_grad()
def begin_with_copying(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, rope_theta: float) -> None:
    """Set the embeddings, two of the four heads of layer 0, those of layer 1, and a part of the last MLP.

    Of the residual stream, the first dimensions are features, and the rest of the first half tells tokens apart by
    signs alone, so that all tokens match themselves equally well. The second half has room for a quarter of the stream
    from the token before, and for the same of the one before that. What comes next is noted turned, so that it lies
    beside what is there and no louder: the layers between still see both. Only at the end it drowns the rest.
    """
    hidden = model.config.hidden_size
    size, half = hidden // 4, hidden // 2
    turns = rope_theta ** (-torch.arange(0, size, 2) / size)
    embeddings = model.model.embed_tokens.weight
    embeddings.copy_(_codes(tokenizer, hidden))
    scale = embeddings[-1].square().mean().sqrt()  # what RMSNorm divides by, about
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.mul_(QUIET)
        layer.mlp.down_proj.weight.mul_(QUIET)
    first, second = (layer.self_attn for layer in model.model.layers[:2])
    for attention, heads in ((first, 2), (second, 4)):
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
            projection.weight[: heads * size] = 0
        attention.o_proj.weight[:, : heads * size] = 0

    peak = math.sqrt(LOOK_BACK * math.sqrt(size) / (size / 2)) / (FEATURE / scale)
    for head, back in enumerate((1, 2)):
        rows = slice(head * size, (head + 1) * size)
        first.k_proj.weight[rows, CONSTANT][: size // 2] = peak
        first.q_proj.weight[rows, CONSTANT] = peak * torch.cat([torch.cos(turns * back), -torch.sin(turns * back)])
        first.v_proj.weight[rows, SIGNS : SIGNS + size] = torch.eye(size)
        first.o_proj.weight[half + head * size : half + (head + 1) * size, rows] = torch.eye(size) * scale

    slow = (turns < SLOW).nonzero().flatten().tolist()
    slow += [size // 2 + pair for pair in slow]
    sink, *slow = reversed(slow)
    strength = math.sqrt(MATCH * math.sqrt(size) / len(slow))
    pull = math.sqrt(SINK * math.sqrt(size)) / (FEATURE / scale)
    turned = torch.linalg.qr(torch.randn(half, half)).Q
    token, before, earlier = SIGNS, half, half + size  # where each begins in what layer 1 sees
    for head in range(4):
        past_a_tag = head >= 2
        rows = slice(head * size, (head + 1) * size)
        for number, (row, dimension) in enumerate(zip(slow, torch.randperm(size).tolist(), strict=False)):
            mine, its = (token, before) if number % 3 else (before, earlier)
            if past_a_tag:
                mine = its
            second.q_proj.weight[head * size + row, mine + dimension] = strength
            second.k_proj.weight[head * size + row, its + dimension] = strength
        away = second.q_proj.weight[head * size + sink]
        away[TAG] = -2 * pull if past_a_tag else pull
        away[CONSTANT] = 2 * pull if past_a_tag else 0
        second.k_proj.weight[head * size + sink, START] = pull
        said = slice((head % 2) * size, (head % 2 + 1) * size)
        second.v_proj.weight[rows, said] = torch.eye(size)
        second.o_proj.weight[:half, rows] = turned[:, said] * scale

    last = model.model.layers[-1].mlp  # its gates are held open by what all tokens share, so that it is linear
    for projection in (last.gate_proj, last.up_proj):
        projection.weight[:half] = 0
    last.gate_proj.weight[:half, CONSTANT] = OPEN
    last.up_proj.weight[:half, :half] = turned.T
    last.down_proj.weight[:, :half] = 0
    last.down_proj.weight[SIGNS:half, SIGNS:half] = torch.eye(half - SIGNS) * SAY * scale / (OPEN * FEATURE / scale)


def _codes(tokenizer: PreTrainedTokenizerFast, hidden: int) -> torch.Tensor:
    """Return the embeddings of all tokens; a word and the same word behind a space share most of their signs."""
    codes = torch.zeros(len(tokenizer), hidden)
    codes[:, SIGNS : hidden // 2] = TOKEN * torch.randint(0, 2, (len(codes), hidden // 2 - SIGNS)).mul(2).sub(1)
    vocabulary = tokenizer.get_vocab()
    for token, id_ in vocabulary.items():
        word = vocabulary.get(token[1:]) if token.startswith("Ġ") else None
        if word is not None:
            codes[id_, SIGNS : hidden // 2 - OWN] = codes[word, SIGNS : hidden // 2 - OWN]
        codes[id_, TAG] = FEATURE * bool(_TAG.fullmatch(token))
    codes[:, CONSTANT] = FEATURE
    codes[tokenizer.bos_token_id] = 0
    codes[tokenizer.bos_token_id, START] = FEATURE
    return codes
