"""Folders of any name: jobs read and write the same in them as in a plain one, on local storage and at an address."""

from pathlib import Path

import fsspec
import pytest

from jobs import exchange, merge, prepare, redact, report, score
from pipeline import submission, tables
from pipeline.demo import CLIPS
from pipeline.files import filesystem
from tests.jobs.test_redact import write_run

ODD = '-run [1] a*b {x} ? #1 %20 it\'s "this" n=1 ~ $HOME, 病'


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> dict[str, object]:
    root = tmp_path_factory.mktemp("plain")
    write_run(root)
    return made_in(str(root))


def made_in(root: str) -> dict[str, object]:
    """Let each job that needs no Ray write into a folder beside the run, twice; return what is there then."""
    run = f"{root}/run"
    fs, path = filesystem(root)
    for name in (submission.TASK1, submission.TASK2):
        for split in ("train", "valid"):
            first = "9" * (split == "valid")
            lines = (CLIPS / name).read_text(encoding="utf-8").splitlines()
            fs.makedirs(f"{path}/{split}", exist_ok=True)
            fs.pipe_file(f"{path}/{split}/{name}", "\n".join(first + line for line in lines).encode())
    for again in ([], ["--overwrite"]):
        merge.main(["replace", "--base", run, "--source", run, "--types", "DATE", "--out", f"{root}/replaced", *again])
        merge.main(["vote", "--run", run, "--run", f"{root}/replaced", "--out", f"{root}/voted", *again])
        exchange.main(["to-label-studio", "--run", run, "--out", f"{root}/tasks.json", *again])
        exchange.main(["to-transcriptions", "--run", run, *again])
        file = f"{run}/transcriptions_corrected.json"
        exchange.main(["from-transcriptions", "--file", file, "--out", f"{root}/brought", *again])
        redact.main(["--run", run, "--out", f"{root}/redacted", "--vtt", *again])
        report.main(["--run", run, "--reference", f"{root}/voted", "--out", f"{root}/page.html", *again])
        score.main(["--reference", f"{root}/voted", "--submission", run, "--json", f"{root}/scores.json"])
        folders = ["--train", f"{root}/train", "--valid", f"{root}/valid", "--out", f"{root}/prepared"]
        prepare.main([*folders, *again])
    found = {}
    for file in fs.find(path):
        name = file.removeprefix(f"{path}/").removeprefix("/")
        if name.endswith((submission.TASK1, submission.TASK2, ".vtt", ".wav", ".flac")):
            found[name] = fs.cat_file(file)
        elif (table := name.rpartition("/")[0].rpartition("/")[2]) in tables.SCHEMAS:
            rows = tables.read(f"{root}/{name.rpartition('/')[0]}", tables.SCHEMAS[table]).to_pylist()
            found[name] = [row | ({"path": None} if "path" in row else {}) for row in rows]
        else:
            found[name] = None
    return found


def test_a_folder_of_any_name_is_used_as_a_plain_one(plain, tmp_path):
    (tmp_path / ODD).mkdir()
    write_run(tmp_path / ODD)
    assert made_in(str(tmp_path / ODD)) == plain


def test_an_address_of_any_name_is_used_as_a_plain_folder(plain, tmp_path):
    write_run(tmp_path)
    fs, root = fsspec.filesystem("memory"), f"/folder-names/{ODD}"
    for file in (tmp_path / "run").rglob("*.parquet"):
        fs.pipe_file(f"{root}/run/{file.relative_to(tmp_path / 'run').as_posix()}", file.read_bytes())
    made = made_in(f"memory:/{root}")
    assert made == {name: content for name, content in plain.items() if not name.startswith("recordings/")}


@pytest.mark.parametrize("name", ["-out", "~no-such-user", ODD])
def test_a_relative_folder_is_taken_as_it_is(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path)
    merge.main(["replace", "--base", "run", "--source", "run", "--types", "DATE", f"--out={name}"])
    assert Path(tmp_path, name, submission.TASK2).is_file()
