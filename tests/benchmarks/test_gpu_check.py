"""The GPU check ends with a table and figures on every machine, and says what it left out."""

import json

import pytest

from tests.benchmarks import gpu_check, gpu_parts


def test_it_tells_the_machine_and_writes_the_figures(tmp_path, capsys):
    gpu_check.main(["--parts", "machine", "--json", str(tmp_path / "new" / "figures.json")])
    found = json.loads((tmp_path / "new" / "figures.json").read_text())["parts"]["machine"]
    assert found["torch"] and found["TFLOP/s bf16"] > 0 and "left out" not in found
    assert "figures.json" in capsys.readouterr().out


def test_a_part_whose_library_is_missing_says_so(tmp_path, monkeypatch):
    def part(size, note):
        raise ModuleNotFoundError("No module named 'trl'", name="trl")

    monkeypatch.setitem(gpu_parts.PARTS, "lora", part)
    gpu_check._measure("lora", None, tmp_path / "lora.json")
    assert json.loads((tmp_path / "lora.json").read_text()) == {"left out": "needs trl, which is not installed"}


def test_a_part_that_fails_leaves_its_last_line_and_what_it_had(tmp_path):
    (tmp_path / "part.json").write_text('{"rows": [{"tokens/s": 1.0}]}')
    found = gpu_check._in_a_process("tagger-bf16", tmp_path / "no tokenizer", tmp_path / "part.json", {"PATH": "/bin"})
    assert found["left out"] and found["rows"] and found["seconds"] > 0


def test_all_parts_together_take_at_most_ten_minutes_on_a_gpu():
    assert sum(gpu_check.SECONDS.values()) <= 600 and gpu_check.SECONDS.keys() == gpu_parts.PARTS.keys()


def test_wheels_that_cannot_be_installed_are_one_sentence(tmp_path):
    with pytest.raises(SystemExit, match="give a folder of wheels"):
        gpu_check.main(["--parts", "machine", "--wheels", str(tmp_path)])
