import re
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.tagging import tagger as tagger_module
from pipeline.tagging.entities import Entity, Span
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.tagger import Chunk, Tagger, cut
from tests.tagger_models import TaggerFolders

TEXTS = [
    "Good morning Mrs. Lee, how was your week?",
    "",
    "王醫師昨天早上說<b>血壓一百三</b>",
    "   ",
    "Fine.",
    "hello 👩🏽‍⚕️ see you on Friday",
    "不痛",
    "Take two of these.",
    "早安",
    "Right.",
]


def places(entities: list[Entity]) -> list[tuple[str, int, int]]:
    return [(entity.type, entity.char_start, entity.char_end) for entity in entities]


@pytest.fixture(scope="session")
def tagged(tagger: Tagger) -> list[list[Entity]]:
    return tagger.tag(TEXTS)


def test_entities_lie_in_their_transcripts(tagged):
    assert [bool(entities) for entities in tagged] == [bool(text.strip()) for text in TEXTS]
    for text, entities in zip(TEXTS, tagged, strict=True):
        for entity in entities:
            assert entity.text == text[entity.char_start : entity.char_end]
            assert entity.text == entity.text.strip() != ""
            assert 0.0 <= entity.confidence <= 1.0
            assert (entity.source, entity.kept) == ("adapter", True)


def test_entities_come_in_the_order_of_the_text_without_duplicates(tagged):
    for entities in tagged:
        assert [entity.char_start for entity in entities] == sorted(entity.char_start for entity in entities)
        assert len(set(places(entities))) == len(entities)


def test_every_group_finds_its_own_types(tagged):
    owner = {type_: group.name for group in load_entity_groups() for type_ in group.types}
    found = [entity for entities in tagged for entity in entities]
    assert {entity.group for entity in found} == set(owner.values())
    assert all(owner[entity.type] == entity.group for entity in found)


def test_entities_of_one_group_do_not_overlap(tagged):
    for entities in tagged:
        for group in load_entity_groups():
            own = [entity for entity in entities if entity.group == group.name]
            assert all(a.char_end <= b.char_start for a, b in pairwise(own))


def test_company_and_order_change_nothing(tagger, tagged):
    assert [places(tagger.tag([text])[0]) for text in TEXTS[2:5]] == [places(entities) for entities in tagged[2:5]]
    assert [places(entities) for entities in tagger.tag(TEXTS[::-1])[::-1]] == [places(e) for e in tagged]


def test_no_transcripts_give_nothing(tagger):
    assert tagger.tag([]) == []


def test_the_same_type_and_span_from_two_adapters_is_one_entity(tagger_folders, tagger_settings):
    alone = Tagger(str(tagger_folders.base), "none", tagger_settings, device="cpu")
    once = alone.tag(TEXTS[:1])
    alone._prompts *= 2
    alone._prefixes *= 2
    assert [places(entities) for entities in alone.tag(TEXTS[:1])] == [places(entities) for entities in once]


def test_where_the_memory_is_too_small_fewer_rows_are_decoded_side_by_side(tagger, tagged, monkeypatch):
    run, tried = tagger._model.forward, []

    def small_memory(input_ids, **inputs):
        if len(input_ids) > 2:
            tried.append(len(input_ids))
            raise torch.OutOfMemoryError("too large")
        return run(input_ids=input_ids, **inputs)

    monkeypatch.setattr(tagger._model, "forward", small_memory)
    assert [places(entities) for entities in tagger.tag(TEXTS)] == [places(entities) for entities in tagged]
    assert tried
    monkeypatch.setattr(tagger._model, "forward", lambda **_: (_ for _ in ()).throw(torch.OutOfMemoryError))
    with pytest.raises(torch.OutOfMemoryError):
        tagger.tag(TEXTS)


def test_mixed_batches_find_what_grouped_ones_find(tagger_folders, tagger_settings, tagged):
    settings = replace(tagger_settings, mixed=True)
    mixed = Tagger(str(tagger_folders.base), str(tagger_folders.adapters), settings, device="cpu")
    assert [places(entities) for entities in mixed.tag(TEXTS)] == [places(entities) for entities in tagged]


def test_each_prefix_is_computed_once(tagger, tagged):
    assert len(tagger._decoder._prefixes) == len(tagger._prompts) == 6
    for prefix, prompt in zip(tagger._prefixes, tagger._prompts, strict=True):
        for text in TEXTS[:3]:
            rendered = tagger_module.encode(tagger._tokenizer, tagger_module.render(tagger._tokenizer, prompt, text))
            assert rendered[: len(prefix.tokens)] == prefix.tokens
            assert len(rendered) - len(prefix.tokens) < 60


def test_a_group_without_an_adapter_is_left_out_where_that_is_allowed(
    tagger_folders, tagger_settings, tagged, tmp_path
):
    shutil.copytree(tagger_folders.adapters, tmp_path / "adapters")
    for group in ("care", "times"):
        shutil.rmtree(tmp_path / "adapters" / group)
    with pytest.raises(UserError, match=r"care.*--tagger\.missing-adapters skip"):
        Tagger(str(tagger_folders.base), str(tmp_path / "adapters"), tagger_settings, device="cpu")
    settings = replace(tagger_settings, missing_adapters="skip")
    some = Tagger(str(tagger_folders.base), str(tmp_path / "adapters"), settings, device="cpu")
    assert some.left_out == ("care", "times")
    kept = [[entity for entity in entities if entity.group not in some.left_out] for entities in tagged]
    assert [places(entities) for entities in some.tag(TEXTS)] == [places(entities) for entities in kept]


def test_no_group_is_left_out_where_all_have_adapters(tagger):
    assert tagger.left_out == ()


def test_where_all_adapters_are_missing_the_tagger_refuses(tagger_folders, tagger_settings, tmp_path):
    settings = replace(tagger_settings, missing_adapters="skip")
    with pytest.raises(UserError, match="There is no adapter folder"):
        Tagger(str(tagger_folders.base), str(tmp_path), settings, device="cpu")


def test_an_opening_bias_is_of_its_group_alone(tagger_folders, tagger_settings, tagged):
    settings = replace(tagger_settings, opening_bias={"times": -1e6})
    shy = Tagger(str(tagger_folders.base), str(tagger_folders.adapters), settings, device="cpu")
    kept = [[entity for entity in entities if entity.group != "times"] for entities in tagged]
    assert [places(entities) for entities in shy.tag(TEXTS)] == [places(entities) for entities in kept]


def test_an_opening_bias_of_no_group_is_refused(tagger_folders, tagger_settings):
    settings = replace(tagger_settings, opening_bias={"time": 1.0})
    with pytest.raises(UserError, match=r"--tagger\.opening-bias names time, which is no entity group"):
        Tagger(str(tagger_folders.base), "none", settings, device="cpu")


def test_a_transcript_longer_than_the_context_is_tagged_to_its_end(tagger, monkeypatch):
    text = "。".join(f"第{number}句話說完了" for number in range(20)) + "。The 20 end."
    monkeypatch.setattr(tagger, "_room", dict.fromkeys(tagger._room, 100))
    (entities,) = tagger.tag([text])
    assert all(entity.text == text[entity.char_start : entity.char_end] for entity in entities)
    for group in load_entity_groups():
        own = [entity for entity in entities if entity.group == group.name]
        assert all(a.char_end <= b.char_start for a, b in pairwise(own))

    def find_numbers(requests):
        texts = [request.constraint._characters for request in requests]
        return [[Span("AGE", *match.span(), 0.5) for match in re.finditer("[0-9]+", text)] for text in texts]

    monkeypatch.setattr(tagger, "_decode", find_numbers)
    (entities,) = tagger.tag([text])
    assert [entity.text for entity in entities] == [str(number) for number in range(21)]


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        # "0123456789" is cut into 0-6 and 4-10: what they share is 4-6, and the middle of that is 5.
        ([("A", 0, 2, 0.5)], [("A", 3, 5, 0.5)], [("A", 0, 2), ("A", 7, 9)]),
        ([("A", 4, 5, 0.5)], [], [("A", 4, 5)]),  # nearer to the second chunk's edge
        ([], [("A", 0, 1, 0.9)], []),  # so the first one's word counts, and it saw nothing
        ([("A", 5, 6, 0.9)], [], []),
        ([], [("A", 1, 2, 0.5)], [("A", 5, 6)]),
        ([("A", 4, 6, 0.9)], [("A", 0, 2, 0.4)], [("A", 4, 6)]),  # equal: once
        ([("A", 3, 6, 0.9)], [("A", 1, 4, 0.4)], [("A", 3, 6)]),  # overlapping: the highest confidence
        ([("A", 3, 6, 0.3)], [("B", 1, 4, 0.4)], [("B", 5, 8)]),
    ],
)
def test_which_spans_count_where_chunks_overlap(first, second, joined):
    chunks = [Chunk(0, 0, 0, 6, (0, 10)), Chunk(0, 0, 4, 10, (10, 21))]
    found = tagger_module._joined(chunks, [[Span(*span) for span in spans] for spans in (first, second)])
    assert [(span.type, span.char_start, span.char_end) for span in found.get((0, 0), [])] == joined


def test_an_entity_at_a_cut_is_found_whole(tagger_folders, tagger_settings, monkeypatch):
    text = "we talk and talk, on and on and on until " * 3 + "Friday the tenth of May comes " + "and then we go on " * 8
    start = text.index("Friday the tenth of May")
    for room in range(100, 240, 7):
        wholes = [
            chunk
            for chunk in tagger_module._chunks(0, 0, text, room)
            if chunk.start <= start and start + 23 <= chunk.end
            if chunk.owns[0] <= 2 * start + 23 < chunk.owns[1]
        ]
        assert len(wholes) == 1


def test_question_and_answer_of_the_longest_chunk_fit_the_context(tagger, tagger_settings):
    context = tagger._model.config.max_position_embeddings
    for prompt in tagger._prompts:
        text = "\x01" * tagger._room[prompt.group]  # as many tokens as bytes
        rendered = tagger_module.encode(tagger._tokenizer, tagger_module.render(tagger._tokenizer, prompt, text))
        tags = max(len(f"<{type_}></{type_}>") for type_ in prompt.types) * tagger_settings.max_entities
        assert context - 2 <= len(rendered) + len(text) + tags + 1 <= context


def test_a_context_that_holds_no_text_is_refused(tagger_folders: TaggerFolders, tagger_settings):
    with pytest.raises(UserError, match=r"--tagger\.max-entities"):
        Tagger(str(tagger_folders.base), "none", replace(tagger_settings, max_entities=2000), device="cpu")


def test_a_group_of_the_users_own_is_tagged(tagger_folders: TaggerFolders, tagger_settings, tmp_path: Path):
    file = tmp_path / "entity_groups.yaml"
    file.write_text("contact:\n  types: {E-MAIL: Mail.}\n  examples: ['a<E-MAIL>b</E-MAIL>']\n", encoding="utf-8")
    own = Tagger(str(tagger_folders.base), "none", replace(tagger_settings, groups_file=file), device="cpu")
    found = [entity for entities in own.tag(TEXTS) for entity in entities]
    assert {(entity.type, entity.group) for entity in found} == {("E-MAIL", "contact")}
    with pytest.raises(UserError, match="contact"):
        Tagger(
            str(tagger_folders.base), str(tagger_folders.adapters), replace(tagger_settings, groups_file=file), "cpu"
        )


@pytest.mark.parametrize(
    ("text", "most", "chunks"),
    [
        ("", 10, []),
        ("short", 10, ["short"]),
        ("One. Two three. Four", 16, ["One. Two three. ", "ee. Four"]),
        ("One. Two. Three four. Five. Six", 28, ["One. Two. Three four. Five. ", "Five. Six"]),
        ("well, yes and no it is", 16, ["well, yes and ", "and no it is"]),
        ("abcdefghij", 4, ["abcd", "defg", "ghij"]),
        ("好的。再見了", 12, ["好的。", "。再見了"]),
        ("血壓高，要吃藥", 14, ["血壓高，", "，要吃藥"]),
        ("血壓高", 4, ["血", "壓", "高"]),
    ],
)
def test_where_a_long_text_is_cut(text: str, most: int, chunks: list[str]):
    assert [text[start:end] for start, end in cut(text, most)] == chunks


@pytest.mark.parametrize("most", [64, 200, 1000])
def test_real_transcripts_are_cut_without_loss(shared, most: int):
    lines = (shared / "corpus" / "train2" / "task1_answer.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        pieces = list(cut(line, most))
        assert pieces[0][0] == 0 and pieces[-1][1] == len(line)
        assert all(len(line[start:end].encode()) <= most for start, end in pieces)
        for (start, end), (next_start, next_end) in pairwise(pieces):
            assert start < next_start <= end < next_end
            assert len(line[next_start:end].encode()) <= min(most // 4, 256)


def test_real_transcripts_are_tagged(tagger, shared):
    lines = (shared / "corpus" / "train2" / "task1_answer.txt").read_text(encoding="utf-8").splitlines()
    texts = [line.partition("\t")[2] for line in lines if len(line) < 120][::40]
    for text, entities in zip(texts, tagger.tag(texts), strict=True):
        assert entities
        assert all(entity.text == text[entity.char_start : entity.char_end] for entity in entities)


def test_the_limit_of_entities_is_kept(tagger_folders, tagger_settings):
    none = Tagger(str(tagger_folders.base), "none", replace(tagger_settings, max_entities=0), device="cpu")
    assert none.tag(TEXTS[:3]) == [[], [], []]
