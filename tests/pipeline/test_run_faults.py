"""Whatever happens to a run and whenever, the same command ends in the same files, and nothing reads half of them."""

import errno
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import UserError
from pipeline.run_folder import read_run
from pipeline.submission import read_submission
from tests.small_run import FAILED, begun, closed, contents, planned, result, write_parts

pytestmark = pytest.mark.faults

CHANGES = ("pipe_file", "mv", "rm", "rm_file", "makedirs")
"""What changes a local file system."""


class Killed(BaseException):
    """Stands for a kill: nothing in the program catches it."""


class Storage:
    """A file system that ends at one of its changes: before it is made, half-way, or after it."""

    def __init__(self, monkeypatch, at: int, when: str, error: BaseException):
        self.changes, self.at, self.when, self.error = 0, at, when, error
        for name in CHANGES:
            monkeypatch.setattr(LocalFileSystem, name, self.breaking(name, getattr(LocalFileSystem, name)))

    def breaking(self, name: str, change: Callable) -> Callable:
        def changed(fs, *arguments, **options):
            self.changes += 1
            if self.changes != self.at:
                return change(fs, *arguments, **options)
            if self.when == "half-way" and name == "pipe_file":
                change(fs, arguments[0], arguments[1][: len(arguments[1]) // 2])
            if self.when == "half-way" and name == "rm" and Path(arguments[0]).is_dir():
                next(file for file in Path(arguments[0]).iterdir()).unlink()
            if self.when == "after":
                change(fs, *arguments, **options)
            raise self.error

        return changed


def go_on(out, **options) -> None:
    """Do what jobs.predict does, with what its stages would make of the recording that is left."""
    plan = begun(out, **options)
    if not plan.is_done:
        if plan.left:
            of_third = result("3") if "retry_failed" in options else FAILED
            write_parts(out, [of_third if i == "3" else result(i) for i in sorted(plan.left)])
        closed(out)


def interrupted(out) -> None:
    begun(out)
    write_parts(out, [result("10"), FAILED], [result("9")])


def finished(out) -> None:
    interrupted(out)
    closed(out)


@pytest.mark.parametrize("when", ["before", "half-way", "after"])
@pytest.mark.parametrize(
    ("before", "options"),
    [(interrupted, {}), (finished, {"overwrite": True}), (finished, {"retry_failed": True}), (finished, {})],
    ids=["an interrupted run", "a run that is replaced", "failures that are taken up", "a finished run"],
)
@pytest.mark.parametrize("what", ["kill", "full disk"])
def test_at_every_change_of_the_storage_a_fault_costs_nothing(tmp_path, monkeypatch, before, options, when, what):
    before(tmp_path / "before")
    shutil.copytree(tmp_path / "before", tmp_path / "whole")
    go_on(tmp_path / "whole", **options)
    whole = contents(tmp_path / "whole")
    at = 0
    while True:
        at += 1
        out = tmp_path / f"{at}"
        shutil.copytree(tmp_path / "before", out)
        error = Killed() if what == "kill" else OSError(errno.ENOSPC, "No space left on device")
        with monkeypatch.context() as patched:
            storage = Storage(patched, at, when, error)
            try:
                go_on(out, **options)
            except Killed:
                pass
            except UserError as sentence:
                assert re.search("cannot be (written|used): No space left on device", str(sentence))
            except OSError:  # what the stages write; the stream makes a sentence of it
                assert what == "full disk"
        check_that_all_readers_agree(out)
        go_on(out, **options)
        assert contents(out) == whole, at
        shutil.rmtree(out)
        if storage.changes < at:
            break
    assert at > 3 or before is finished


def check_that_all_readers_agree(out) -> None:
    """Both ways to read a run find it unfinished, or both find all of it."""
    try:
        transcripts = len(read_run(str(out))["transcripts"])
    except UserError:
        with pytest.raises(UserError):
            read_submission("--run", str(out))
    else:
        read = read_submission("--run", str(out))
        assert transcripts == len(read.transcripts or {}) >= 2


@pytest.mark.parametrize("name", ["parts", "transcripts", "."])
def test_a_folder_that_may_not_be_written_is_one_sentence(tmp_path, monkeypatch, name):
    interrupted(tmp_path)

    def refuse(fs, path, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    for change in CHANGES:
        monkeypatch.setattr(LocalFileSystem, change, refuse)
    with pytest.raises(UserError, match="Permission denied"):
        planned(tmp_path).begin()
        closed(tmp_path)
