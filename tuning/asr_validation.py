"""After every validation of Parakeet: metrics, the score that chooses the checkpoint, and the end of the training."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pyarrow.parquet as pq

from tuning.curves import Metrics, gpu_sample
from tuning.progress import Progress
from tuning.settings import AsrSettings

Report = Callable[[dict[str, float], Path | None], None]
"""Gets an epoch's ``score``, ``valid_wer``, ``valid_loss``, ``epoch`` and ``step``, and the checkpoint's folder with
``checkpoint.ckpt`` and ``metrics.parquet``, which stays. Only the first process gets the folder."""

_EVERY_STEPS = 10
"""Steps of the optimizer between two values of the training's loss."""


def checkpoint_score(wer: float, loss: float) -> float:
    """Return the number by which checkpoints are compared, the lower the better.

    A model that writes nothing has a WER of exactly 1, and a model that begins to learn is often above it. So only a
    WER below 1 counts; checkpoints with a higher one come after all others, in the order of their validation loss.
    """
    if wer < 1:
        return wer
    return 1 + loss if math.isfinite(loss) else math.inf


class Validation(pl.Callback):
    """Writes losses and error rates, ends a training that no longer gets better, and hands on checkpoints.

    Args:
        settings: ``seed`` and ``patience``.
        report: See ``Report``.
        out: Folder for ``tensorboard/`` and ``progress.json``.
        checkpoints: Folder that the checkpoints are written to, each whole or not at all.
        resume: Folder of the checkpoint that the training goes on from.
        steps: Steps of the optimizer in the whole training.
        batches: Batches in an epoch.
    """

    def __init__(
        self,
        settings: AsrSettings,
        report: Report,
        out: Path,
        checkpoints: Path,
        resume: Path | None,
        steps: int,
        batches: int,
    ) -> None:
        self._settings, self._report, self._out, self._resume = settings, report, out, resume
        self._checkpoints = checkpoints
        self._steps, self._batches = steps, batches
        self._best, self._waited = math.inf, 0
        self._losses: list[float] = []
        self._noted = 0

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        if trainer.is_global_zero and not hasattr(self, "_metrics"):
            rows = pq.read_table(self._resume / "metrics.parquet").to_pylist() if self._resume else []
            self._metrics = Metrics(self._out / "tensorboard", rows)
            self._progress = Progress(self._out, self._steps)

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._noted = trainer.global_step
        trainer.should_stop = self._is_out_of_patience()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        # An epoch draws the same random numbers whether or not the training was interrupted before it.
        pl.seed_everything(self._settings.seed + 1000 * trainer.current_epoch + trainer.global_rank, verbose=False)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if not trainer.is_global_zero:
            return
        self._losses.append(outputs["loss"].detach() * trainer.accumulate_grad_batches)
        if trainer.global_step >= self._noted + _EVERY_STEPS:
            self._note_losses(trainer, trainer.current_epoch + min(1.0, (batch_idx + 1) / self._batches))
        self._progress.show(trainer.global_step, epoch=trainer.current_epoch + 1)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.is_global_zero:
            epoch = float(trainer.current_epoch + (trainer.state.fn == "fit"))
            values = {f"valid_{name}": float(trainer.callback_metrics[f"val_{name}"]) for name in ("loss", "wer")}
            self._metrics.add(trainer.global_step, epoch, **values)
            self._progress.note(valid_wer=values["valid_wer"])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        wer, loss = (float(trainer.callback_metrics[name]) for name in ("val_wer", "val_loss"))
        found = checkpoint_score(wer, loss)
        self._waited = 0 if found < self._best else self._waited + 1
        self._best = min(self._best, found)
        trainer.should_stop = trainer.should_stop or self._is_out_of_patience()
        values = {"score": found, "valid_wer": wer, "valid_loss": loss}
        values |= {"epoch": trainer.current_epoch + 1, "step": trainer.global_step}
        unfinished = self._checkpoints / "unfinished"
        folder = self._checkpoints / f"epoch-{trainer.current_epoch + 1:04}"
        if trainer.is_global_zero:
            for left in (unfinished, folder):  # by a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            unfinished.mkdir(parents=True)
        trainer.save_checkpoint(unfinished / "checkpoint.ckpt")
        if trainer.is_global_zero:
            if self._losses:
                self._note_losses(trainer, trainer.current_epoch + 1.0)
            pq.write_table(self._metrics.table(), unfinished / "metrics.parquet")
            unfinished.rename(folder)
        self._report(values, folder if trainer.is_global_zero else None)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "waited": self._waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._best, self._waited = state["best"], state["waited"]

    def _is_out_of_patience(self) -> bool:
        return 0 < self._settings.patience <= self._waited

    def _note_losses(self, trainer: pl.Trainer, epoch: float) -> None:
        loss = sum(map(float, self._losses)) / len(self._losses)
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self._metrics.add(trainer.global_step, epoch, train_loss=loss, learning_rate=rate, **gpu_sample())
        self._progress.note(train_loss=loss)
        self._losses, self._noted = [], trainer.global_step
