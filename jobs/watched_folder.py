"""A folder of recordings that is watched: each new one goes through the stream as soon as it is there."""

import _thread
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from jobs.progress import every_second
from jobs.ray_cluster import connect_to_ray, share_out
from jobs.run_progress import Loading
from jobs.settled import Settled
from pipeline.errors import UserError
from pipeline.files import absolute
from pipeline.inputs import Inputs
from pipeline.run_closing import close_run
from pipeline.run_folder import reopen
from pipeline.run_parts import Rows
from pipeline.settings import Settings
from pipeline.unfinished import PARTS

Look = Callable[[], Inputs]

_LOOK_S, _LOOK_FAR_S = 1.0, 10.0  # between two looks at a folder of this machine, and of another


def watch_folder(out: str, recordings: Rows, folder: str, look: Look, settings: Settings) -> dict[str, Any] | None:
    """Work on recordings as they come, until Ctrl-C or SIGTERM.

    The models stay loaded. Whenever nothing is left to do the run is closed, as one that was not watched.

    Args:
        out: The out folder of the run.
        recordings: Those that it has results of, by id.
        folder: The folder that is watched.
        look: Returns what lies in it.
        settings: With located models.

    Returns:
        The summary of the run; None if nothing came.

    Raises:
        UserError: Ray or the models cannot be started, or the out folder cannot be written.
        KeyboardInterrupt: It was ended while recordings were worked on.
    """
    console = Console(stderr=True)
    connect_to_ray()
    from pipeline import flow
    from pipeline.arrivals import Arrivals

    arrivals = Arrivals()
    run = _GrowingRun(out, recordings, arrivals.put, lambda line: console.print(line, highlight=False, soft_wrap=True))
    stream = flow.run({}, f"{absolute(out)}/{PARTS}", settings, share_out(settings), arrivals=arrivals)
    loading = Loading(console)
    watching = f"watching {folder}: Ctrl-C ends it"
    run.say(watching)

    def show() -> None:
        work = stream.work()
        loading.show(work)
        in_hand = f"{len(run.in_hand)} recordings in hand, " if run.in_hand else ""
        status.update(f"{in_hand}{watching}")

    look_s = _LOOK_FAR_S if "://" in folder else _LOOK_S
    try:
        with console.status(watching) as status, every_second(show), _looking(run, look, look_s):
            for row in stream:
                run.finish(row["recording_id"])
    except KeyboardInterrupt:
        if run.error:
            raise run.error from None
        if run.in_hand:
            raise
    return run.summary


class _GrowingRun:
    """A run that takes recordings as they come, and is closed whenever none is left.

    Args:
        out: Its folder.
        recordings: Those that it has results of, by id.
        send: Sends recordings to the stream.
        say: Prints a line.
    """

    def __init__(self, out: str, recordings: Rows, send: Callable[[Any], None], say: Callable[[str], None]) -> None:
        self.in_hand: set[str] = set()
        self.summary: dict[str, Any] | None = None
        self.error: UserError | None = None
        self.say = say
        self._out, self._recordings, self._send = out, dict(recordings), send
        self._settled = Settled(recordings)
        self._is_closed = bool(recordings)
        self._counts: Mapping[str, Any] = {}
        self._since = time.perf_counter()
        self._lock = threading.Lock()

    def take(self, there: Inputs) -> None:
        """Send those to the stream that are new or have changed."""
        with self._lock:
            self._counts = there.counts
            idle = {key: row for key, row in there.rows.items() if key not in self.in_hand}
            new = self._settled(idle, time.monotonic())
            if not new:
                return
            if self._is_closed:
                reopen(self._out)
                self._since = time.perf_counter()
            self._is_closed = False
            self._recordings |= new
            self.in_hand |= new.keys()
            self._send(new)

    def finish(self, recording_id: str) -> None:
        """Note that a recording has left the stream; the last one closes the run."""
        with self._lock:
            self.in_hand.discard(recording_id)
            if self.in_hand:
                return
            seconds = time.perf_counter() - self._since
            self.summary = close_run(absolute(self._out), self._recordings, seconds, self._counts)
            self._is_closed = True
        self.say(f"{self.summary['recordings']} recordings are finished, {self.summary['failures']} of them failed")


@contextmanager
def _looking(run: _GrowingRun, look: Look, every_s: float) -> Iterator[None]:
    """Look into the folder again and again while the body runs, and end it where the run cannot go on."""
    done = threading.Event()

    def repeat() -> None:
        said = ""
        while not done.wait(every_s):
            try:
                there = look()
            except UserError as error:  # somebody may mend it
                if said != (said := str(error)):
                    run.say(f"{said} Until then nothing new is worked on.")
                continue
            said = ""
            try:
                run.take(there)
            except UserError as error:
                run.error = error
                _thread.interrupt_main()
                return

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
