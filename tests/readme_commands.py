"""Run the commands of the README and of docs/ as a reader types them, from a fresh clone, in one shell.

python -m tests.readme_commands [--clone FOLDER]

A fence with the tag bash holds commands to be run. A comment right above it may say otherwise, with the reason:
``<!-- not run: REASON -->`` leaves the fence out, and ``<!-- run with --profile NAME: REASON -->`` takes another
profile. Beside the clone are the folders that the commands read: ``recordings``, and ``labelled`` in the competition's
layout, both of the shipped clips.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
BESIDE = {"recordings": "pipeline/demo/clips/audio", "labelled": "pipeline/demo/clips"}
FENCE = re.compile(r"(?:<!-- (not run|run with --profile (\w+)): ([^>]+) -->\n)?```bash\n(.*?)```", re.DOTALL)


class Block(NamedTuple):
    """A fence of commands.

    Attributes:
        text: The commands.
        is_run: Whether they are to be run.
        profile: The profile to run them with; None leaves theirs.
        reason: Why they are not run, or run with another profile.
    """

    text: str
    is_run: bool
    profile: str | None
    reason: str

    def commands(self) -> list[str]:
        """Return the commands one by one; one may take several lines."""
        text = re.sub(r"--profile \w+", f"--profile {self.profile}", self.text) if self.profile else self.text
        found, command = [], ""
        for line in re.sub(r"^ *(#.*)?\n", "", text, flags=re.MULTILINE).splitlines():
            command += f"{line}\n"
            if not line.endswith("\\") and is_whole(command):
                found.append(command.rstrip("\n"))
                command = ""
        return [*found, command] if command else found


def is_whole(command: str) -> bool:
    return not subprocess.run(["bash", "-n", "-c", command], capture_output=True).returncode


def pages(root: Path) -> list[Path]:
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def blocks(page: Path) -> list[Block]:
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [Block(text, mark != "not run", profile or None, reason) for mark, profile, reason, text in found]


class Shell:
    """A bash that ends with the first command that fails, as a script with ``set -euo pipefail``."""

    def __init__(self, folder: Path) -> None:
        statuses, told = os.pipe()
        environment = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "VIRTUAL_ENV")}
        self._bash = subprocess.Popen(
            ["bash", "-euo", "pipefail"], stdin=subprocess.PIPE, cwd=folder, env=environment, pass_fds=[told], text=True
        )
        os.close(told)
        self._told, self._statuses = told, os.fdopen(statuses)

    def run(self, command: str) -> int:
        """Run a command, and return its exit status."""
        assert self._bash.stdin
        self._bash.stdin.write(f"{{ {command}\n}} < /dev/null {self._told}>&-\necho $? >&{self._told}\n")
        self._bash.stdin.flush()
        return int(self._statuses.readline() or self._bash.wait())

    def close(self) -> None:
        assert self._bash.stdin
        self._bash.stdin.close()
        self._bash.wait()
        self._statuses.close()


def run(folder: Path) -> bool:
    """Clone the project into a folder and run all commands there; return whether none failed."""
    clone = folder / "shi-speech"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    for name, clips in BESIDE.items():
        shutil.copytree(clone / clips, folder / name)
    shell = Shell(clone)
    try:
        return all(run_page(page, shell) for page in pages(clone))
    finally:
        shell.close()


def run_page(page: Path, shell: Shell) -> bool:
    for block in blocks(page):
        if block.reason:
            how = f"run with --profile {block.profile}" if block.is_run else "not run"
            print(f"{page.name}: {how}: {block.reason}", flush=True)
        for command in block.commands():
            if not block.is_run:
                print(f"  left out  {command}", flush=True)
                continue
            print(f"$ {command}", flush=True)
            start = time.monotonic()
            status = shell.run(command)
            print(f"{page.name}: status {status}, {time.monotonic() - start:.0f} s: {command}", flush=True)
            if status:
                return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clone", type=Path, help="folder for the clone, which is kept; else a temporary one")
    given = parser.parse_args().clone
    if given:
        sys.exit(not run(given.absolute()))
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(not run(Path(folder)))


if __name__ == "__main__":
    main()
