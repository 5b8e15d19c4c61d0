"""The progress of a training: its worker writes a small file, and the job shows it."""

import json
import time
from pathlib import Path

from pipeline.files import write_text

FILE = "progress.json"


class Progress:
    """Writes ``progress.json`` at most once a second.

    Args:
        out: Folder of the training, which worker and job see.
        steps: Steps of the whole training.
    """

    def __init__(self, out: Path, steps: int) -> None:
        self._file, self._steps = out / FILE, steps
        self._begun: tuple[float, int] | None = None
        self._written = 0.0
        self._values: dict[str, float] = {}

    def note(self, **values: float) -> None:
        """Add values that every later file holds too."""
        self._values |= values

    def show(self, step: int, **values: float) -> None:
        """Write the file, unless it was written within the last second.

        Args:
            step: Steps done.
            values: Further values of this file.
        """
        now = time.monotonic()
        begun, first = self._begun = self._begun or (now, step)
        if now < self._written + 1.0:
            return
        self._written = now
        left = (now - begun) / (step - first) * max(0, self._steps - step) if step > first else None
        state = {"step": step, "steps": self._steps, "seconds_left": left} | self._values | values
        write_text(str(self._file), json.dumps(state))
