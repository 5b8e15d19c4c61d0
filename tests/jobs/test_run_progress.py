"""What a run shows of itself while it works, on a terminal and elsewhere, and how much time it says is left."""

import io
import re

import pytest
from rich.console import Console

from jobs.run_progress import Lines, Live, duration, track_run
from jobs.time_left import TimeLeft
from pipeline.work import Work, Worker


def stage(finished=0, in_hand=0, audio_s=0.0, loading=False, load_s=5.0) -> Work:
    return Work({"a": Worker(loading, 0.0 if loading else load_s, in_hand)}, finished, audio_s)


LOADING = {"whisper": stage(loading=True), "tagger": stage(loading=True)}
WORKING = {"decode": stage(36, load_s=0.0), "whisper": stage(20, 8), "tagger": stage(12, 4)}


def printed(show) -> list[str]:
    """Return the lines that are printed where there is no terminal."""
    out = io.StringIO()
    show(Lines(Console(file=out, width=40), 36))
    return out.getvalue().splitlines()


def test_a_model_that_loads_and_is_loaded_is_a_line_each():
    def show(lines: Lines) -> None:
        lines.show(0, 1.0, None, {"whisper": stage(loading=True)})
        lines.show(0, 2.0, None, {"whisper": stage(loading=True)})
        lines.show(0, 6.0, None, {"whisper": stage(load_s=5.2), "tagger": stage(loading=True)})
        lines.show(0, 9.0, None, {"whisper": stage(load_s=5.2), "tagger": stage(load_s=3.0)})

    lines = ["loading Whisper", "Whisper loaded in 5 s", "loading the tagger", "the tagger loaded in 3 s"]
    assert printed(show) == lines


def test_each_tenth_is_a_line_that_says_what_is_done_and_what_is_being_done():
    def show(lines: Lines) -> None:
        for done in (0, 3, 4, 5, 12):
            lines.show(done, 45.0 if done else 0.0, 90.0, WORKING)

    assert printed(show)[-2:] == [
        "4 of 36 recordings, 45 s, about 90 s left (transcribing 8, tagging 4)",
        "12 of 36 recordings, 45 s, about 90 s left (transcribing 8, tagging 4)",
    ]


def test_every_half_minute_there_is_a_line_even_while_models_load():
    def show(lines: Lines) -> None:
        for second in range(75):
            lines.show(0, float(second), None, LOADING)

    lines = printed(show)
    assert lines[:2] == ["loading Whisper", "loading the tagger"]
    assert lines[2:] == [f"0 of 36 recordings, {second} s (loading Whisper, loading the tagger)" for second in (30, 60)]


def test_the_end_has_no_time_left():
    assert printed(lambda lines: lines.show(36, 300.0, 1.0, {})) == ["36 of 36 recordings, 5 min"]


def test_a_terminal_shows_a_line_for_each_stage():
    out = io.StringIO()
    live = Live(Console(file=out, width=100, force_terminal=True), 36)
    live.show(0, 1.0, None, LOADING)
    live.show(12, 45.0, 90.0, WORKING)
    live.end()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    last = shown[shown.rindex("12 of 36 recordings") :]
    for line in ("reading 36 of 36", "transcribing 20 of 36", "tagging 12 of 36", "45 s, about 90 s left"):
        assert line in last
    assert "English" not in last, "a stage that the run does not have is not shown"


def test_every_recording_is_handed_on_and_the_end_is_shown(capsys):
    assert list(track_run(range(36), 36, lambda: WORKING)) == list(range(36))
    assert capsys.readouterr().err.splitlines()[-1].startswith("36 of 36 recordings, 0 s")


def test_a_run_of_no_recordings_shows_nothing(capsys):
    assert list(track_run([], 0, dict)) == []
    assert capsys.readouterr().err == ""


def test_durations_are_as_exact_as_they_matter():
    assert [duration(seconds) for seconds in (45.2, 119, 300, 9000)] == ["45 s", "119 s", "5 min", "2.5 h"]


def test_the_slowest_stage_says_how_much_time_is_left():
    left, seconds = TimeLeft(100), None
    for second in range(11):
        work = {"whisper": stage(4 * second, 4), "tagger": stage(2 * second, 2)}
        seconds = left(float(second), work)
    assert seconds == pytest.approx((100 - 20) / 2)


def test_long_recordings_count_for_more_where_durations_are_known():
    left = TimeLeft(10)
    read = stage(10, audio_s=1000.0, load_s=0.0)
    left(0.0, {"decode": read, "whisper": stage(0, 5)})
    short = left(10.0, {"decode": read, "whisper": stage(5, 5, audio_s=100.0)})
    assert short == pytest.approx((1000 - 100) / 10), "the half that is left is nine tenths of the audio"


def test_the_time_left_follows_the_recent_throughput():
    left = TimeLeft(10_000)
    for second in range(400):
        left(float(second), {"tagger": stage(10 * second, 10)})
    for second in range(400, 800):
        seconds = left(float(second), {"tagger": stage(4000 + second - 400, 10)})
    assert seconds == pytest.approx(10_000 - 4399, rel=0.01), "at one a second, not at ten"


def test_nobody_guesses_before_each_stage_has_shown_its_speed():
    left = TimeLeft(36)
    assert left(0.0, {}) is None
    assert left(1.0, LOADING) is None
    left(2.0, {"whisper": stage(0, 8), "tagger": stage()})
    assert left(3.0, {"whisper": stage(8, 8), "tagger": stage(0, 8)}) is None
