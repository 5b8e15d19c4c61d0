"""Attention under a mask reads each head of keys once, and gives what Transformers' own attention gives."""

import pytest
import torch

from pipeline.tagging import attention
from pipeline.tagging.cache import RaggedCache
from pipeline.tagging.constraint import Constraint
from pipeline.tagging.decoding import Decoder, Request
from pipeline.tagging.prompts import guard


@pytest.fixture(params=["llama", "qwen"])
def model(request, tagger_base, tagger_qwen):
    return {"llama": tagger_base, "qwen": tagger_qwen}[request.param]


def test_a_ragged_pass_has_the_scores_of_transformers_own_attention(model):
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 100, (3, 7), generator=generator)
    slots = torch.stack([torch.arange(start, start + 7) for start in (0, 2, 5)])
    hidden = torch.arange(12) > slots[:, None, :, None]
    mask = torch.zeros(3, 1, 7, 12).masked_fill(hidden, torch.finfo(torch.float32).min)

    def scores(mask: torch.Tensor) -> torch.Tensor:
        cache = RaggedCache(model.config.num_hidden_layers)
        cache.shape(3, 12)
        cache.aim([0, 1, 2], slots, 12)
        arguments = {"past_key_values": cache, "use_cache": True, "position_ids": slots}
        with torch.inference_mode():
            return model(input_ids=ids, attention_mask=mask, **arguments).logits

    expected = scores(mask)
    with attention.grouped_queries(model) as group:
        assert group > 1
        assert torch.allclose(scores(attention.mask_for(mask, group)), expected, atol=1e-4)
    assert model.config._attn_implementation == "sdpa", "the model is as it was"


def test_a_model_with_an_attention_of_its_own_keeps_it(model):
    model.set_attn_implementation("eager")
    try:
        with attention.grouped_queries(model) as group:
            assert (group, model.config._attn_implementation) == (1, "eager")
    finally:
        model.set_attn_implementation("sdpa")


def test_keys_and_values_are_not_repeated_for_the_query_heads(model, tagger_tokenizer, vocabulary, monkeypatch):
    heads = set()
    attend = torch.nn.functional.scaled_dot_product_attention

    def note(query, key, value, **options):
        heads.update((key.shape[1], value.shape[1]))
        return attend(query, key, value, **options)

    monkeypatch.setattr(attention, "scaled_dot_product_attention", note)
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", note)
    text = guard("Doctor Lee is here.")
    request = Request(tagger_tokenizer(text)["input_ids"], Constraint(vocabulary, text, ["DOCTOR"], 4))
    Decoder(model, vocabulary, 2).answers([request, request])
    assert heads == {model.config.num_key_value_heads}
