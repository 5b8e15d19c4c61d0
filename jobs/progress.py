"""Progress of long tasks: a bar on a terminal, otherwise a line for each 10 %."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Item = TypeVar("Item")


def track(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yield items and show how many are done and how much time is left.

    Args:
        items: Yields each item when it is finished.
        total: Total number of items.
        what: Plural noun for the items.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as progress:
            yield from progress.track(items, total=total)
        return
    start = time.perf_counter()
    for done, item in enumerate(items, start=1):
        if done * 10 // total > (done - 1) * 10 // total:
            console.print(f"{done} of {total} {what}, {time.perf_counter() - start:.0f} s", highlight=False)
        yield item


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Say what the body does: live on a terminal, otherwise by a line.

    Args:
        what: Such as "starting Ray".
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(what, highlight=False, soft_wrap=True)
    with console.status(what):
        yield


@contextmanager
def repeating(do: Callable[[], None], every_s: float = 1.0) -> Iterator[None]:
    """Call a function again and again, in a thread, while the body runs.

    Args:
        do: The function.
        every_s: Seconds between two calls.
    """
    done = threading.Event()

    def repeat() -> None:
        while not done.wait(every_s):
            do()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def follow(files: Mapping[str, Path]) -> Iterator[None]:
    """Show the progress of trainings while the body runs: live on a terminal, otherwise a line for each 10 %.

    Args:
        files: Progress file that each training writes with ``tuning.progress``, by the training's name.
    """
    console = Console(stderr=True)
    tenths = dict.fromkeys(files, -1)

    def show() -> None:
        lines = []
        for what, file in files.items():
            try:
                state = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            lines.append(f"{what}: {_describe(state)}")
            tenth = state["step"] * 10 // state["steps"]
            if not console.is_terminal and tenth > tenths[what]:
                tenths[what] = tenth
                console.print(lines[-1], highlight=False, soft_wrap=True)
        if lines:
            status.update("\n".join(lines))

    with console.status("starting") as status, repeating(show):
        yield


def _describe(state: Mapping[str, Any]) -> str:
    values = [
        f"{name.replace('_', ' ')} {state[name]:.3f}" for name in state if name.split("_")[0] in ("train", "valid")
    ]
    if state["seconds_left"] is not None:
        minutes, seconds = divmod(round(state["seconds_left"]), 60)
        values.append(f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left")
    return ", ".join([f"epoch {state['epoch']:.0f}, step {state['step']} of {state['steps']}", *values])
