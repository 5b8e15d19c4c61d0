"""A run stops when so many recordings fail that they cannot be at fault themselves."""

import pytest

from pipeline.errors import UserError
from pipeline.failure_limit import FailureLimit

pytestmark = pytest.mark.faults

UNREADABLE = ("decode", "AudioError: no samples")
BROKEN = ("whisper", "RuntimeError in whisper.py, line 3")
FINE = (None, None)


def all_counted(limit: FailureLimit, *results: tuple[str | None, str | None]) -> int:
    """Count results, and give how many were counted: all, where none ends the run."""
    for result in results:
        limit.count(*result)
    return len(results)


def test_the_first_nineteen_recordings_may_all_fail():
    limit = FailureLimit(0.2, recordings=1000)
    all_counted(limit, *[BROKEN] * 19)
    with pytest.raises(
        UserError, match=r"^20 of 20 finished recordings failed \(--max-failures 0.2\), most often \(20\)"
    ):
        limit.count(*BROKEN)


def test_the_share_itself_is_allowed():
    limit = FailureLimit(0.2, recordings=1000)
    for number in range(100):
        limit.count(*(BROKEN if number % 5 == 4 else FINE))
    with pytest.raises(UserError, match=r"^21 of 101 .*: whisper: RuntimeError in whisper.py, line 3\."):
        limit.count(*BROKEN)


def test_unreadable_files_that_stand_together_are_a_share_of_the_whole_folder():
    limit = FailureLimit(0.2, recordings=200)
    all_counted(limit, *[UNREADABLE] * 40)
    with pytest.raises(UserError, match=r"^41 of 41 .*: decode: AudioError: no samples\."):
        limit.count(*UNREADABLE)


def test_of_fewer_than_twenty_recordings_all_may_fail():
    assert all_counted(FailureLimit(0.2, recordings=19), *[UNREADABLE] * 19) == 19


def test_a_share_of_one_stops_at_nothing():
    assert all_counted(FailureLimit(1.0, recordings=50), *[BROKEN] * 50) == 50


def test_what_earlier_calls_finished_counts():
    """Trying the few failures of a large run again stops nothing, though all of them fail again."""
    assert all_counted(FailureLimit(0.2, recordings=1100, finished=1000), *[BROKEN] * 100) == 100
