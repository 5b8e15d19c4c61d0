"""An id names a recording in tables, text files and copies: whatever is in it fits on a line and names a file."""

import os
import re
import unicodedata

import pytest

from pipeline.ids import as_id, fault, id_order, is_id


def test_numeric_ids_come_first_and_by_value():
    assert sorted(["b", "10", "9", "a", "010"], key=id_order) == ["9", "010", "10", "a", "b"]


@pytest.mark.parametrize(
    ("name", "recording_id"),
    [(" 001 ", "001"), ("\u3000王小明\u00a0", "王小明"), (unicodedata.normalize("NFD", "Müller café"), "Müller café")],
)
def test_an_id_is_composed_and_has_no_spaces_at_its_edges(name, recording_id):
    assert as_id(name) == recording_id and is_id(recording_id) and not is_id(name)


@pytest.mark.parametrize("recording_id", ["001", "day1__001", "a b", "王小明", "visit[1]", "12::30", "a.b", "x" * 240])
def test_any_name_of_a_file_can_be_an_id(recording_id):
    assert is_id(recording_id)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        ("a\tb", "control character"),
        ("a\u2028b", "control character"),
        ("a\x85b", "control character"),
        ("a/b", "slash"),
        ("a\\b", "slash"),
        ("..", "folder"),
        ("王" * 81, "longer than 240 bytes"),
        (os.fsdecode("病房".encode("big5")), "Big5.*convmv"),
        (os.fsdecode(b"\xff\xfe\xff"), "not in UTF-8$"),
    ],
)
def test_what_cannot_be_an_id_is_told_by_its_true_reason(name, why):
    assert re.search(why, fault(name) or "") and not is_id(name)
