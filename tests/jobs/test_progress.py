"""Progress of long work where there is no terminal: what is done, and each tenth of it."""

import json
import threading

from jobs import progress
from jobs.progress import doing, follow, repeating, track


def test_what_is_done_is_said_before_it_is_done(capsys):
    with doing("starting Ray"):
        assert capsys.readouterr().err == "starting Ray\n"
    assert capsys.readouterr().err == ""


def test_each_tenth_of_the_items_is_a_line(capsys):
    assert list(track(range(20), 20, "recordings")) == list(range(20))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"{done} of 20 recordings, 0 s" for done in range(2, 21, 2)]


def test_what_is_shown_every_second_ends_with_the_body():
    shown, by = threading.Event(), []

    def show():
        by.append(threading.current_thread())
        shown.set()

    with repeating(show):
        assert shown.wait(60)
    assert not any(thread.is_alive() for thread in by)


def test_a_training_is_followed_by_its_file(tmp_path, capsys, monkeypatch):
    file, read = tmp_path / "progress.json", threading.Event()
    file.write_text(json.dumps({"step": 5, "steps": 10, "epoch": 1, "seconds_left": 65.0, "train_loss": 0.5}))
    describe = progress._describe
    monkeypatch.setattr(progress, "_describe", lambda state: (read.set(), describe(state))[1])
    with follow({"names": file}):
        assert read.wait(60)
    assert capsys.readouterr().err.strip() == "names: epoch 1, step 5 of 10, train loss 0.500, 0:01:05 left"
