"""The competition's text files: what is written, in which order, and that it reads back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import tables
from pipeline.answers import id_order, read_task1, read_task2, write_task1, write_task2
from pipeline.errors import UserError


def transcripts(texts: dict[str, str]):
    rows = [
        {"recording_id": i, "language": "en", "text": text, "words": [], "recognizer": "whisper"}
        for i, text in texts.items()
    ]
    return tables.from_rows(rows, tables.TRANSCRIPTS)


def entity(recording_id, kind, start, end, text, kept=True):
    return {
        "recording_id": recording_id,
        "type": kind,
        "group": "",
        "text": text,
        "start_s": start,
        "end_s": end,
        "source": "gold",
        "kept": kept,
    }


def test_ids_that_are_numbers_sort_by_value_before_the_others():
    assert sorted(["b", "10", "9", "010", "a1"], key=id_order) == ["9", "010", "10", "a1", "b"]


def test_task_1_has_a_line_for_each_transcript_also_for_an_empty_one(tmp_path):
    path = tmp_path / "task1_answer.txt"
    write_task1(transcripts({"10": "Good morning.", "9": "", "x": "早安"}), str(path))
    assert path.read_bytes() == "9\t\n10\tGood morning.\nx\t早安\n".encode()


def test_task_2_has_a_line_for_each_kept_entity_with_times_sorted_and_only_once(tmp_path):
    path = tmp_path / "task2_answer.txt"
    rows = [
        entity("10", "DATE", 1.0, 1.5, "May"),
        entity("9", "PATIENT", 2.25, 3.0004, "Lee"),
        entity("9", "AGE", 0.5, 1.0, "42"),
        entity("9", "AGE", 0.5, 1.0, "42"),
        entity("9", "ZIP", 0.5, 1.0, "42", kept=False),
        entity("9", "CITY", None, None, "Perth"),
    ]
    write_task2(tables.from_rows(rows, tables.ENTITIES), str(path))
    assert path.read_text() == "9\tAGE\t0.500\t1.000\t42\n9\tPATIENT\t2.250\t3.000\tLee\n10\tDATE\t1.000\t1.500\tMay\n"


LINE = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30)
ID = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), min_size=1, max_size=8)


@given(st.dictionaries(ID, LINE, max_size=8))
def test_task_1_reads_back(tmp_path_factory, texts):
    path = str(tmp_path_factory.mktemp("answers") / "task1_answer.txt")
    write_task1(transcripts(texts), path)
    assert read_task1(path) == texts


@given(st.lists(st.tuples(ID, st.integers(0, 10**7), st.integers(0, 10**5), LINE), max_size=8))
def test_task_2_reads_back(tmp_path_factory, items):
    path = str(tmp_path_factory.mktemp("answers") / "task2_answer.txt")
    rows = [entity(i, "LOCATION-OTHER", start / 1000, (start + length) / 1000, t) for i, start, length, t in items]
    write_task2(tables.from_rows(rows, tables.ENTITIES), path)
    read = {(r["recording_id"], r["start_s"], r["end_s"], r["text"]) for r in read_task2(path).to_pylist()}
    assert read == {(r["recording_id"], r["start_s"], r["end_s"], r["text"]) for r in rows}


def test_real_answer_files_read(shared):
    folder = shared / "corpus" / "train2"
    assert len(read_task1(str(folder / "task1_answer.txt"))) == 674
    assert len(read_task2(str(folder / "task2_answer.txt"))) == 987


@pytest.mark.parametrize("content", ["1\ta\n2 b\n", "1\ta\n1\tb\n"])
def test_a_bad_line_of_task_1_is_an_error_with_file_and_line(tmp_path, content):
    path = tmp_path / "task1_answer.txt"
    path.write_text(content)
    with pytest.raises(UserError, match=r"task1_answer\.txt, line 2"):
        read_task1(str(path))


def test_a_bad_line_of_task_2_is_an_error_with_file_and_line(tmp_path):
    path = tmp_path / "task2_answer.txt"
    path.write_text("1\tDATE\t0.0\t1.0\tMay\n1\tDATE\tsoon\t1.0\tMay\n")
    with pytest.raises(UserError, match=r"task2_answer\.txt, line 2"):
        read_task2(str(path))
