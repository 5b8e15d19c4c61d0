"""The metrics of a training: a table, a picture, and logs for TensorBoard."""

import math
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import tables

METRICS = tables.schema("step: int64, epoch: float64, name: string, value: float64, seconds: float64")
"""One value: the optimizer steps and epochs before it, its name (train_loss, valid_loss, valid_wer, learning_rate,
gpu_memory_gib, gpu_utilization), and when it was measured (seconds since the training began)."""


class Metrics:
    """The metrics of one training: the one place that writes them, as rows and for TensorBoard.

    Every checkpoint holds the rows so far; a training that goes on from it begins with them.

    Args:
        tensorboard: Folder for TensorBoard's logs.
        rows: Rows of ``METRICS`` that were written before the checkpoint.

    Attributes:
        rows: Rows of ``METRICS``.
    """

    def __init__(self, tensorboard: Path, rows: Iterable[dict[str, Any]] = ()) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.rows = list(rows)
        self._writer = SummaryWriter(str(tensorboard))
        self._begun = time.perf_counter() - max((row["seconds"] for row in self.rows), default=0.0)

    def add(self, step: int, epoch: float, **values: float) -> None:
        """Write values by name, measured after the same step; values that are not finite are left out."""
        seconds = time.perf_counter() - self._begun
        for name, value in values.items():
            if math.isfinite(value):
                self.rows.append({"step": step, "epoch": epoch, "name": name, "value": value, "seconds": seconds})
                self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def table(self) -> pa.Table:
        """Return all rows as a table."""
        return tables.from_rows(self.rows, METRICS)


def lowest(metrics: pa.Table, name: str) -> tuple[int, float]:
    """Return the step and the value where a metric is lowest, of equal values the first.

    Raises:
        ValueError: There is no such metric.
    """
    return min(
        ((row["step"], row["value"]) for row in metrics.to_pylist() if row["name"] == name), key=lambda it: it[1]
    )


def summary(metrics: pa.Table) -> dict[str, Any]:
    """Return the lowest ``valid_loss`` with its ``step`` and ``epoch``, the number of ``epochs``, and ``seconds``.

    Args:
        metrics: Rows of ``METRICS`` of a whole training.
    """
    step, loss = lowest(metrics, "valid_loss")
    epochs = {row["step"]: row["epoch"] for row in metrics.to_pylist() if row["name"] == "valid_loss"}
    chosen = {"valid_loss": loss, "step": step, "epoch": epochs[step], "epochs": max(epochs.values())}
    return {**chosen, "seconds": round(max(metrics["seconds"].to_pylist()), 1)}


def draw(metrics: pa.Table, chosen: int, title: str, file: Path) -> None:
    """Draw losses and error rates over the steps, with the chosen checkpoint marked.

    Args:
        metrics: Rows of ``METRICS``.
        chosen: Step of the chosen checkpoint.
        title: Title of the picture.
        file: The picture, a PNG.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel="step", ylabel="loss")
    rows = metrics.to_pylist()
    colours = {"train_loss": "tab:blue", "valid_loss": "tab:orange", "valid_wer": "tab:green"}
    of_metric = {name: [(row["step"], row["value"]) for row in rows if row["name"] == name] for name in colours}
    shown = []
    for name, points in of_metric.items():
        if points:
            on = axes if name.endswith("loss") else axes.twinx()
            marker = "." if name.startswith("valid") else None
            shown += on.plot(
                *zip(*points, strict=True), label=name.replace("_", " "), color=colours[name], marker=marker
            )
            on.set_ylim(bottom=0)
            if on is not axes:
                on.set_ylabel("WER")
    shown.append(axes.axvline(chosen, color="grey", linestyle="--", label=f"chosen checkpoint, step {chosen}"))
    axes.legend(handles=shown)
    axes.grid(alpha=0.3)
    figure.savefig(file, format="png", dpi=120)


def gpu_sample() -> dict[str, float]:
    """Return the peak memory of this process since its training began (GiB) and the GPU's utilization (0 to 1).

    Empty without a GPU, and without the utilization where the driver does not report it.
    """
    import torch
    from pynvml import NVMLError

    if not torch.cuda.is_available():
        return {}
    values = {"gpu_memory_gib": torch.cuda.max_memory_allocated() / 2**30}
    with suppress(NVMLError, RuntimeError):  # the driver does not report that of a slice
        values["gpu_utilization"] = torch.cuda.utilization() / 100
    return values
