"""Progress of a search: how many trials are done, which are at work, and the best so far."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from jobs.progress import repeating
from jobs.run_progress import duration
from tuning.search_space import MODES, Objective


@contextmanager
def follow_search(group: str, total: int, folder: Path, objective: Objective) -> Iterator[None]:
    """Show the progress of a search while the body runs: live on a terminal, otherwise a line for each trial.

    Args:
        group: The entity group.
        total: Number of trials.
        folder: Folder of the trials' files, see ``tuning.study``.
        objective: By what the best one is chosen.
    """
    from tuning import study

    console, start = Console(stderr=True), time.perf_counter()
    shown = -1

    def show() -> None:
        nonlocal shown
        trials = study.read(folder)
        done = [trial for trial in trials if trial.finished]
        values = [epoch[objective] for trial in done for epoch in trial.epochs]
        line = f"{group}: {len(done)} of {total} trials, {duration(time.perf_counter() - start)}"
        if values:
            best = min(values) if MODES[objective] == "min" else max(values)
            line += f", best {objective.replace('_', ' ')} {best:.4g}"
        at_work = [trial for trial in trials if not trial.finished]
        if at_work:
            line += f" (at work: {', '.join(f'epoch {len(trial.epochs) + 1}' for trial in at_work)})"
        status.update(line)
        if not console.is_terminal and len(done) != shown:
            shown = len(done)
            console.print(line, highlight=False, soft_wrap=True)

    with console.status(f"{group}: 0 of {total} trials") as status, repeating(show):
        yield
    if not console.is_terminal:
        show()
