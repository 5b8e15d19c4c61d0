"""Tables as CSV and Excel files: every value comes back, and no text becomes a formula."""

import csv
import io

import openpyxl
import pytest

from pipeline.errors import UserError
from pipeline.outputs.spreadsheet import encode, flat

COLUMNS = ["id", "text", "start_s", "kept"]
ROWS = [["1", '王小明, "Ming"\nsaid', 1.5, True], ["007", "=SUM(A1:A9)", None, False], ["-3", "@x", 2.0, None]]


def test_excel_gives_back_every_value_and_takes_no_text_for_a_formula():
    sheet = openpyxl.load_workbook(io.BytesIO(encode(COLUMNS, ROWS, ".xlsx"))).active
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [COLUMNS, *ROWS]
    assert sheet["A3"].value == "007" and sheet["B3"].data_type == "s" and sheet.freeze_panes == "A2"


def test_csv_is_read_by_excel_with_its_characters_and_without_formulas():
    content = encode(COLUMNS, ROWS, ".csv")
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert rows[:2] == [COLUMNS, ["1", '王小明, "Ming"\nsaid', "1.5", "True"]]
    assert rows[2:] == [["007", "'=SUM(A1:A9)", "", "False"], ["'-3", "'@x", "2.0", ""]]


def test_what_no_cell_holds_is_one_sentence_or_a_mark():
    sheet = openpyxl.load_workbook(io.BytesIO(encode(["text"], [["a\x00b"]], ".xlsx"))).active
    assert sheet["A2"].value == "a\ufffdb"
    with pytest.raises(UserError, match="longer than a cell of Excel holds"):
        encode(["text"], [["x" * 40_000]], ".xlsx")


def test_scores_go_by_their_names():
    scores = {"entities": {"micro": {"f1": 0.5, "f1_95": [0.4, 0.6]}}, "worst": {"entities": [{"recording_id": "1"}]}}
    assert dict(flat(scores)) == {
        "entities.micro.f1": 0.5,
        "entities.micro.f1_95.1": 0.4,
        "entities.micro.f1_95.2": 0.6,
    }
