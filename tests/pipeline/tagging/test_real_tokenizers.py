"""The tagger on the tokenizers and chat templates of SmolLM2, Llama 3 and Qwen2.5: pytest -m real."""

import random

import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from pipeline.corpus.tagging_datasets import SCHEMA
from pipeline.tagging.constraint import Constraint, Vocabulary
from pipeline.tagging.decoding import Decoder, Prefix
from pipeline.tagging.entities import Span, parse
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.prompts import Prompt, completion, encode, end_of_turn, guard, render
from pipeline.tagging.requests import request
from tests.pipeline.tagging.test_constraint import hostile, quick
from tests.real_models import NAMES, real_model
from tests.stepwise import answers
from tests.tagger_models import entity_edges
from tuning.examples import tokenize

TYPES = ["ID", "ID_NUMBER", "LOCATION-OTHER"]
any_text = st.one_of(hostile, st.text(max_size=12))

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=NAMES)
def real(request):
    tokenizer = AutoTokenizer.from_pretrained(real_model(request.param))
    return tokenizer, Vocabulary(tokenizer, end_of_turn(tokenizer))


@quick
@given(text=any_text, seed=st.integers(0, 2**32), longest=st.integers(1, 30))
def test_whatever_is_chosen_the_text_comes_back(real, text: str, seed: int, longest: int):
    _, vocabulary = real
    text = vocabulary.alphabet.write(guard(text))
    constraint = Constraint(vocabulary, text, TYPES, 3, longest=dict.fromkeys(TYPES, longest))
    choose = random.Random(seed)
    written, state = b"", constraint.start
    while state is not None:
        token = choose.choice(constraint.legal(state).ids.tolist())
        state = constraint.after(state, token)
        written += vocabulary.bytes[token]
    back, spans = parse(written.decode())
    assert back == text and len(spans) <= 3


@quick
@given(text=hostile, data=st.data())
def test_every_tagging_is_legal_in_the_tokens_of_the_tokenizer(real, text: str, data: st.DataObject):
    tokenizer, vocabulary = real
    text = vocabulary.alphabet.write(guard(text))
    cuts = sorted(data.draw(st.sets(st.sampled_from(entity_edges(text)), max_size=4)))
    spans = [
        Span(data.draw(st.sampled_from(TYPES)), start, end)
        for start, end in zip(cuts[::2], cuts[1::2], strict=False)
        if text[start:end] == text[start:end].strip()
    ]
    tokens = encode(tokenizer, completion(text, spans))
    if b"".join(vocabulary.bytes.get(token, b"?") for token in tokens) != completion(text, spans).encode():
        return  # the tokenizer composes characters, as Qwen's does, so its own tokens spell another text
    constraint, state = Constraint(vocabulary, text, TYPES, 8), Constraint.start
    for token in tokens:
        assert token in constraint.legal(state).ids
        state = constraint.after(state, token)
    assert vocabulary.end in constraint.legal(state).ids


@pytest.mark.parametrize("brief", [False, True])
def test_a_prompt_ends_as_in_training_and_the_answer_ends_the_turn(real, brief):
    tokenizer, vocabulary = real
    prompt = Prompt.of(load_entity_groups()[0], 2, brief)
    text, tagged = "Dr. Lee <b> 王小明\x04", "Dr. <DOCTOR>Lee</DOCTOR> ‹b> 王小明\x04"
    row = {"recording_id": "1", "text_source": "gold", "transcript": text, "tagged": tagged}
    table = pa.Table.from_pylist([row | {"spans": [{"type": "DOCTOR", "char_start": 4, "char_end": 7}]}], SCHEMA)
    data = tokenize(table, prompt, tokenizer, "answer", 4096)
    asked = request(tokenizer, vocabulary, prompt, text, Prefix(), 8)
    ids, learned = data["input_ids"][0], data["completion_mask"][0]
    assert ids[: learned.index(1)] == list(asked.prompt)
    state = asked.constraint.start
    for token in ids[learned.index(1) :]:
        state = asked.constraint.after(state, token)
    assert state is None and ids[-1] == vocabulary.end
    begins = encode(tokenizer, render(tokenizer, prompt, ""))
    assert begins[:20] == ids[:20]


def test_draft_and_verify_gives_what_token_by_token_gives(real):
    """On an untrained model of the tokenizer's own vocabulary, in float32."""
    tokenizer, vocabulary = real
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=max(max(vocabulary.bytes), len(tokenizer)) + 1,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
    )
    model = LlamaForCausalLM(config).eval()
    prompt = Prompt.of(load_entity_groups()[0], 0, brief=True)
    texts = ["Dr. Lee saw Mary-Ann O'Brien on 3/4.", "王小明 said hi 12 times\U0001f642", "a\x04b < c", "  x  "]
    asked = [request(tokenizer, vocabulary, prompt, text, Prefix(), 3) for text in texts]
    found = Decoder(model, vocabulary, 4).answers(asked)
    expected = answers(model, [one.prompt for one in asked], [one.constraint for one in asked])
    for one, other in zip(found, expected, strict=True):  # one stops where the rest of its text is settled
        assert [token for token, _ in one] == [token for token, _ in other][: len(one)]
    assert any(found)
