"""Training sets of the adapters."""

import pytest

from pipeline.corpus.tagging_datasets import FILES, SCHEMA, Dataset, LabelledText, build, choose, read, write
from pipeline.tagging.entities import parse
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.prompts import Prompt

NAMES = Prompt.of(next(group for group in load_entity_groups() if group.name == "names"))


def label(type_, start, end, match="exact", group="names"):
    return {"group": group, "type": type_, "char_start": start, "char_end": end, "match": match}


def text(recording_id, transcript, *labels, source="gold"):
    return [LabelledText(recording_id, source, transcript, labels)]


def clips(count, first=100):
    return [text(str(first + i), "nobody here") for i in range(count)]


def test_a_row_holds_the_transcript_its_spans_and_the_tagged_transcript():
    table, counts = build(NAMES, [text("1", "Dr. Lee a<b", label("DOCTOR", 4, 7))], 0.5, 0)
    [row] = table.to_pylist()
    assert table.schema == SCHEMA
    assert list(row) == ["recording_id", "text_source", "transcript", "spans", "tagged"]
    assert row["tagged"] == "Dr. <DOCTOR>Lee</DOCTOR> a‹b" and row["transcript"] == "Dr. Lee a<b"
    assert row["spans"] == [{"type": "DOCTOR", "char_start": 4, "char_end": 7}]
    assert counts == {
        "positives": 1,
        "negatives": 0,
        "entities": 1,
        "synthetic": 0,
        "overlapping": 0,
        "label_not_found": 0,
    }


def test_a_dataset_is_read_as_it_was_written(tmp_path):
    rows = build(NAMES, [text("1", "Dr. Lee", label("DOCTOR", 4, 7)), text("2", "nobody")], 1.0, 0)[0]
    splits = {"train": rows, "valid": rows.slice(0, 0)}
    for folder in (f"{tmp_path}/names", "memory://datasets/names"):
        write(folder, NAMES, splits)
        assert read(folder) == Dataset(NAMES, splits)
    assert {file.name for file in (tmp_path / "names").iterdir()} == set(FILES)


def test_a_dataset_with_other_columns_or_without_its_prompt_is_refused(tmp_path):
    rows = build(NAMES, [text("1", "Dr. Lee", label("DOCTOR", 4, 7))], 1.0, 0)[0]
    write(str(tmp_path), NAMES, {"train": rows, "valid": rows.drop(["tagged"])})
    with pytest.raises(ValueError, match="other columns"):
        read(str(tmp_path))
    (tmp_path / "prompt.json").unlink()
    with pytest.raises(FileNotFoundError):
        read(str(tmp_path))


def test_clips_without_an_entity_of_the_group_are_drawn_to_half_of_those_with_one():
    with_one = [text(str(i), "Dr. Lee", label("DOCTOR", 4, 7)) for i in range(1, 11)]
    other = text("50", "Perth", label("CITY", 0, 5, group="addresses"))
    recordings = [*with_one, other, *clips(30)]
    table, counts = build(NAMES, recordings, 0.5, seed=1)
    assert counts["positives"] == 10 and counts["negatives"] == 5 and len(table) == 15
    assert table.equals(build(NAMES, recordings, 0.5, seed=1)[0])
    assert not table.equals(build(NAMES, recordings, 0.5, seed=2)[0])
    assert build(NAMES, clips(5), 0.5, 0)[0].num_rows == 0


def test_of_overlapping_labels_the_longest_stays_and_of_equal_ones_the_first():
    labels = [label("DOCTOR", 0, 3), label("PATIENT", 0, 9), label("PATIENT", 0, 9), label("DOCTOR", 0, 9)]
    table, counts = build(NAMES, [text("1", "Lee Smith came", *labels)], 0.5, 0)
    assert parse(table["tagged"][0].as_py())[0] == "Lee Smith came"
    assert table["tagged"][0].as_py() == "<DOCTOR>Lee Smith</DOCTOR> came"
    assert (counts["entities"], counts["overlapping"]) == (1, 3)


def test_a_clip_with_a_label_that_was_not_found_is_left_out_of_its_group_only():
    lost = text("1", "Dr. Lee", label("DOCTOR", None, None, "not_found"))
    table, counts = build(NAMES, [lost, *clips(3)], 0.5, 0)
    assert not len(table) and counts["label_not_found"] == 1
    elsewhere = text("1", "Dr. Lee", label("DOCTOR", 4, 7), label("CITY", None, None, "not_found", "addresses"))
    assert build(NAMES, [elsewhere], 0.5, 0)[1]["label_not_found"] == 0


@pytest.mark.parametrize(("share", "recognised"), [(0.0, 0), (1.0, 100), (0.5, 50)])
def test_the_share_of_recognised_text_is_a_setting(share, recognised):
    ids = [str(i) for i in range(200)]
    transcribed = {i: LabelledText(i, "recognised", "dr lee", []) for i in ids[:100]}
    reference = {i: LabelledText(i, "gold", "Dr. Lee", []) for i in ids}
    chosen = choose(ids, [transcribed, reference], share, seed=3)
    first = [texts[0].source for texts in chosen]
    assert len(first) == 200 and abs(first.count("recognised") - recognised) <= (15 if share == 0.5 else 0)
    assert chosen == choose(ids, [transcribed, reference], share, seed=3)


def test_where_the_recognised_text_lacks_a_label_the_reference_takes_its_place():
    transcribed = LabelledText("1", "recognised", "doctor li", [label("DOCTOR", None, None, "not_found")])
    reference = LabelledText("1", "gold", "Dr. Lee", [label("DOCTOR", 4, 7)])
    table, counts = build(NAMES, [[transcribed, reference]], 0.5, 0)
    assert table["text_source"].to_pylist() == ["gold"] and counts["label_not_found"] == 0
