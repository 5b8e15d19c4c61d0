"""A text in another encoding is named with the command that converts it, and the command works."""

import re
import subprocess

import pytest

from pipeline.errors import UserError
from pipeline.outputs.transcriptions import read_json
from pipeline.submission import read_task1
from pipeline.tagging.entity_groups import read_yaml
from pipeline.tagging.patients import read_patients
from pipeline.text_encoding import not_utf8

TEXT = "1\t王先生昨天來看診，說他頭痛。\n2\tGood morning.\n"


@pytest.mark.parametrize(
    ("encoding", "name"), [("big5", "Big5"), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16LE"), ("utf-16-be", "UTF-16BE")]
)
def test_the_command_that_is_told_makes_utf_8_of_it(tmp_path, encoding, name):
    file = tmp_path / "task1_answer.txt"
    file.write_bytes((TEXT * 10).encode(encoding))
    with pytest.raises(UserError, match=f"seems to be in {name}: convert it") as raised:
        read_task1(str(file))
    command = re.search("`(.*)`", str(raised.value)).group(1)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "task1_answer.utf8.txt").read_text(encoding="utf-8").lstrip("\ufeff") == TEXT * 10


def test_a_character_that_is_cut_where_reading_stops_is_no_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.text_encoding._READ", 5)
    (tmp_path / "a.txt").write_bytes("王先生".encode("big5"))
    assert "Big5" in not_utf8(str(tmp_path / "a.txt"))


def test_what_is_none_of_them_is_not_called_one(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\x80\x81" * 20)
    assert not_utf8(str(tmp_path / "a.txt")).endswith("is not in UTF-8: save it as UTF-8 text.")


@pytest.mark.parametrize("read", [lambda file: read_json(str(file)), read_yaml, read_patients])
def test_every_file_that_a_user_gives_is_named_so(tmp_path, read):
    (tmp_path / "file").write_bytes("recording_id,patient_id\n病歷,王".encode("big5"))
    with pytest.raises(UserError, match="file is not in UTF-8 but seems to be in Big5"):
        read(tmp_path / "file")
