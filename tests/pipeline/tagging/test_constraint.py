import random
from itertools import accumulate

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from pipeline.tagging.constraint import Constraint, State, Vocabulary
from pipeline.tagging.entities import Span, parse
from pipeline.tagging.prompts import completion, guard
from tests.tagger_models import DIGITS, LATIN, entity_edges

TYPES = ["ID", "ID_NUMBER", "LOCATION-OTHER"]
hostile = st.text(st.sampled_from(LATIN + DIGITS + "a b Z'.>-_/‹\u0301\u200d👩🏽שלום壓𠮷\t\n\u3000"), max_size=12)
quick = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="session", params=["tiny", "composing", "whisper"])
def any_vocabulary(request) -> tuple[PreTrainedTokenizerFast, Vocabulary]:
    if request.param == "tiny":
        return request.getfixturevalue("tagger_tokenizer"), request.getfixturevalue("vocabulary")
    if request.param == "composing":  # as Qwen's does
        bpe = Tokenizer.from_str(request.getfixturevalue("tagger_tokenizer").backend_tokenizer.to_str())
        bpe.normalizer = normalizers.NFC()
        composing = PreTrainedTokenizerFast(tokenizer_object=bpe)
        return composing, Vocabulary(composing, "<|eot_id|>")
    folder = request.getfixturevalue("shared") / "tokenizers" / "whisper-multilingual-tokenizer"
    whisper = AutoTokenizer.from_pretrained(folder)
    return whisper, Vocabulary(whisper, "<|endoftext|>")


def states_after(constraint: Constraint, written: bytes) -> set[State | None]:
    """Where an answer may be once this is written, in any legal tokens; None is its end."""
    vocabulary = constraint.vocabulary
    ways, seen = [(constraint.start, written)], set()
    while ways:
        state, rest = ways.pop()
        if state is None or (state, rest) in seen:
            continue
        seen.add((state, rest))
        for token in constraint.legal(state).ids.tolist():
            piece = vocabulary.bytes[token]
            if rest.startswith(piece) and (piece or not rest):
                ways.append((constraint.after(state, token), rest[len(piece) :]))
                if not rest:
                    return {None}
    return {state for state, rest in seen if not rest}


def follow(constraint: Constraint, written: bytes) -> bool:
    """Whether an answer is legal as a whole, with the end of the turn after it."""
    return states_after(constraint, written) == {None}


def words(constraint: Constraint, state=Constraint.start) -> set[bytes]:
    return {constraint.vocabulary.bytes[token] for token in constraint.legal(state).ids.tolist()}


@quick
@given(text=hostile, seed=st.integers(0, 2**32), cap=st.integers(0, 3))
def test_whatever_is_chosen_the_text_comes_back(any_vocabulary, text: str, seed: int, cap: int):
    constraint = Constraint(any_vocabulary[1], text, TYPES, cap)
    choose = random.Random(seed)
    written, state, steps = b"", constraint.start, 0
    while state is not None:
        token = choose.choice(constraint.legal(state).ids.tolist())
        state = constraint.after(state, token)
        written += constraint.vocabulary.bytes[token]
        steps += 1
    back, spans = parse(written.decode())
    assert back == text
    assert len(spans) <= cap
    assert all(span.type in TYPES for span in spans)
    assert steps <= len(written) + 1


@quick
@given(text=hostile, seed=st.integers(0, 2**32), longest=st.integers(1, 5))
def test_an_entity_ends_within_its_length_or_at_the_first_place_where_it_can(any_vocabulary, text, seed, longest):
    limits = {type_: longest + place for place, type_ in enumerate(TYPES)}
    constraint = Constraint(any_vocabulary[1], text, TYPES, 3, longest=limits)
    choose = random.Random(seed)
    written, state = b"", constraint.start
    while state is not None:
        token = choose.choice(constraint.legal(state).ids.tolist())
        state = constraint.after(state, token)
        written += constraint.vocabulary.bytes[token]
    back, spans = parse(written.decode())
    assert back == text
    free = Constraint(any_vocabulary[1], text, TYPES, 3)
    for span in spans:
        start, end = (len(text[:place].encode()) for place in (span.char_start, span.char_end))
        ends = sorted(place for place in free._closes if place > start)
        assert span.char_end - span.char_start <= limits[span.type] or end == ends[0]


@pytest.mark.parametrize(("answer", "legal"), [("<ID>Ann</ID> Lee ", True), ("<ID>Ann Lee</ID> ", False)])
def test_a_longer_entity_is_not_legal(vocabulary, answer: str, legal: bool):
    assert follow(Constraint(vocabulary, "Ann Lee ", TYPES, 3, longest={"ID": 5}), answer.encode()) == legal


@quick
@given(text=hostile, data=st.data())
def test_every_tagging_is_legal_in_the_tokens_of_the_tokenizer(any_vocabulary, text: str, data: st.DataObject):
    tagger_tokenizer, vocabulary = any_vocabulary
    cuts = sorted(data.draw(st.sets(st.sampled_from(entity_edges(text)), max_size=4)))
    spans = [
        Span(data.draw(st.sampled_from(TYPES)), start, end)
        for start, end in zip(cuts[::2], cuts[1::2], strict=False)
        if text[start:end] == text[start:end].strip()
    ]
    tagged = completion(text, spans)
    state = Constraint.start
    constraint = Constraint(vocabulary, text, TYPES, 8)
    for token in tagger_tokenizer(tagged, add_special_tokens=False)["input_ids"]:
        assert token in constraint.legal(state).ids
        state = constraint.after(state, token)
    assert vocabulary.end in constraint.legal(state).ids


@pytest.mark.parametrize(
    ("answer", "legal"),
    [
        ("Ann Lee ", True),
        ("Ann <ID>Lee</ID> ", True),
        ("<ID>A</ID><ID_NUMBER>nn</ID_NUMBER> Lee ", False),  # a word stays in one piece
        ("<LOCATION-OTHER>Ann Lee</LOCATION-OTHER> ", True),
        ("Ann Lee", False),  # the end comes at the end of the text
        ("Ann Lea ", False),
        ("Ann <ID>Lee", False),
        ("Ann <ID>Lee </ID>", False),  # no space at an edge
        ("Ann<ID> Lee</ID> ", False),
        ("Ann <ID></ID>Lee ", False),
        ("Ann <ID>Lee</ID_NUMBER> ", False),
        ("<ID>Ann <ID>Lee</ID></ID> ", False),
        ("Ann <NAME>Lee</NAME> ", False),
    ],
)
def test_which_answers_are_legal(vocabulary, answer: str, legal: bool):
    assert follow(Constraint(vocabulary, "Ann Lee ", TYPES, 3), answer.encode()) == legal


@pytest.mark.parametrize(
    ("answer", "legal"),
    [
        ("<ID>Ann</ID>’s", True),
        ("<ID>Ann</ID>姐", True),
        ("<ID>3</ID>pm", True),
        ("<ID>壓</ID>力", True),
        ("<ID>No\u0301</ID>ra", False),
        ("Z<ID>oë</ID>", False),
        ("<ID>19</ID>87", False),
        ("Nguy<ID>ễn</ID>", False),
    ],
)
def test_no_latin_word_and_no_number_is_cut(vocabulary, answer: str, legal: bool):
    assert follow(Constraint(vocabulary, parse(answer)[0], TYPES, 3), answer.encode()) == legal


@pytest.mark.parametrize("word", ["restlessness", "Zoë", "Nguyễn", "1234567", "hypercholesterolaemia"])
def test_words_and_numbers_are_written_in_the_tokens_of_the_tokenizer(any_vocabulary, word: str):
    _, vocabulary = any_vocabulary
    for before in ("", " ", "壓"):
        constraint = Constraint(vocabulary, before + word, TYPES, 3)
        places, ways = set(), [Constraint.start]
        while ways:
            state = ways.pop()
            for token in constraint.legal(state).ids.tolist():
                after = constraint.after(state, token)
                if after is not None and after not in places:
                    places.add(after)
                    ways.append(after)
        reached = {state.position - len(before.encode()) for state in places if not state.tag}
        own = {
            place - len(context.encode())
            for context in ("", " ", ">", before)
            for place in accumulate(len(vocabulary.bytes[token]) for token in vocabulary.encode(context + word))
        }
        assert {place for place in reached if place > 0} <= own


def test_a_long_entity_is_guessed_to_grow_ever_faster(vocabulary):
    constraint = Constraint(vocabulary, "a b c d e f g h i j", TYPES, 3)
    guessed = []
    for words_written in range(1, 9):
        (state,) = states_after(constraint, b"<ID>" + b"a b c d e f g h"[: 2 * words_written - 1])
        whole = b"a b c d e f g h"[: 2 * words_written - 1] + constraint.complete(state)
        guessed.append(len(whole[: whole.index(b"</ID>")].split()))
    assert guessed == [1, 2, 3, 5, 7, 9, 10, 10]


def test_entities_are_counted(vocabulary):
    constraint = Constraint(vocabulary, "a b c d", TYPES, 3)
    assert follow(constraint, b"<ID>a</ID> <ID>b</ID> c <ID>d</ID>")
    assert not follow(constraint, b"<ID>a</ID> <ID>b</ID> <ID>c</ID> <ID>d</ID>")


def test_a_tag_stands_between_characters(vocabulary):
    for text in ("壓力", "🩺ok", "e\u0301-a"):
        constraint = Constraint(vocabulary, text, TYPES, 3)
        first = text[:2] if text[1] == "\u0301" else text[0]
        for length in range(len(first.encode())):
            inside = f"<ID>{first}".encode()[: 4 + length] + b"</ID>"
            assert not follow(constraint, inside + text.encode()[length:])
        assert follow(constraint, f"<ID>{first}</ID>{text[len(first) :]}".encode())


def test_tokens_may_join_a_tag_and_text(vocabulary):
    joined = [token for token in vocabulary.ids if token.startswith((b" <", b">,", b">."))]
    assert joined
    constraint = Constraint(vocabulary, "a b", TYPES, 3)
    state = constraint.after(constraint.start, vocabulary.ids[b"a"])
    assert b" <" in words(constraint, state)


def test_after_the_last_entity_only_copying_is_legal(vocabulary):
    constraint = Constraint(vocabulary, "abc", TYPES, 0)
    assert words(constraint) <= {b"a", b"ab", b"abc"}


def test_an_empty_text_ends_at_once(vocabulary):
    assert words(Constraint(vocabulary, "", TYPES, 3)) == {b""}


def test_a_literal_tag_opener_needs_its_stand_in(vocabulary):
    with pytest.raises(ValueError, match="stand-in"):
        Constraint(vocabulary, "a < b", TYPES, 3)
    assert follow(Constraint(vocabulary, guard("a < b"), TYPES, 3), guard("a < b").encode())


def test_legal_tokens_come_in_ascending_order(any_vocabulary):
    legal = Constraint(any_vocabulary[1], "…，。", TYPES, 3).legal(Constraint.start).ids.tolist()
    assert legal == sorted(legal)
    assert len(legal) > 2


def test_special_tokens_are_never_text(vocabulary, tagger_tokenizer):
    assert not set(tagger_tokenizer.all_special_ids) & set(vocabulary.ids.values())


def test_real_transcripts_are_followed_in_real_tokens(any_vocabulary, shared):
    tagger_tokenizer, vocabulary = any_vocabulary
    lines = (shared / "corpus" / "train2" / "task1_answer.txt").read_text(encoding="utf-8").splitlines()
    for line in lines[::45]:
        text = guard(line.partition("\t")[2])
        constraint = Constraint(vocabulary, text, TYPES, 3)
        state = constraint.start
        for token in tagger_tokenizer(text, add_special_tokens=False)["input_ids"]:
            state = constraint.after(state, token)
        assert vocabulary.end in constraint.legal(state).ids


@quick
@given(text=hostile, seed=st.integers(0, 2**32), cap=st.integers(0, 9))
def test_what_is_remembered_from_an_earlier_entity_is_what_would_be_found_anew(
    any_vocabulary, text: str, seed: int, cap: int
):
    constraint = Constraint(any_vocabulary[1], text, TYPES, cap)
    choose, state = random.Random(seed), constraint.start
    while state is not None:
        anew = Constraint(any_vocabulary[1], text, TYPES, cap)._find(state)
        assert constraint.legal(state).ids.tolist() == anew.ids.tolist()
        token = choose.choice(anew.ids.tolist())
        assert constraint.after(state, token) == anew.states[token]
        state = anew.states[token]


@quick
@given(text=hostile, seed=st.integers(0, 2**32), cap=st.integers(0, 2))
def test_a_settled_answer_gets_no_further_entity(any_vocabulary, text: str, seed: int, cap: int):
    constraint = Constraint(any_vocabulary[1], text, TYPES, cap)
    choose, state, settled = random.Random(seed), constraint.start, constraint.settled(constraint.start)
    entities = 0
    while state is not None:
        if settled:
            assert constraint.settled(state)
            assert state.entities == entities
        settled, entities = constraint.settled(state), state.entities
        state = constraint.after(state, choose.choice(constraint.legal(state).ids.tolist()))
    assert constraint.settled(state)


@quick
@given(text=hostile, seed=st.integers(0, 2**32))
def test_the_guess_at_the_rest_is_legal_everywhere(any_vocabulary, text: str, seed: int):
    constraint = Constraint(any_vocabulary[1], text, TYPES, 5)
    choose, state, written = random.Random(seed), constraint.start, b""
    while state is not None:
        whole = written + constraint.complete(state, [2, 0])
        assert parse(whole.decode())[0] == text
        assert follow(Constraint(any_vocabulary[1], text, TYPES, 6), whole)
        token = choose.choice(constraint.legal(state).ids.tolist())
        written += constraint.vocabulary.bytes[token]
        state = constraint.after(state, token)


@pytest.mark.parametrize(
    ("written", "guess"),
    [
        (b"", b"on Friday, ok"),
        (b"on <", b"ID>Friday</ID>, ok"),
        (b"on <L", b"OCATION-OTHER>Friday</LOCATION-OTHER>, ok"),
        (b"on <ID_", b"NUMBER>Friday</ID_NUMBER>, ok"),
        (b"on <ID>", b"Friday</ID>, ok"),
        (b"on <ID>Friday", b"</ID>, ok"),
        (b"on <ID>Friday</I", b"D>, ok"),
    ],
)
def test_the_guess_closes_what_is_open_after_its_word(vocabulary, written: bytes, guess: bytes):
    constraint = Constraint(vocabulary, "on Friday, ok", TYPES, 3)
    states = states_after(constraint, written)
    assert {constraint.complete(state) for state in states} == {guess}


def test_the_likeliest_type_is_guessed(vocabulary):
    constraint = Constraint(vocabulary, "Friday", TYPES, 3)
    state = constraint.after(Constraint.start, vocabulary.ids[b"<"])
    assert constraint.complete(state, [2, 1]).startswith(b"LOCATION-OTHER>")


def test_the_bias_is_on_tokens_that_begin_an_opening_tag(vocabulary):
    constraint = Constraint(vocabulary, "a b", TYPES, 3, opening_bias=1.5)

    def biased(state) -> set[bytes]:
        legal = constraint.legal(state)
        assert set(legal.bias.tolist()) <= {0.0, 1.5}
        return {vocabulary.bytes[token] for token, bias in zip(legal.ids.tolist(), legal.bias, strict=True) if bias}

    after_a = constraint.after(Constraint.start, vocabulary.ids[b"a"])
    tokens = words(constraint, after_a)
    assert biased(after_a) == {token for token in tokens if b"<" in token} >= {b" <"}
    half = constraint.after(Constraint.start, vocabulary.ids[b"<"])
    assert biased(half) == set()  # it goes on with a tag that has begun
    (inside,) = states_after(constraint, b"<ID>a")
    assert b"<" in words(constraint, inside)
    assert biased(inside) == set()  # that tag closes


def test_a_tokenizer_that_is_not_byte_level_is_refused():
    words_only = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0, "end": 1}, "a")))
    with pytest.raises(ValueError, match="byte-level"):
        Vocabulary(words_only, "end")


def test_an_end_of_turn_of_several_tokens_is_refused(tagger_tokenizer):
    with pytest.raises(ValueError, match="not one token"):
        Vocabulary(tagger_tokenizer, "the end")
