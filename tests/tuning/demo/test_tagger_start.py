"""What the demo's tagger begins with: a tokenizer in which tags stand beside the transcript's tokens, and copying."""

import random
import re

import pytest
import torch

from pipeline.corpus.grammar import Grammar
from pipeline.tagging.entities import strip_tags
from pipeline.tagging.groups import load_groups
from pipeline.tagging.prompts import Prompt, completion
from tuning.demo import tagger
from tuning.demo.llama_files import train_tagging_tokenizer

TAG = re.compile("Ġ?</?[A-Z_-]+>")


@pytest.fixture(scope="module")
def prompts():
    return [Prompt.of(group, 0) for group in load_groups()]


@pytest.fixture(scope="module")
def sentences():
    lot = random.Random(7)
    grammars = (Grammar("en"), Grammar("zh"))
    return [grammars[i % 2].sentence(lot, "training") for i in range(1500)]


@pytest.fixture(scope="module")
def tokenizer(prompts, sentences):
    texts = [*(prompt.system for prompt in prompts), *(sentence.text for sentence in sentences)]
    return train_tagging_tokenizer(texts, [type_ for prompt in prompts for type_ in prompt.types], 3000)


def test_a_tagged_transcript_is_the_transcripts_tokens_with_a_token_for_each_tag(tokenizer, sentences, prompts):
    types = {type_ for prompt in prompts for type_ in prompt.types}
    for sentence in sentences[:300]:
        spans = [span for span in sentence.spans if span.type in types]
        plain = tokenizer.tokenize(sentence.text)
        tagged = tokenizer.tokenize(completion(sentence.text, spans))
        tags = [token for token in tagged if TAG.fullmatch(token)]
        assert len(tags) == 2 * len(spans)
        words = [token for token in tagged if not TAG.fullmatch(token)]
        assert [word.lstrip("Ġ") for word in words] == [word.lstrip("Ġ") for word in plain]


def test_any_text_comes_back(tokenizer):
    for text in ("a  b\n\tc", "Zoë, 王醫師 3.5mg!", "𠮷👩🏽 שלום", "<DATE", "<unknown>"):
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_before_training_the_model_copies_and_goes_on_copying_behind_a_tag(tokenizer, sentences, prompts):
    torch.manual_seed(1)
    model = tagger.build(tokenizer).eval()
    batches = tagger.Batches(tokenizer, sentences, prompts)
    tags = {id_ for token, id_ in tokenizer.get_vocab().items() if TAG.fullmatch(token)}
    copied, behind_tags = [], []
    for number, prompt in enumerate(prompts[:3]):
        told, examples = batches.draw(prompt, 8, random.Random(number), nonsense=False)
        for example in examples:
            question = told + example.question
            with torch.inference_mode():
                logits = model(torch.tensor([question + example.answer])).logits[0, len(question) - 1 : -1]
            guesses = logits.argmax(-1).tolist()
            for before, guess, token in zip([question[-1], *example.answer], guesses, example.answer, strict=False):
                if token not in tags:
                    (behind_tags if before in tags else copied).append(guess == token)
    assert len(behind_tags) > 20
    assert sum(copied) / len(copied) > 0.9
    assert sum(behind_tags) / len(behind_tags) > 0.4


@pytest.mark.parametrize("nonsense", [False, True])
def test_an_example_is_a_transcript_and_a_legal_answer_to_it(tokenizer, sentences, prompts, nonsense):
    batches = tagger.Batches(tokenizer, sentences, prompts)
    found = 0
    for number in range(6):
        told, examples = batches.draw(prompts[number], 4, random.Random(number), nonsense)
        for example in examples:
            assert example.question
            assert all(token in legal for token, legal in zip(example.answer, example.legal, strict=True))
            answer = tokenizer.decode(example.answer, skip_special_tokens=True)
            assert strip_tags(answer) in tokenizer.decode(told + example.question)
            found += strip_tags(answer) != answer
    assert found
