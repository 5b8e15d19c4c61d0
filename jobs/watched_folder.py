"""A folder of recordings that is watched: each new one goes through the stream as soon as it is there."""

import _thread
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from jobs.progress import repeating
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

    def say(line: str) -> None:
        console.print(line, highlight=False, soft_wrap=True)

    run = _GrowingRun(out, recordings, look, arrivals.put, say)
    stream = flow.run({}, f"{absolute(out)}/{PARTS}", settings, share_out(settings), arrivals=arrivals)
    loading = Loading(console)
    watching = f"watching {folder}: Ctrl-C ends it"
    say(watching)

    def show() -> None:
        work = stream.work()
        loading.show(work)
        in_hand = f"{len(run.in_hand)} recordings in hand, " if run.in_hand else ""
        status.update(f"{in_hand}{watching}")

    look_s = _LOOK_FAR_S if "://" in folder else _LOOK_S
    try:
        with console.status(watching) as status, repeating(show), repeating(run.look, look_s):
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
        look: Returns what lies in the folder that is watched.
        send: Sends recordings to the stream.
        say: Prints a line.
    """

    def __init__(
        self, out: str, recordings: Rows, look: Look, send: Callable[[Any], None], say: Callable[[str], None]
    ) -> None:
        self.in_hand: set[str] = set()
        self.summary: dict[str, Any] | None = None
        self.error: UserError | None = None
        self.say = say
        self._out, self._recordings, self._look, self._send = out, dict(recordings), look, send
        self._said = ""
        self._settled = Settled(recordings)
        self._is_closed = bool(recordings)
        self._counts: Mapping[str, Any] = {}
        self._since = time.perf_counter()
        self._lock = threading.Lock()

    def look(self) -> None:
        """Look into the folder once, and end the job where the run cannot go on."""
        if self.error:
            return
        try:
            there = self._look()
        except UserError as error:  # somebody may mend it
            if self._said != str(error):
                self._said = str(error)
                self.say(f"{self._said} Until then nothing new is worked on.")
            return
        self._said = ""
        try:
            self._take(there)
        except UserError as error:
            self.error = error
            _thread.interrupt_main()

    def _take(self, there: Inputs) -> None:
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
