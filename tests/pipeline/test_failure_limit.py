"""A run stops when so many recordings fail that they cannot be at fault themselves."""

import pytest

from pipeline.errors import UserError
from pipeline.failure_limit import FailureLimit


def test_the_first_twenty_recordings_may_all_but_one_fail():
    limit = FailureLimit(0.2)
    for _ in range(19):
        limit.count("decode: AudioError: no samples")
    with pytest.raises(
        UserError, match=r"^20 of the first 20 recordings failed.*\(20\): decode: AudioError: no samples\."
    ):
        limit.count("decode: AudioError: no samples")


def test_the_share_itself_is_allowed():
    limit = FailureLimit(0.2)
    for number in range(100):
        limit.count("whisper: ValueError" if number % 5 == 4 else None)
    with pytest.raises(UserError, match=r"^21 of the first 101 "):
        limit.count("whisper: ValueError")


def test_a_share_of_one_stops_at_nothing():
    limit = FailureLimit(1.0)
    for _ in range(50):
        limit.count("whisper: ValueError")


def test_what_earlier_calls_finished_counts():
    """Trying the few failures of a large run again stops nothing, though all of them fail again."""
    limit = FailureLimit(0.2, finished=1000)
    for _ in range(100):
        limit.count("decode: AudioError: no samples")
