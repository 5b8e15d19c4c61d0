"""What README and docs/ link to is there, and their commands are commands of this project."""

import importlib
import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from jobs.command_line import Common
from tests import readme_commands

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.zh-TW.md", *sorted((ROOT / "docs").glob("*.md"))]

COMMON = {f"--{field.name.replace('_', '-')}" for field in fields(Common)}


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    assert links or page.parent.name == "docs"
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_job_is_in_the_table_of_jobs():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    jobs = [file.stem for file in (ROOT / "jobs").glob("*.py") if "run_job(main" in file.read_text(encoding="utf-8")]
    for name in set(jobs) - {"command_line"}:
        assert f"| `{name}` |" in readme


def test_each_page_of_the_docs_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{page.name}" in readme


def commands(page: Path) -> list[str]:
    """Return all commands of a page, in fences and in running text, each in one line and without its comment."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", re.sub(r"^\|[^|]*\|", "", text, flags=re.MULTILINE))  # not what names were once
    lines = [line for block in readme_commands.blocks(page) for line in block.text.replace("\\\n", " ").splitlines()]
    return [" ".join(command.partition(" #")[0].split()) for command in (*lines, *spans)]


@cache
def options(job: str, subcommand: str) -> set[str]:
    """Return the options of a job, or of one of its subcommands, by their names in its help."""
    main, said = importlib.import_module(f"jobs.{job}").main, io.StringIO()
    with redirect_stdout(said), pytest.raises(SystemExit):
        main([*subcommand.split(), "--help"])
    return set(re.findall(r"^. (--[a-z][\w.-]*)", said.getvalue(), re.MULTILINE)) | {"--help", *COMMON}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_of_a_command_is_one_of_its_job(page):
    for command in commands(page):
        if called := re.search(r"\bjobs\.(?!VERB|名稱)(\w+)((?: [a-z]+(?:-[a-z]+)+| replace| vote)?)", command):
            asked = set(re.findall(r" \[?(--[a-z][\w.-]*)", command[called.end() :]))
            assert (ROOT / "jobs" / f"{called[1]}.py").is_file(), command
            assert not asked or asked <= options(called[1], called[2]), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_and_module_of_a_command_is_there(page):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for command in commands(page):
        assert set(re.findall(r"^make ([\w-]+)", command)) <= set(targets), command
        for module in re.findall(r"^python -m (tests\.[\w.]+)", command):
            assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file(), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_a_fence_is_one_that_bash_reads_and_the_script_sees(page):
    for block in readme_commands.blocks(page):
        assert all(readme_commands.is_whole(command) for command in block.commands()), block.text
    others = readme_commands.FENCE.sub("", page.read_text(encoding="utf-8"))
    assert not re.search(r"^(make|source|python -m jobs\.[a-z_]+) ", others, re.MULTILINE)


@pytest.mark.slow
def test_the_commands_run_from_a_fresh_clone():
    done = subprocess.run([sys.executable, "-m", "tests.readme_commands"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.slow
def test_the_notebook_runs_from_its_first_cell_to_its_last():
    notebook = json.loads((ROOT / "docs" / "in_python.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    done = subprocess.run([sys.executable, "-c", "\n".join(cells)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "PATIENT" in done.stdout and "of the recording is silent now" in done.stdout
