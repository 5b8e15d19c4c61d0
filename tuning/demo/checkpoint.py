"""Checkpoints of the first trainings, which all go on where they were stopped."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


class Checkpoint:
    """A file with everything that a training needs to go on.

    Args:
        file: Where it is; nothing is half written.
        parts: What is saved and loaded by name: the model, the optimizer, a schedule.
    """

    def __init__(self, file: Path, parts: Mapping[str, Any]):
        self._file, self._parts = file, parts
        self.step = 0
        """Steps that are done."""
        spent = 0.0
        if file.is_file():
            saved = torch.load(file, weights_only=True)
            for name, part in parts.items():
                part.load_state_dict(saved[name])
            self.step, spent = saved["step"], saved["seconds"]
        self._start = time.perf_counter() - spent

    @property
    def seconds(self) -> float:
        """How long the training took so far, what was done before an interruption included."""
        return time.perf_counter() - self._start

    def save(self, step: int) -> None:
        """Save all parts after a step."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._file.with_suffix(".unfinished")
        states = {name: part.state_dict() for name, part in self._parts.items()}
        torch.save(states | {"step": step, "seconds": self.seconds}, unfinished)
        unfinished.replace(self._file)
        self.step = step
