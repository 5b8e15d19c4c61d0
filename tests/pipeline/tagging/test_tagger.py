from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.tagging import tagger as tagger_module
from pipeline.tagging.entities import Entity
from pipeline.tagging.groups import load_groups
from pipeline.tagging.tagger import Tagger, cut
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
    owner = {type_: group.name for group in load_groups() for type_ in group.types}
    found = [entity for entities in tagged for entity in entities]
    assert {entity.group for entity in found} == set(owner.values())
    assert all(owner[entity.type] == entity.group for entity in found)


def test_entities_of_one_group_do_not_overlap(tagged):
    for entities in tagged:
        for group in load_groups():
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
    assert alone.tag(TEXTS[:1]) == once


def test_a_batch_that_is_too_large_for_memory_goes_in_halves(tagger, tagged, monkeypatch):
    decode = tagger_module.decode

    def small_memory(model, prompts, constraints):
        if len(prompts) > 1:
            raise torch.OutOfMemoryError("too large")
        return decode(model, prompts, constraints)

    monkeypatch.setattr(tagger_module, "decode", small_memory)
    assert [places(entities) for entities in tagger.tag(TEXTS[:3])] == [places(entities) for entities in tagged[:3]]


def test_a_transcript_longer_than_the_context_is_tagged_to_its_end(tagger, monkeypatch):
    text = "。".join(f"第{number}句話說完了" for number in range(20)) + "。The end."
    monkeypatch.setattr(tagger, "_room", dict.fromkeys(tagger._room, 300))
    monkeypatch.setattr(tagger, "_prompts", tagger._prompts[1:2])
    (entities,) = tagger.tag([text])
    assert all(entity.text == text[entity.char_start : entity.char_end] for entity in entities)
    assert max(entity.char_end for entity in entities) > len(text) - 60
    assert min(entity.char_start for entity in entities) < 60
    per_stretch = [places(tagger.tag([text[start:end]])[0]) for start, end in cut(text, 300)]
    shifted = [
        (type_, start + offset, end + offset)
        for (offset, _), found in zip(cut(text, 300), per_stretch, strict=True)
        for type_, start, end in found
    ]
    assert sorted(shifted) == sorted(places(entities))


def test_question_and_answer_of_the_longest_stretch_fit_the_context(tagger, tagger_settings):
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
    file = tmp_path / "groups.yaml"
    file.write_text("contact:\n  types: {E-MAIL: Mail.}\n  examples: ['a<E-MAIL>b</E-MAIL>']\n", encoding="utf-8")
    own = Tagger(str(tagger_folders.base), "none", replace(tagger_settings, groups=file), device="cpu")
    found = [entity for entities in own.tag(TEXTS) for entity in entities]
    assert {(entity.type, entity.group) for entity in found} == {("E-MAIL", "contact")}
    with pytest.raises(UserError, match="contact"):
        Tagger(str(tagger_folders.base), str(tagger_folders.adapters), replace(tagger_settings, groups=file), "cpu")


@pytest.mark.parametrize(
    ("text", "most", "stretches"),
    [
        ("", 10, []),
        ("short", 10, ["short"]),
        ("One. Two three. Four", 16, ["One. Two three. ", "Four"]),
        ("well, yes and no", 10, ["well, ", "yes and no"]),
        ("one two three", 9, ["one two ", "three"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("好的。再見了", 12, ["好的。", "再見了"]),
        ("血壓高，要吃藥", 14, ["血壓高，", "要吃藥"]),
        ("血壓高", 4, ["血", "壓", "高"]),
        ("at 3.5 mg daily", 9, ["at 3.5 ", "mg daily"]),
    ],
)
def test_where_a_long_text_is_cut(text: str, most: int, stretches: list[str]):
    assert [text[start:end] for start, end in cut(text, most)] == stretches


def test_real_transcripts_are_cut_without_loss(shared):
    lines = (shared / "corpus" / "train2" / "task1_answer.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        pieces = [line[start:end] for start, end in cut(line, 200)]
        assert "".join(pieces) == line
        assert all(len(piece.encode()) <= 200 for piece in pieces)


def test_real_transcripts_are_tagged(tagger, shared):
    lines = (shared / "corpus" / "train2" / "task1_answer.txt").read_text(encoding="utf-8").splitlines()
    texts = [line.partition("\t")[2] for line in lines if len(line) < 120][::40]
    for text, entities in zip(texts, tagger.tag(texts), strict=True):
        assert entities
        assert all(entity.text == text[entity.char_start : entity.char_end] for entity in entities)


def test_the_limit_of_entities_is_kept(tagger_folders, tagger_settings):
    none = Tagger(str(tagger_folders.base), "none", replace(tagger_settings, max_entities=0), device="cpu")
    assert none.tag(TEXTS[:3]) == [[], [], []]
