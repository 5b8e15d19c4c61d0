"""A run ends with the reasons for which recordings failed."""

from pipeline.failure_reasons import by_reason

EMPTY = ("decode", "AudioError: no samples")
BROKEN = ("tagger", "RuntimeError in x.py, line 3")


def test_failures_are_counted_by_reason_the_most_frequent_first():
    line = "3 failures: 2 decode (AudioError: no samples), 1 tagger (RuntimeError in x.py, line 3)"
    assert by_reason([BROKEN, EMPTY, EMPTY]) == line


def test_without_failures_there_is_nothing_to_say():
    assert by_reason([]) is None


def test_the_same_error_of_two_stages_is_two_reasons():
    assert by_reason([("whisper", "E"), ("parakeet", "E")]) == "2 failures: 1 whisper (E), 1 parakeet (E)"


def test_rare_reasons_are_counted_together():
    several = [("decode", f"AudioError: {number}") for number in range(7) for _ in range(9 - number)]
    line = by_reason(several)
    assert line.startswith("42 failures: 9 decode (AudioError: 0), ")
    assert line.endswith(", 5 decode (AudioError: 4), 7 for 2 other reasons")
