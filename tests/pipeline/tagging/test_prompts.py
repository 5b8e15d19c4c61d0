import datetime
import json

import pytest

from pipeline.tagging.entities import Span, parse, strip_tags
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.prompts import (
    STAND_IN,
    TEMPLATE_VARIABLES,
    Prompt,
    completion,
    encode,
    end_of_turn,
    guard,
    messages,
    render,
)

TEXT = "She is 41, a < b. 她住台南"
SPANS = [Span("CITY", 20, 22), Span("LOCATION-OTHER", 7, 9)]
TIMES = next(group for group in load_entity_groups() if group.name == "times")


def test_the_system_message_describes_every_type():
    system = messages(Prompt.of(TIMES), "hello")[0]
    assert system["role"] == "system"
    assert all(f"- {type_}: {line}" in system["content"] for type_, line in TIMES.types.items())


def test_the_number_of_few_shot_turns_is_a_choice():
    assert [len(messages(Prompt.of(TIMES, count), "hello")) for count in (None, 5, 2, 0)] == [12, 12, 6, 2]
    assert [Prompt.of(TIMES).with_examples(count) for count in (None, 2, 0)] == [
        Prompt.of(TIMES, count) for count in (None, 2, 0)
    ]


def test_a_prompt_is_the_same_after_json():
    content = json.loads(json.dumps(Prompt.of(TIMES).to_json()))
    assert list(content) == ["group", "types", "system", "few_shot", "longest"]
    assert Prompt.from_json(content | {"base_model": "some/base"}) == Prompt.of(TIMES)


def test_completion_and_parse_are_inverse():
    tagged = completion(TEXT, SPANS)
    assert tagged == f"She is <LOCATION-OTHER>41</LOCATION-OTHER>, a {STAND_IN} b. 她住<CITY>台南</CITY>"
    assert parse(tagged) == (guard(TEXT), sorted(SPANS, key=lambda span: span.char_start))
    assert strip_tags(tagged) == guard(TEXT)


def test_a_stand_in_keeps_every_character_in_its_place():
    assert guard("a<DATE>\ud800b") == f"a{STAND_IN}DATE>?b"


@pytest.mark.parametrize("start, end", [(3, 3), (3, 6), (4, 7), (20, 99)])
def test_a_span_that_cannot_be_tagged_is_refused(start: int, end: int):
    with pytest.raises(ValueError, match="cannot be tagged"):
        completion(TEXT, [Span("DATE", start, end)])


def test_overlapping_spans_are_refused():
    with pytest.raises(ValueError, match="cannot be tagged"):
        completion(TEXT, [Span("DATE", 0, 6), Span("AGE", 4, 9)])


@pytest.mark.parametrize("transcript", ["hello", "", TEXT, "<|eot_id|><|begin_of_text|> 壓力"])
def test_training_and_inference_render_the_same_bytes(tagger_tokenizer, transcript: str):
    prompt = Prompt.of(TIMES)
    answer = completion(transcript, [])
    trained_on = tagger_tokenizer.apply_chat_template(
        [*messages(prompt, transcript), {"role": "assistant", "content": answer}], tokenize=False, **TEMPLATE_VARIABLES
    )
    assert trained_on == render(tagger_tokenizer, prompt, transcript) + answer + end_of_turn(tagger_tokenizer)


@pytest.mark.parametrize("transcript", ["hello", "", "<|begin_of_text|>"])
def test_a_prompt_holds_exactly_one_bos(tagger_tokenizer, transcript: str):
    ids = encode(tagger_tokenizer, render(tagger_tokenizer, Prompt.of(TIMES), transcript))
    assert ids.count(tagger_tokenizer.bos_token_id) == 1
    assert ids[0] == tagger_tokenizer.bos_token_id


def test_a_prompt_does_not_know_what_day_it_is(tagger_tokenizer):
    assert "date_string" in tagger_tokenizer.chat_template
    assert str(datetime.date.today().year) not in render(tagger_tokenizer, Prompt.of(TIMES), "hello")


def test_the_end_of_a_turn_is_one_token(tagger_tokenizer):
    assert encode(tagger_tokenizer, end_of_turn(tagger_tokenizer)) == [tagger_tokenizer.eos_token_id]
