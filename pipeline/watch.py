"""Follows a run: gathers what its workers report, and sets Ray's metrics, which hold counts and seconds alone."""

import ctypes
import threading
import time
from collections.abc import Sized
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.metrics import Counter, Gauge
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.work import Board, Event, Report, Work, queues

_EVERY_S, _TRIM_S = 1.0, 30.0


@dataclass(frozen=True)
class _ToBoard:
    """Reports to the run's board, and does not wait for it."""

    board: Any

    def __call__(self, stage: str, event: Event, rows: int = 0, audio_s: float = 0.0, seconds: float = 0.0) -> None:
        self.board.note.remote(_name(), stage, event, rows, audio_s, seconds)


@cache
def _name() -> str:
    """Name this worker by its node and, as Ray restarts an actor that died as the same, by its actor."""
    context = ray.get_runtime_context()
    return f"{ray.util.get_node_ip_address()}/{(context.get_actor_id() or context.get_worker_id())[:8]}"


class Metrics:
    """What Ray exports for Prometheus, each name with ``ray_`` before it and counters with ``_total`` behind it."""

    def __init__(self) -> None:
        self.done = Counter("shi_recordings_done", "Recordings that were finished.")
        self.failed = Counter("shi_recordings_failed", "Recordings that failed.", ("stage",))
        self.audio_s = Counter("shi_audio_seconds", "Seconds of audio of the recordings that were finished.")
        self.busy_s = Counter("shi_busy_seconds", "Seconds that a worker spent on batches.", ("stage", "worker"))
        self.workers = Gauge("shi_workers", "Workers of a stage that have loaded their model.", ("stage",))
        self.queue = Gauge("shi_queue", "Recordings that wait before a stage.", ("stage",))
        self._counted: dict[tuple[str, str], float] = {}

    def count(self, failed_stage: str | None, duration_s: float | None) -> None:
        """Count a recording that left the stream."""
        if failed_stage is not None:
            self.failed.inc(tags={"stage": failed_stage})
            return
        self.done.inc()
        if duration_s:
            self.audio_s.inc(duration_s)

    def show(self, work: dict[str, Work], recordings: int) -> None:
        """Set what the stages do; see ``queues``."""
        for stage, waiting in queues(work, recordings).items():
            self.queue.set(waiting, {"stage": stage})
        for stage, of in work.items():
            if loaded := sum(worker.load_s > 0 for worker in of.workers.values()):
                self.workers.set(loaded, {"stage": stage})
            for name, worker in of.workers.items():
                if more := worker.busy_s - self._counted.get((stage, name), 0.0):
                    self.busy_s.inc(more, {"stage": stage, "worker": name})
                    self._counted[stage, name] = worker.busy_s

    def end(self, work: dict[str, Work]) -> None:
        """Set what a run leaves: no workers, and nothing that waits."""
        for stage in work:
            self.queue.set(0, {"stage": stage})
            self.workers.set(0, {"stage": stage})


class Watch:
    """Follows a run while it is open.

    Args:
        left: The recordings that are to leave the stream; those that have are gone from it.
    """

    def __init__(self, left: Sized) -> None:
        self._left = left
        self._finished, self._audio_s = 0, 0.0
        self._work: dict[str, Work] = {}
        self._metrics = Metrics()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "Watch":
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._board: Any = ray.remote(Board).options(num_cpus=0, scheduling_strategy=here).remote()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._metrics.end(self._work)
        ray.kill(self._board)

    @property
    def report(self) -> Report:
        """Where the stages report."""
        return _ToBoard(self._board)

    def work(self) -> dict[str, Work]:
        """Return what each stage does, of a second ago."""
        return self._work

    def restart(self) -> None:
        """Say that recordings which have not left the stream enter it anew."""
        self._board.restart.remote(self._finished, self._audio_s)

    def count(self, failed_stage: str | None, duration_s: float | None) -> None:
        """Count a recording that left the stream.

        Args:
            failed_stage: The stage in which it failed, or None.
            duration_s: Its seconds of audio, if known.
        """
        self._finished += 1
        self._audio_s += duration_s or 0.0
        self._metrics.count(failed_stage, duration_s)

    def _follow(self) -> None:
        done, trimmed = False, time.monotonic()
        while not done:
            done = self._done.wait(_EVERY_S)
            if time.monotonic() - trimmed > _TRIM_S:
                _give_back()
                trimmed = time.monotonic()
            with suppress(RayError):  # whatever happens to the board, the run goes on
                self._work = ray.get(self._board.read.remote(), timeout=_EVERY_S)
                self._metrics.show(self._work, self._finished + len(self._left))


def _give_back() -> None:
    """Give freed memory back to the system: of what Ray's threads free, glibc keeps half a GB in 60,000 recordings."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
