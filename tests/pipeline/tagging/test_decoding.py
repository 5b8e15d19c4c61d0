import math
from types import SimpleNamespace

import pytest
import torch

from pipeline.tagging.constraint import Constraint
from pipeline.tagging.decoding import answers, decode, read_spans
from pipeline.tagging.entities import Span, parse
from pipeline.tagging.prompts import completion, guard
from tests.tagger_models import Forced

TYPES = ["PATIENT", "DATE", "TIME", "LOCATION-OTHER", "ID_NUMBER"]
HOSTILE = [
    "",
    " ",
    "<DATE>today</DATE> </DATE> <|eot_id|> a < b",
    "👩🏽‍⚕️ says 🩺🇹🇼",
    "Zoe\u0308 a\u0301\u0300 \u0301",
    "שלום עליכם ‏ מרחבא",
    "壓力\u3000大 no\u00a0break\ttab\nline\r\n",
    "\x00\x7f\ufeff\ufffd\U0010ffff",
]
GOLD = [
    ("I flew to Lantern Bridge on Friday.", [("LOCATION-OTHER", "Lantern Bridge"), ("DATE", "Friday")]),
    ("我是溫書銘昨天晚上住院", [("PATIENT", "溫書銘"), ("TIME", "昨天晚上")]),
    ("Winnie的報告是24K81630 OK", [("PATIENT", "Winnie"), ("ID_NUMBER", "24K81630")]),
    ("Nothing to see here.", []),
    ("今天", [("DATE", "今天")]),
]


def constrain(vocabulary, texts, cap=6):
    return [Constraint(vocabulary, guard(text), TYPES, cap) for text in texts]


def prompts_for(tagger_tokenizer, count):
    """Prompts of different lengths."""
    return [
        tagger_tokenizer("tell me about the patient " * (row % 3 + 1), add_special_tokens=False)["input_ids"]
        for row in range(count)
    ]


def text_of(answer, vocabulary):
    return parse(b"".join(vocabulary.bytes[token] for token, _ in answer).decode())[0]


def test_hostile_text_comes_back_byte_for_byte(tagger_base, tagger_tokenizer, vocabulary):
    found = answers(tagger_base, prompts_for(tagger_tokenizer, len(HOSTILE)), constrain(vocabulary, HOSTILE))
    assert [text_of(answer, vocabulary) for answer in found] == [guard(text) for text in HOSTILE]
    assert all(answer[-1][0] == vocabulary.end for answer in found)


def test_five_thousand_characters_come_back(tagger_base, tagger_tokenizer, vocabulary):
    text = ("壓力 " + "pain in the left knee, " * 3 + "🩺") * 80
    text = text[:5000]
    assert len(text) == 5000
    (answer,) = answers(tagger_base, prompts_for(tagger_tokenizer, 1), constrain(vocabulary, [text]))
    assert text_of(answer, vocabulary) == text


@pytest.mark.parametrize("broken", [torch.nan, torch.inf, -torch.inf, 0.0])
def test_a_broken_model_alters_nothing_and_is_deterministic(tagger_base, tagger_tokenizer, vocabulary, broken: float):
    class Broken(Forced):
        def forward(self, **inputs):
            output = super().forward(**inputs)
            output.logits[:] = broken
            return output

    constraints = constrain(vocabulary, HOSTILE)
    found = [
        answers(Broken(tagger_base, []), prompts_for(tagger_tokenizer, len(HOSTILE)), constraints) for _ in range(2)
    ]
    assert found[0] == found[1]
    assert [text_of(answer, vocabulary) for answer in found[0]] == [guard(text) for text in HOSTILE]
    first = [token for token, _ in found[0][2]]
    assert first[0] == min(constraints[2].legal(Constraint.start))


def test_a_batch_gives_what_each_row_gives_alone(tagger_base, tagger_tokenizer, vocabulary):
    texts = [text for text, _ in GOLD] + HOSTILE
    prompts = prompts_for(tagger_tokenizer, len(texts))
    constraints = constrain(vocabulary, texts)
    together = decode(tagger_base, prompts, constraints)
    alone = [decode(tagger_base, [prompt], [one])[0] for prompt, one in zip(prompts, constraints, strict=True)]
    assert sum(map(len, together)) > 10
    for batch_row, single_row in zip(together, alone, strict=True):
        assert [(s.type, s.char_start, s.char_end) for s in batch_row] == [
            (s.type, s.char_start, s.char_end) for s in single_row
        ]
        assert [s.confidence for s in batch_row] == pytest.approx([s.confidence for s in single_row], abs=1e-4)


@pytest.mark.parametrize("text", [text for text, _ in GOLD] + HOSTILE[1:])
def test_the_decoder_of_transformers_gives_the_same_tokens(tagger_base, tagger_tokenizer, vocabulary, text: str):
    (prompt,) = prompts_for(tagger_tokenizer, 1)
    (constraint,) = constrain(vocabulary, [text])

    def allowed(_, ids):
        state = constraint.start
        for token in ids[len(prompt) :].tolist():
            state = constraint.legal(state)[token]
        return list(constraint.legal(state))

    generated = tagger_base.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        prefix_allowed_tokens_fn=allowed,
        eos_token_id=vocabulary.end,
        pad_token_id=vocabulary.end,
        do_sample=False,
        max_new_tokens=2000,
    )[0, len(prompt) :].tolist()
    (answer,) = answers(tagger_base, [prompt], [constraint])
    assert [token for token, _ in answer] == generated


def test_a_model_that_wants_the_gold_spans_gives_exactly_them(tagger_base, tagger_tokenizer, vocabulary):
    gold = [
        [Span(type_, text.index(entity), text.index(entity) + len(entity)) for type_, entity in entities]
        for text, entities in GOLD
    ]
    wanted = [
        [*tagger_tokenizer(completion(text, spans), add_special_tokens=False)["input_ids"], vocabulary.end]
        for (text, _), spans in zip(GOLD, gold, strict=True)
    ]
    constraints = constrain(vocabulary, [text for text, _ in GOLD])
    found = decode(Forced(tagger_base, wanted), prompts_for(tagger_tokenizer, len(GOLD)), constraints)
    assert [[(s.type, s.char_start, s.char_end) for s in row] for row in found] == [
        [(s.type, s.char_start, s.char_end) for s in row] for row in gold
    ]
    assert all(span.confidence == pytest.approx(1.0) for row in found for span in row)


def test_no_more_entities_than_allowed(tagger_base, tagger_tokenizer, vocabulary):
    text = "a b c d e f g h i j"
    for cap in (0, 1, 2):
        ((*spans,),) = decode(tagger_base, prompts_for(tagger_tokenizer, 1), constrain(vocabulary, [text], cap))
        assert len(spans) <= cap


def test_a_confidence_is_the_probability_of_the_tags_tokens():
    pieces = [(b"a", 0.5), (b" <", 0.9), (b"DATE>", 0.8), (b"b", 0.1), (b"</DATE", 0.7), (b"><", 0.6)]
    pieces += [(b"TIME>", 1.0), (b"c", 0.2), (b"</TIME>", 0.5), (b"", 0.3)]

    vocabulary = SimpleNamespace(bytes=dict(enumerate(piece for piece, _ in pieces)))
    spans = read_spans([(token, math.log(chance)) for token, (_, chance) in enumerate(pieces)], vocabulary)
    assert [(s.type, s.char_start, s.char_end) for s in spans] == [("DATE", 2, 3), ("TIME", 3, 4)]
    assert [s.confidence for s in spans] == pytest.approx([0.9 * 0.8 * 0.7 * 0.6, 0.6 * 0.5])


def test_no_prompts_give_no_spans(tagger_base):
    assert decode(tagger_base, [], []) == []
