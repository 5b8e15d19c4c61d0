"""How far a training is: its worker writes a small file, its driver shows it."""

import json
import os
import time
from pathlib import Path

FILE = "progress.json"


class Progress:
    """Writes ``progress.json`` at most once a second.

    Args:
        out: Folder of the training, which worker and driver see.
        steps: Steps of the whole training.
    """

    def __init__(self, out: Path, steps: int) -> None:
        self._file, self._steps = out / FILE, steps
        self._begun: tuple[float, int] | None = None
        self._written = 0.0
        self._values: dict[str, float] = {}

    def note(self, **values: float) -> None:
        """Show these values too from now on."""
        self._values |= values

    def show(self, step: int, **values: float) -> None:
        """Tell how far the training is."""
        now = time.monotonic()
        begun, first = self._begun = self._begun or (now, step)
        if now < self._written + 1.0:
            return
        self._written = now
        left = (now - begun) / (step - first) * max(0, self._steps - step) if step > first else None
        state = {"step": step, "steps": self._steps, "seconds_left": left} | self._values | values
        unfinished = self._file.with_suffix(".tmp")
        unfinished.write_text(json.dumps(state), encoding="utf-8")
        os.replace(unfinished, self._file)
