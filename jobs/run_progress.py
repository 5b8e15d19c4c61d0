"""Progress of a run: what its stages do, how many recordings are finished and how much time is left."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from jobs.progress import Item, repeating
from jobs.time_left import TimeLeft
from pipeline.work import Work

_MODELS = {"whisper": "Whisper", "parakeet": "Parakeet", "tagger": "the tagger"}
_DOES = {"decode": "reading", "whisper": "transcribing", "parakeet": "transcribing English", "tagger": "tagging"}
_QUIET_S = 30  # after which there is a line, whatever happens


def track_run(items: Iterable[Item], total: int, work: Callable[[], Mapping[str, Work]]) -> Iterator[Item]:
    """Yield a run's recordings, and show its progress: live on a terminal, otherwise by lines.

    Args:
        items: Yields each recording when it is finished.
        total: Total number of recordings.
        work: Says what each stage does.
    """
    console = Console(stderr=True)
    display: _Display = Live(console, total) if console.is_terminal else Lines(console, total)
    left, start, done = TimeLeft(total), time.perf_counter(), 0

    def show() -> None:
        seconds, now = time.perf_counter() - start, work()
        display.show(done, seconds, left(seconds, now), now)

    try:
        with repeating(show):
            for item in items:
                done += 1
                yield item
        show()
    finally:
        display.end()


class _Display(Protocol):
    def show(self, done: int, seconds: float, left: float | None, work: Mapping[str, Work]) -> None: ...

    def end(self) -> None: ...


class Loading:
    """Prints a line when a model begins to load, and when it is loaded.

    Args:
        console: Where it prints.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._loading: set[str] = set()
        self._loaded: set[str] = set()

    def show(self, work: Mapping[str, Work]) -> bool:
        """Print what is new, and say whether there was anything.

        Args:
            work: What each stage does.
        """
        lines = []
        for stage in [stage for stage in _MODELS if stage in work]:
            if work[stage].is_loading and stage not in self._loading:
                self._loading.add(stage)
                lines.append(f"loading {_MODELS[stage]}")
            elif work[stage].load_s and not work[stage].is_loading and stage not in self._loaded:
                self._loaded.add(stage)
                lines.append(f"{_MODELS[stage]} loaded in {duration(work[stage].load_s)}")
        for line in lines:
            self._console.print(line, highlight=False, soft_wrap=True)
        return bool(lines)


class Lines:
    """Prints a line when a model begins to load and is loaded, for each 10 %, and every half a minute.

    Args:
        console: Where it prints.
        total: Number of recordings.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._total = console, total
        self._loading = Loading(console)
        self._tenth, self._printed = 0, 0.0

    def show(self, done: int, seconds: float, left: float | None, work: Mapping[str, Work]) -> None:
        """Print what is new.

        Args:
            done: Number of finished recordings.
            seconds: Seconds since the beginning.
            left: Seconds that are left, if that can be said.
            work: What each stage does.
        """
        if self._loading.show(work):
            self._printed = seconds
        tenth = done * 10 // max(self._total, 1)
        if tenth > self._tenth or seconds - self._printed >= _QUIET_S:
            self._tenth = tenth
            self._console.print(self._line(done, seconds, left, work), highlight=False, soft_wrap=True)
            self._printed = seconds

    def end(self) -> None:
        """Do nothing: all is printed."""

    def _line(self, done: int, seconds: float, left: float | None, work: Mapping[str, Work]) -> str:
        line = f"{done} of {self._total} recordings, {duration(seconds)}"
        if left is not None and done < self._total:
            line += f", about {duration(left)} left"
        now = [f"loading {_MODELS[stage]}" for stage in _MODELS if stage in work and work[stage].is_loading]
        now += [
            f"{does} {work[stage].in_hand}" for stage, does in _DOES.items() if stage in work and work[stage].in_hand
        ]
        return f"{line} ({', '.join(now)})" if now else line


class Live:
    """Shows a bar for all recordings and, below, a line for each stage.

    Args:
        console: The terminal.
        total: Number of recordings.
    """

    def __init__(self, console: Console, total: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[time]}"))
        self._progress, self._total = Progress(*columns, console=console), total
        self._all = self._progress.add_task(f"0 of {total} recordings", total=total, time="")
        self._stages = {stage: self._progress.add_task("", visible=False, time="") for stage in _DOES}
        self._progress.start()

    def show(self, done: int, seconds: float, left: float | None, work: Mapping[str, Work]) -> None:
        """Show what there is now; see ``Lines.show``."""
        time_left = f", about {duration(left)} left" if left is not None and done < self._total else ""
        what = f"{done} of {self._total} recordings"
        self._progress.update(self._all, description=what, completed=done, time=duration(seconds) + time_left)
        for stage, task in self._stages.items():
            if stage in work:
                of = work[stage]
                finished = min(of.finished, self._total)
                waits = of.is_loading and not finished
                does = f"loading {_MODELS[stage]}" if waits else f"{_DOES[stage]} {finished} of {self._total}"
                total = None if waits else self._total
                self._progress.update(task, description=does, total=total, completed=finished, visible=True)

    def end(self) -> None:
        """Leave the last state on the terminal."""
        self._progress.stop()


def duration(seconds: float) -> str:
    """Say a duration as exactly as anybody wants to know it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
