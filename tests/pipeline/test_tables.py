"""The tables: what they require, and that Parquet gives them back."""

import pyarrow as pa
import pytest

from pipeline import tables

TRANSCRIPT = {
    "recording_id": "1",
    "language": "zh",
    "text": "早安",
    "words": [{"text": "早", "char_start": 0, "char_end": 1, "start_s": 0.1, "end_s": 0.3, "confidence": None}],
    "recognizer": "whisper",
}


@pytest.mark.parametrize("folder", ["transcripts", "run[1]", "早安 * ?"])
def test_tables_come_back_from_parquet_as_they_were(tmp_path, folder):
    table = tables.from_rows([TRANSCRIPT], tables.TRANSCRIPTS)
    tables.write(table, str(tmp_path / folder))
    assert tables.read(str(tmp_path / folder), tables.TRANSCRIPTS).equals(table)


def test_the_files_of_a_folder_are_one_table_and_a_missing_folder_is_empty(tmp_path):
    for name in ("part-0", "part-1"):
        tables.write(tables.from_rows([TRANSCRIPT], tables.TRANSCRIPTS), str(tmp_path), name)
    assert len(tables.read(f"file://{tmp_path}", tables.TRANSCRIPTS)) == 2
    assert len(tables.read(str(tmp_path / "nowhere"), tables.TRANSCRIPTS)) == 0


@pytest.mark.parametrize("name", tables.SCHEMAS)
def test_a_row_without_its_recording_is_refused(name):
    with pytest.raises(pa.ArrowInvalid):
        tables.from_rows([{}], tables.SCHEMAS[name])
