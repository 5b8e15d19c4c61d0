"""What stages report becomes what a run does: recordings in hand, finished and waiting, and busy seconds."""

import pytest

from pipeline.work import Board, queues


def board(*notes) -> Board:
    """Give a board after reports of worker, stage, event, and then rows, seconds of audio and seconds."""
    made = Board()
    for worker, stage, event, *numbers in notes:
        made.note(worker, stage, event, *(numbers + [0, 0.0, 0.0][len(numbers) :]))
    return made


def test_a_stage_loads_until_all_its_workers_have_loaded():
    of = board(("a", "whisper", "loading"), ("b", "whisper", "loading"), ("a", "whisper", "loaded", 0, 0.0, 2.0))
    assert of.read()["whisper"].is_loading
    of.note("b", "whisper", "loaded", 0, 0.0, 3.0)
    work = of.read()["whisper"]
    assert not work.is_loading and work.load_s == 3.0


def test_a_finished_batch_is_no_longer_in_hand_and_counts():
    of = board(("a", "tagger", "begun", 4), ("b", "tagger", "begun", 3), ("a", "tagger", "finished", 4, 20.0, 1.5))
    work = of.read()["tagger"]
    assert (work.in_hand, work.finished, work.audio_s) == (3, 4, 20.0)
    assert work.workers["a"].busy_s == 1.5 and work.workers["b"].busy_s == 0.0


@pytest.mark.faults
def test_what_a_worker_had_in_hand_when_it_died_is_nobodys():
    of = board(("a", "whisper", "begun", 4), ("a", "whisper", "loading"))
    assert of.read()["whisper"].in_hand == 0


def test_a_queue_is_what_the_stage_before_has_finished_and_this_one_has_not_begun():
    of = board(
        ("t", "tagger", "finished", 2),
        ("a", "whisper", "finished", 4),
        ("a", "whisper", "begun", 4),
        ("t", "tagger", "begun", 1),
        ("d", "decode", "finished", 10),
    )
    assert queues(of.read(), 12) == {"decode": 2, "whisper": 2, "tagger": 1}


def test_recordings_that_enter_anew_wait_before_the_first_stage():
    of = board(("d", "decode", "finished", 10), ("a", "whisper", "finished", 4, 9.0, 5.0), ("a", "whisper", "begun", 4))
    of.restart(3, 6.0)
    work = of.read()
    assert queues(work, 12) == {"decode": 9, "whisper": 0}
    assert work["whisper"].audio_s == 6.0 and work["whisper"].workers["a"].busy_s == 5.0
