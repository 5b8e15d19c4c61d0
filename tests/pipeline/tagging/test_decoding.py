import copy
import math
import re
import unicodedata
from itertools import pairwise, product
from types import SimpleNamespace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.tagging.constraint import Constraint
from pipeline.tagging.decoding import Decoder, Prefix, Request, read_spans
from pipeline.tagging.entities import Span
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.prompts import guard
from tests import stepwise
from tests.oracle import Oracle, read_corpus
from tests.tagger_models import DIGITS, LATIN, entity_edges

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
LABELLED = [
    ("I flew to Lantern Bridge on Friday.", [("LOCATION-OTHER", "Lantern Bridge"), ("DATE", "Friday")]),
    ("我是溫書銘昨天晚上住院", [("PATIENT", "溫書銘"), ("TIME", "昨天晚上")]),
    ("Winnie的報告是24K81630 OK", [("PATIENT", "Winnie"), ("ID_NUMBER", "24K81630")]),
    ("Nothing to see here.", []),
    ("今天", [("DATE", "今天")]),
]
TEXTS = [text for text, _ in LABELLED] + HOSTILE
NO_PREFIX = Prefix()
quick = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def constrain(vocabulary, texts, cap=6, bias=0.0):
    return [Constraint(vocabulary, guard(text), TYPES, cap, bias) for text in texts]


def prompts_for(tagger_tokenizer, count):
    """Prompts of different lengths."""
    return [
        tagger_tokenizer("tell me about the patient " * (row % 3 + 1), add_special_tokens=False)["input_ids"]
        for row in range(count)
    ]


def requests_for(tagger_tokenizer, constraints, prefix=NO_PREFIX):
    prompts = prompts_for(tagger_tokenizer, len(constraints))
    return [
        Request([*prefix.tokens, *prompt], constraint, prefix)
        for prompt, constraint in zip(prompts, constraints, strict=True)
    ]


def assert_copied(text, answer, vocabulary):
    """Byte for byte, up to where nothing follows that an entity could begin with."""
    written = b"".join(vocabulary.bytes[token] for token, _ in answer)
    copied = re.sub(rb"<[^>]*>", b"", written)
    assert guard(text).encode().startswith(copied)
    begins = [i for i, c in enumerate(text) if not c.isspace() and not unicodedata.category(c).startswith("M")]
    assert len(copied) > len(guard(text)[: max(begins)].encode()) if begins else not copied


def places(spans):
    return [(span.type, span.char_start, span.char_end) for span in spans]


def assert_same(answers, expected, vocabulary):
    """Token for token and in their probabilities; what the decoder leaves out at an end holds no tag."""
    for answer, whole in zip(answers, expected, strict=True):
        assert [token for token, _ in answer] == [token for token, _ in whole[: len(answer)]]
        assert [logprob for _, logprob in answer] == pytest.approx([p for _, p in whole[: len(answer)]], abs=1e-4)
        assert not any(b"<" in vocabulary.bytes[token] for token, _ in whole[len(answer) :])


@pytest.fixture(scope="session", params=["llama", "qwen", "adapter"])
def any_model(request):
    if request.param == "adapter":
        model = request.getfixturevalue("tagger")._model
        model.set_adapter("times")
        return model
    return request.getfixturevalue({"llama": "tagger_base", "qwen": "tagger_qwen"}[request.param])


def step_by_step(model, requests):
    return stepwise.answers(model, [r.prompt for r in requests], [r.constraint for r in requests])


def test_the_answers_are_those_of_decoding_token_by_token(any_model, tagger_tokenizer, vocabulary):
    requests = requests_for(tagger_tokenizer, constrain(vocabulary, TEXTS))
    expected = step_by_step(any_model, requests)
    for rows in (1, 8, 32):
        found = Decoder(any_model, vocabulary, rows).answers(requests)
        assert sum(len(read_spans(answer, vocabulary)) for answer in found) > 10
        assert_same(found, expected, vocabulary)


def test_the_answers_to_real_transcripts_are_the_same_too(any_model, tagger_tokenizer, vocabulary, shared):
    texts = [recording.text[:160] for recording in read_corpus(shared / "corpus" / "train2")[::23]]
    requests = requests_for(tagger_tokenizer, constrain(vocabulary, texts))
    expected = step_by_step(any_model, requests)
    for rows in (1, 8, 32):
        assert_same(Decoder(any_model, vocabulary, rows).answers(requests), expected, vocabulary)


@pytest.mark.parametrize("text", [text for text in TEXTS if text.strip()])
def test_the_decoder_of_transformers_gives_the_same_tokens(tagger_base, tagger_tokenizer, vocabulary, text: str):
    (request,) = requests_for(tagger_tokenizer, constrain(vocabulary, [text]))
    prompt, constraint = request.prompt, request.constraint

    def allowed(_, ids):
        state = constraint.start
        for token in ids[len(prompt) :].tolist():
            state = constraint.after(state, token)
        return constraint.legal(state).ids.tolist()

    generated = tagger_base.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        prefix_allowed_tokens_fn=allowed,
        eos_token_id=vocabulary.end,
        pad_token_id=vocabulary.end,
        do_sample=False,
        max_new_tokens=2000,
    )[0, len(prompt) :].tolist()
    (answer,) = Decoder(tagger_base, vocabulary, 1).answers([request])
    assert [token for token, _ in answer] == generated[: len(answer)]
    assert not any(b"<" in vocabulary.bytes[token] for token in generated[len(answer) :])


@pytest.mark.parametrize("shared_tokens", [0, 1, 20, 40])
def test_a_prefix_is_only_a_shortcut(any_model, tagger_tokenizer, vocabulary, shared_tokens: int):
    system = tagger_tokenizer("the task is to mark what is sensitive. " * 4, add_special_tokens=False)["input_ids"][:40]
    constraints = constrain(vocabulary, TEXTS)
    requests = requests_for(tagger_tokenizer, constraints, Prefix(tuple(system)))
    other = tagger_tokenizer("quite another start")["input_ids"]
    requests = [  # some begin like the prefix and then go another way
        request if row % 2 else Request([*system[:shared_tokens], *other], request.constraint, request.prefix)
        for row, request in enumerate(requests)
    ]
    expected = stepwise.answers(any_model, [r.prompt for r in requests], constraints)
    decoder = Decoder(any_model, vocabulary, 3)
    for _ in range(2):  # the second time the prefix is known
        assert_same(decoder.answers(requests), expected, vocabulary)


def test_every_prompt_is_read_by_its_own_adapter(tagger, tagger_tokenizer, vocabulary):
    model = tagger._model
    groups = [group.name for group in load_entity_groups()]
    system = tagger_tokenizer("mark the names in here.", add_special_tokens=False)["input_ids"]
    prefixes = {name: Prefix(tuple(system), name) for name in groups}
    constraints = constrain(vocabulary, [TEXTS[i % 3] for i in range(18)])
    requests, expected = [], []
    for row, constraint in enumerate(constraints):
        prefix = prefixes[groups[row % 6]]
        requests.append(Request([*system, *system[: row % 4 + 1]], constraint, prefix))
        model.set_adapter(prefix.adapter)
        expected += stepwise.answers(model, [requests[-1].prompt], [constraint])
    assert len({tuple(token for token, _ in answer) for answer in expected}) > 6  # the adapters differ
    for rows, mixed in product((1, 5), (False, True)):
        assert_same(Decoder(model, vocabulary, rows).answers(requests, mixed), expected, vocabulary)


def test_hostile_text_comes_back_byte_for_byte(tagger_base, tagger_tokenizer, vocabulary):
    requests = requests_for(tagger_tokenizer, constrain(vocabulary, HOSTILE, cap=100))
    for text, answer in zip(HOSTILE, Decoder(tagger_base, vocabulary, 4).answers(requests), strict=True):
        assert_copied(text, answer, vocabulary)


def test_fifty_thousand_characters_come_back(tagger_base, tagger_tokenizer, vocabulary):
    text = (("壓力 " + "pain in the left knee, " * 3 + "🩺") * 800)[:50_000]
    assert len(text) == 50_000
    requests = requests_for(tagger_tokenizer, constrain(vocabulary, [text], cap=2, bias=-1.0))
    (answer,) = Decoder(tagger_base, vocabulary, 8).answers(requests)
    spans = read_spans(answer, vocabulary)
    if len(spans) < 2:
        assert_copied(text, answer, vocabulary)
    assert all(0 <= span.char_start < span.char_end <= len(text) for span in spans)


@pytest.mark.parametrize("broken", [torch.nan, torch.inf, -torch.inf, 0.0])
def test_a_broken_model_alters_nothing_and_is_deterministic(tagger_base, tagger_tokenizer, vocabulary, broken: float):
    constraints = constrain(vocabulary, HOSTILE, cap=100)
    handle = tagger_base.lm_head.register_forward_hook(lambda *_: torch.full((*_[2].shape,), broken))
    try:
        found = [
            Decoder(tagger_base, vocabulary, 3).answers(requests_for(tagger_tokenizer, constraints)) for _ in range(2)
        ]
    finally:
        handle.remove()
    assert found[0] == found[1]
    for text, answer in zip(HOSTILE, found[0], strict=True):
        assert_copied(text, answer, vocabulary)
    assert found[0][2][0][0] == min(constraints[2].legal(Constraint.start).ids)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_row_sees_nothing_of_the_rows_before_it(tagger_base, tagger_tokenizer, vocabulary, rows: int):
    poisoned = copy.deepcopy(tagger_base)
    poison = tagger_tokenizer.pad_token_id
    with torch.no_grad():
        poisoned.get_input_embeddings().weight[poison] = torch.nan
    texts = [text for text in TEXTS if text.strip()]
    clean = requests_for(tagger_tokenizer, constrain(vocabulary, texts))
    dirty = [Request([poison, *r.prompt], Constraint(vocabulary, "so sick today", TYPES, 6)) for r in clean]
    expected = step_by_step(poisoned, clean)
    both = [request for pair in zip(clean, dirty, strict=True) for request in pair]
    assert_same(Decoder(poisoned, vocabulary, rows).answers(both)[::2], expected, vocabulary)


def test_a_decoder_can_be_used_again_for_longer_and_shorter_texts(tagger_base, tagger_tokenizer, vocabulary):
    decoder = Decoder(tagger_base, vocabulary, 4)
    for text in ("short", "long text " * 150, "short", "text " * 700, "今天"):
        requests = requests_for(tagger_tokenizer, constrain(vocabulary, [text] * 3, cap=2))
        expected = step_by_step(tagger_base, requests)
        assert_same(decoder.answers(requests), expected, vocabulary)


@pytest.mark.parametrize("bias", [-1e6, -2.0, 0.7, 3.0, 1e6])
def test_with_a_bias_the_answers_are_those_of_token_by_token(tagger_base, tagger_tokenizer, vocabulary, bias: float):
    requests = requests_for(tagger_tokenizer, constrain(vocabulary, TEXTS, bias=bias))
    expected = step_by_step(tagger_base, requests)
    assert_same(Decoder(tagger_base, vocabulary, 4).answers(requests), expected, vocabulary)


def test_a_higher_bias_opens_the_first_entity_no_later(tagger_base, tagger_tokenizer, vocabulary):
    decoder = Decoder(tagger_base, vocabulary, 8)
    found = [
        decoder.decode(requests_for(tagger_tokenizer, constrain(vocabulary, TEXTS, bias=bias)))
        for bias in (-1e6, -4.0, 0.0, 4.0, 1e6)
    ]
    firsts = [[spans[0].char_start if spans else 999 for spans in row] for row in found]
    assert all(after <= before for low, high in pairwise(firsts) for before, after in zip(low, high, strict=True))
    assert not any(found[0])
    assert [bool(spans) for spans in found[-1]] == [bool(text.strip()) for text in TEXTS]


def test_confidence_does_not_rise_with_the_bias(tagger_base, tagger_tokenizer, vocabulary):
    sure, biased = (
        Decoder(tagger_base, vocabulary, 1).answers(
            requests_for(tagger_tokenizer, constrain(vocabulary, ["no one"], cap=1, bias=bias))
        )[0]
        for bias in (0.0, 1e6)
    )
    assert sure[0][1] >= biased[0][1]
    assert biased[0][1] < -1e-3


def oracle(vocabulary, cap=6):
    reference = [
        [Span(type_, text.index(entity), text.index(entity) + len(entity)) for type_, entity in entities]
        for text, entities in LABELLED
    ]
    return reference, [
        Oracle(vocabulary, text, TYPES, cap, spans) for (text, _), spans in zip(LABELLED, reference, strict=True)
    ]


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_a_model_that_wants_the_gold_spans_gives_exactly_them(tagger_base, tagger_tokenizer, vocabulary, rows: int):
    reference, constraints = oracle(vocabulary)
    found = Decoder(tagger_base, vocabulary, rows).decode(requests_for(tagger_tokenizer, constraints))
    assert [places(row) for row in found] == [places(row) for row in reference]


def test_passes_are_counted(tagger_base, tagger_tokenizer, vocabulary):
    _, constraints = oracle(vocabulary)
    decoder = Decoder(tagger_base, vocabulary, 1)
    decoder.answers(requests_for(tagger_tokenizer, constraints))
    assert decoder.stats.per_answer.total() == len(LABELLED)
    assert decoder.stats.passes == sum(passes * count for passes, count in decoder.stats.per_answer.items())
    assert decoder.stats.mean_passes == decoder.stats.passes / len(LABELLED)
    together = Decoder(tagger_base, vocabulary, len(LABELLED))
    together.answers(requests_for(tagger_tokenizer, constraints))
    assert together.stats.per_answer.total() == len(LABELLED)
    assert together.stats.passes == max(together.stats.per_answer)


def test_a_text_without_entities_takes_one_pass(tagger_base, tagger_tokenizer, vocabulary):
    decoder = Decoder(tagger_base, vocabulary, 2)
    constraints = [Oracle(vocabulary, text, TYPES, 6, []) for text in ("Nothing to see here.", "沒有什麼", "a" * 300)]
    assert decoder.decode(requests_for(tagger_tokenizer, constraints)) == [[], [], []]
    assert decoder.stats.per_answer == {1: 3}


def test_where_no_entity_is_possible_the_model_is_not_asked(tagger_base, tagger_tokenizer, vocabulary):
    decoder = Decoder(tagger_base, vocabulary, 2)
    requests = requests_for(tagger_tokenizer, constrain(vocabulary, ["Friday"], cap=0) + constrain(vocabulary, [" "]))
    assert decoder.decode(requests) == [[], []]
    assert decoder.stats.passes == 0


def test_finished_rows_make_room_for_the_next(tagger_base, tagger_tokenizer, vocabulary):
    text, spans = "On Friday and Monday and Sunday", [Span("DATE", 3, 9), Span("DATE", 14, 20), Span("DATE", 25, 31)]
    slow = Oracle(vocabulary, text, TYPES, 6, spans)
    fast = [Oracle(vocabulary, "Nothing to see here", TYPES, 6, []) for _ in range(9)]
    decoder = Decoder(tagger_base, vocabulary, 2)
    decoder.answers(requests_for(tagger_tokenizer, [slow, *fast]))
    slowest = max(decoder.stats.per_answer)
    assert slowest >= 4
    assert decoder.stats.passes < slowest + 9  # one at a time would take that many


def test_no_more_entities_than_allowed(tagger_base, tagger_tokenizer, vocabulary):
    for cap in (0, 1, 2):
        requests = requests_for(tagger_tokenizer, constrain(vocabulary, ["a b c d e f g h i j"], cap))
        ((*spans,),) = Decoder(tagger_base, vocabulary, 1).decode(requests)
        assert len(spans) <= cap


def test_an_untrained_model_costs_little_more_than_token_by_token(tagger_base, tagger_tokenizer, vocabulary):
    fed = []
    handle = tagger_base.get_input_embeddings().register_forward_hook(
        lambda _, inputs, __: fed.append(inputs[0].numel())
    )
    try:
        requests = requests_for(tagger_tokenizer, constrain(vocabulary, ["pain in the left knee, " * 40], cap=64))
        decoder = Decoder(tagger_base, vocabulary, 1)
        (answer,) = decoder.answers(requests)
    finally:
        handle.remove()
    assert len(answer) > 200
    assert decoder.stats.passes <= len(answer)
    assert sum(fed) < 20 * len(answer)  # with whole drafts in each pass it would be hundreds


@quick
@given(data=st.data())
def test_any_tagging_of_any_text_can_be_wanted_and_is_found(tagger_base, tagger_tokenizer, vocabulary, data):
    text = data.draw(st.text(st.sampled_from(LATIN + DIGITS + " .>-_/‹🩺壓שלום\n"), max_size=20))
    cuts = sorted(data.draw(st.sets(st.sampled_from(entity_edges(text)), max_size=6)))
    spans = [
        Span(data.draw(st.sampled_from(TYPES)), start, end)
        for start, end in zip(cuts[::2], cuts[1::2], strict=False)
        if text[start:end] == text[start:end].strip()
    ]
    rows = data.draw(st.integers(1, 4))
    constraints = [Oracle(vocabulary, text, TYPES, 6, spans), *constrain(vocabulary, [text, "and " + text])]
    requests = requests_for(tagger_tokenizer, constraints)
    found = Decoder(tagger_base, vocabulary, rows).answers(requests)
    assert places(read_spans(found[0], vocabulary)) == places(spans)
    assert_same(found, stepwise.answers(tagger_base, [r.prompt for r in requests], constraints), vocabulary)


@pytest.mark.parametrize("every", [40, pytest.param(1, marks=pytest.mark.slow)])
def test_real_labels_take_few_passes(tagger_base, tagger_tokenizer, vocabulary, shared, every: int):
    recordings = [
        recording for part in ("train1", "train2", "valid") for recording in read_corpus(shared / "corpus" / part)
    ][::every]
    decoder = Decoder(tagger_base, vocabulary, 1)
    for group in load_entity_groups():
        types, prefix = list(group.types), Prefix()
        constraints = [Oracle(vocabulary, r.text, types, 64, r.of(types)) for r in recordings]
        prompts = prompts_for(tagger_tokenizer, len(recordings))
        requests = [Request(prompt, one, prefix) for prompt, one in zip(prompts, constraints, strict=True)]
        found = decoder.decode(requests)
        assert [places(spans) for spans in found] == [places(recording.of(types)) for recording in recordings]
    assert decoder.stats.per_answer.total() == 6 * len(recordings)
    assert decoder.stats.mean_passes <= 2.2


def test_a_confidence_is_the_probability_of_the_tags_tokens():
    pieces = [(b"a", 0.5), (b" <", 0.9), (b"DATE>", 0.8), (b"b", 0.1), (b"</DATE", 0.7), (b"><", 0.6)]
    pieces += [(b"TIME>", 1.0), (b"c", 0.2), (b"</TIME>", 0.5), (b"", 0.3)]

    vocabulary = SimpleNamespace(bytes=dict(enumerate(piece for piece, _ in pieces)))
    spans = read_spans([(token, math.log(chance)) for token, (_, chance) in enumerate(pieces)], vocabulary)
    assert [(s.type, s.char_start, s.char_end) for s in spans] == [("DATE", 2, 3), ("TIME", 3, 4)]
    assert [s.confidence for s in spans] == pytest.approx([0.9 * 0.8 * 0.7 * 0.6, 0.6 * 0.5])


def test_no_prompts_give_no_spans(tagger_base, vocabulary):
    assert Decoder(tagger_base, vocabulary, 4).decode([]) == []
