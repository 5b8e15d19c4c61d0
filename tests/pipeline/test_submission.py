"""The competition's text files: what is written, in which order, and that it reads back."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import tables
from pipeline.errors import UserError
from pipeline.submission import read_task1, read_task2, write_task1, write_task2


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


@given(st.lists(st.tuples(ID, st.integers(0, 10**7), st.integers(0, 10**5), LINE.map(str.strip)), max_size=8))
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


def test_answer_files_read_with_bom_crlf_trailing_tabs_edge_spaces_and_without_text_or_final_newline(tmp_path):
    task1, task2 = tmp_path / "task1_answer.txt", tmp_path / "task2_answer.txt"
    task1.write_bytes("\ufeff1\t 早安 \t\t\r\n\r\n2\t".encode())
    assert read_task1(str(task1)) == {"1": " 早安 ", "2": ""}
    lines = ["\ufeff1\tDATE\t0.5\t1.0\t May \t", "1\tAGE\t2\t3\t", "1\tAGE\t3\t4"]
    task2.write_bytes("\r\n".join(lines).encode())
    rows = read_task2(str(task2)).to_pylist()
    assert [(r["type"], r["start_s"], r["end_s"], r["text"]) for r in rows] == [
        ("DATE", 0.5, 1.0, "May"),
        ("AGE", 2.0, 3.0, ""),
        ("AGE", 3.0, 4.0, ""),
    ]


def test_ids_are_read_in_composed_unicode_from_text_and_tables(tmp_path):
    composed, decomposed = "Müller", unicodedata.normalize("NFD", "Müller")
    (tmp_path / "task1_answer.txt").write_text(f"{decomposed} \thello\n", encoding="utf-8")
    (tmp_path / "task2_answer.txt").write_text(f"{decomposed}\tDATE\t0\t1\ttoday\n", encoding="utf-8")
    assert list(read_task1(str(tmp_path / "task1_answer.txt"))) == [composed]
    assert read_task2(str(tmp_path / "task2_answer.txt"))["recording_id"].to_pylist() == [composed]
    failure = {"recording_id": decomposed, "stage": "decode", "error": "AudioError: no samples"}
    tables.write(tables.from_rows([failure], tables.FAILURES), str(tmp_path / "failures"))
    assert tables.read(str(tmp_path / "failures"), tables.FAILURES)["recording_id"].to_pylist() == [composed]


def test_malformed_lines_are_left_out_and_named_where_that_is_wanted(tmp_path):
    task1, task2 = tmp_path / "task1_answer.txt", tmp_path / "task2_answer.txt"
    task1.write_text("1\tgood\nno tab\n1\tagain\n\tno id\n2\tgood\n")
    bad = ["1\tDATE\tsoon\t1\tx", "1\tDATE\t2\t1\tx", "1\tDATE\tnan\t1\tx", "1\tdate\t1\t2\tx", "1\tDATE\t1"]
    task2.write_text("\n".join(["1\tDATE\t1\t2\tMay", *bad, "1\tDATE\t1\t2\tx\ty", "2\tAGE\t1\t2\t42"]))
    malformed: list[str] = []
    assert read_task1(str(task1), malformed) == {"1": "good", "2": "good"}
    assert [row["text"] for row in read_task2(str(task2), malformed).to_pylist()] == ["May", "42"]
    assert [sentence.partition(": ")[0] for sentence in malformed] == [
        *(f"{task1}, line {number}" for number in (2, 3, 4)),
        *(f"{task2}, line {number}" for number in (2, 3, 4, 5, 6, 7)),
    ]
    assert not any("good" in sentence or "again" in sentence for sentence in malformed), "no text of a patient"


@pytest.mark.parametrize(("content", "sentence"), [(None, "cannot be read"), ("早安".encode("big5"), "not in UTF-8")])
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path, content, sentence):
    path = tmp_path / "task1_answer.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"task1_answer\.txt .*{sentence}"):
        read_task1(str(path))


@pytest.mark.parametrize("content", ["1\ta\n2 b\n", "1\ta\n1\tb\n"])
def test_a_bad_line_of_task_1_is_an_error_with_file_and_line(tmp_path, content):
    path = tmp_path / "task1_answer.txt"
    path.write_text(content)
    with pytest.raises(UserError, match=r"task1_answer\.txt, line 2"):
        read_task1(str(path))


def test_an_unknown_type_is_an_error_that_names_file_line_and_the_nearest_one(tmp_path):
    path = tmp_path / "task2_answer.txt"
    path.write_text("1\tDATE\t0.0\t1.0\tMay\n1\tDOKTOR\t0.0\t1.0\tLee\n")
    for malformed in (None, []):
        with pytest.raises(
            UserError, match=r"line 2: there is no type DOKTOR; the nearest is DOCTOR\. .*--groups-file"
        ):
            read_task2(str(path), malformed, {"DATE", "DOCTOR", "PATIENT"})
    assert len(read_task2(str(path), types={"DATE", "DOKTOR"})) == 2


def test_a_bad_line_of_task_2_is_an_error_with_file_and_line(tmp_path):
    path = tmp_path / "task2_answer.txt"
    path.write_text("1\tDATE\t0.0\t1.0\tMay\n1\tDATE\tsoon\t1.0\tMay\n")
    with pytest.raises(UserError, match=r"task2_answer\.txt, line 2"):
        read_task2(str(path))
