"""Long examples are cut for training as inference cuts long transcripts, and lose no entity."""

import pytest
from transformers import AutoTokenizer

from pipeline.errors import UserError
from pipeline.tagging.entities import parse
from pipeline.tagging.prompts import Prompt
from tests.competition import SENTENCES
from tests.names_dataset import GROUP, halves, outlier
from tuning.examples import tokenize

PROMPT = Prompt.of(GROUP, 0)


@pytest.fixture(scope="module")
def tokenizer(tagger_folders):
    return AutoTokenizer.from_pretrained(tagger_folders.base)


def answers(data, tokenizer) -> list[str]:
    return [
        tokenizer.decode(
            [token for token, own in zip(row["input_ids"], row["completion_mask"], strict=True) if own][:-1]
        )
        for row in data
    ]


def test_an_example_that_fits_stays_whole(tokenizer):
    table = halves(SENTENCES).splits["train"]
    data = tokenize(table, PROMPT, tokenizer, "answer", 1024)
    assert answers(data, tokenizer) == table["tagged"].to_pylist()


@pytest.mark.parametrize("sequence_tokens", [1100, 1500])
def test_a_longer_one_is_cut_into_parts_that_hold_all_of_its_text_and_every_entity_whole(tokenizer, sequence_tokens):
    long = outlier(halves(SENTENCES).splits["train"], 8, long_entity=True)
    data = tokenize(long, PROMPT, tokenizer, "answer", sequence_tokens)
    assert len(data) > 1 and max(map(len, data["input_ids"])) <= sequence_tokens
    parts = [parse(answer) for answer in answers(data, tokenizer)]
    text, spans = parse(long["tagged"][0].as_py())
    found, covered, place = set(), set(), 0
    for part, own in parts:
        place = text.index(part, max(place - 300, 0))
        covered |= set(range(place, place + len(part)))
        found |= {(span.type, place + span.char_start, place + span.char_end) for span in own}
    assert all(place in covered for place, character in enumerate(text) if not character.isspace())
    assert found == {(span.type, span.char_start, span.char_end) for span in spans}


def test_a_prompt_that_leaves_no_room_is_one_sentence(tokenizer):
    table = halves(SENTENCES).splits["train"]
    with pytest.raises(UserError, match=r"^--sequence-tokens 128: the prompt of the group names takes \d+ tokens"):
        tokenize(table, PROMPT, tokenizer, "answer", 128)
