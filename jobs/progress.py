"""Progress of long work: a bar on a terminal, a line for each tenth elsewhere."""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Item = TypeVar("Item")


def track(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Hand the items on and show how many of them are done, with the time left.

    Args:
        items: What is finished, as it is finished.
        total: How many there will be.
        what: The word for them, in the plural.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as progress:
            yield from progress.track(items, total=total)
        return
    start = time.perf_counter()
    for done, item in enumerate(items, start=1):
        if done * 10 // total > (done - 1) * 10 // total:
            console.print(f"{done} of {total} {what}, {time.perf_counter() - start:.0f} s", highlight=False)
        yield item


@contextmanager
def follow(file: Path, what: str) -> Iterator[None]:
    """Show how far a training is while the body waits for it: one live line on a terminal, a line a tenth elsewhere.

    Args:
        file: What the training writes with ``tuning.progress``.
        what: What is trained.
    """
    console = Console(stderr=True)
    done = threading.Event()

    def show() -> None:
        tenth = -1
        with console.status(f"{what}: starting") as status:
            while not done.wait(1.0):
                try:
                    state = json.loads(file.read_text(encoding="utf-8"))
                except (OSError, ValueError):
                    continue
                line = f"{what}: {_describe(state)}"
                status.update(line)
                if not console.is_terminal and state["step"] * 10 // state["steps"] > tenth:
                    tenth = state["step"] * 10 // state["steps"]
                    console.print(line, highlight=False, soft_wrap=True)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _describe(state: Mapping[str, Any]) -> str:
    values = [
        f"{name.replace('_', ' ')} {state[name]:.3f}" for name in state if name.split("_")[0] in ("train", "valid")
    ]
    if state["seconds_left"] is not None:
        minutes, seconds = divmod(round(state["seconds_left"]), 60)
        values.append(f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left")
    return ", ".join([f"epoch {state['epoch']:.0f}, step {state['step']} of {state['steps']}", *values])
