"""Progress of long work: a bar on a terminal, a line for each tenth elsewhere."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

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
