"""A run stops when so many recordings fail that they cannot be at fault themselves."""

import pytest

from pipeline.errors import UserError
from pipeline.failure_limit import FailureLimit

UNREADABLE = ("decode", "AudioError: no samples")
BROKEN = ("whisper", "RuntimeError in whisper.py, line 3")
FINE = (None, None)


def test_the_first_nineteen_recordings_may_all_fail():
    limit = FailureLimit(0.2, recordings=1000)
    for _ in range(19):
        limit.count(*BROKEN)
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
    for _ in range(40):
        limit.count(*UNREADABLE)
    with pytest.raises(UserError, match=r"^41 of 41 .*: decode: AudioError: no samples\."):
        limit.count(*UNREADABLE)


def test_of_fewer_than_twenty_recordings_all_may_fail():
    limit = FailureLimit(0.2, recordings=19)
    for _ in range(19):
        limit.count(*UNREADABLE)


def test_a_share_of_one_stops_at_nothing():
    limit = FailureLimit(1.0, recordings=50)
    for _ in range(50):
        limit.count(*BROKEN)


def test_what_earlier_calls_finished_counts():
    """Trying the few failures of a large run again stops nothing, though all of them fail again."""
    limit = FailureLimit(0.2, recordings=1100, finished=1000)
    for _ in range(100):
        limit.count(*BROKEN)
