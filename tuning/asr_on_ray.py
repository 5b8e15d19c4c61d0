"""Parakeet's training on a Ray cluster: a worker for each GPU, and new workers in place of dead ones."""

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UserError, WithoutTextError, only_without_text
from tuning.settings import AsrSettings

CHECKPOINTS = "checkpoints"
"""Name of the checkpoints' folder in the out folder; Ray Train finds there what it goes on from."""


class TrainedAsr(NamedTuple):
    """A finished training.

    Attributes:
        chosen: Values of the chosen checkpoint, as ``tuning.asr_validation.Report`` gets them.
        kept: Values of all checkpoints that are kept, the best first.
        metrics: Rows of ``tuning.curves.METRICS``.
        workers: Number of processes that trained.
    """

    chosen: dict[str, float]
    kept: list[dict[str, float]]
    metrics: pa.Table
    workers: int

    def card(self) -> dict[str, Any]:
        """Return what ``card.json`` holds of the training: choice, error rates, seconds and peak memory."""
        rows = self.metrics.to_pylist()
        before = {row["name"]: row["value"] for row in rows if row["step"] == 0}
        memory = [row["value"] for row in rows if row["name"] == "gpu_memory_gib"]
        return {
            "chosen": self.chosen,
            "chosen_by": "valid_wer" if self.chosen["score"] < 1 else "valid_loss, as no checkpoint has a WER below 1",
            "before": {name: before[name] for name in ("valid_wer", "valid_loss") if name in before},
            "kept": self.kept,
            "steps": max(row["step"] for row in rows),
            "training_seconds": round(max(row["seconds"] for row in rows), 1),
            "workers": self.workers,
            "gpu_memory_gib": round(max(memory), 2) if memory else None,
        }


def epochs_done(out: Path) -> int:
    """Return the epoch from which an interrupted training in a folder goes on; 0 where it begins."""
    names = [folder.name for folder in (out / CHECKPOINTS).glob("epoch-*")]
    return max((int(name.removeprefix("epoch-")) for name in names), default=0)


def train(model_file: Path, manifests: Path, settings: AsrSettings, out: Path) -> TrainedAsr:
    """Train, or go on with an interrupted training, and write ``parakeet.nemo``.

    Args:
        model_file: The .nemo file to begin with.
        manifests: Folder of ``train.jsonl`` and ``valid.jsonl``.
        settings: The settings.
        out: Folder of the training, which every node sees.

    Raises:
        UserError: The workers failed again and again.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    import ray
    from ray import train as ray_train
    from ray.train.torch import TorchTrainer

    gpus = int(ray.cluster_resources().get("GPU", 0))
    workers = max(1, gpus)
    trainer = TorchTrainer(
        _worker,
        train_loop_config={"model_file": model_file, "manifests": manifests, "settings": settings, "out": out},
        scaling_config=ray_train.ScalingConfig(num_workers=workers, use_gpu=gpus > 0),
        run_config=ray_train.RunConfig(
            name=CHECKPOINTS,
            storage_path=str(out),
            checkpoint_config=ray_train.CheckpointConfig(
                num_to_keep=settings.keep, checkpoint_score_attribute="score", checkpoint_score_order="min"
            ),
            failure_config=ray_train.FailureConfig(max_failures=2),
        ),
    )
    try:
        result = trainer.fit()
    except SystemExit:  # Ray Train ends so when it is interrupted
        raise KeyboardInterrupt from None
    except ray_train.TrainingFailedError as error:
        raise UserError(_why(error)) from None
    found = sorted(result.best_checkpoints or [], key=lambda it: (it[1]["score"], it[1]["step"]))
    best, chosen = found[0]
    # In a process of its own, so that the driver never holds the model.
    ray.get(ray.remote(num_cpus=1, max_calls=1)(_export).remote(model_file, Path(best.path), out / "parakeet.nemo"))
    last, _ = max(found, key=lambda it: it[1]["step"])
    metrics = pq.read_table(f"{last.path}/metrics.parquet")
    return TrainedAsr(chosen, [values for _, values in found[: settings.keep]], metrics, workers)


def _why(error: Exception) -> str:
    """Say why a training failed: with the sentence of a user's mistake, else with the classes of the errors."""
    controller = getattr(error, "controller_failure", error)  # such as Ray's own OutOfMemoryError
    failures = getattr(error, "worker_failures", {}) or {0: controller}
    causes = [getattr(failure, "cause", None) or failure for failure in failures.values()]
    if sentences := sorted({str(cause) for cause in causes if isinstance(cause, UserError)}):
        return sentences[0]
    names = sorted({str(c) if isinstance(c, WithoutTextError) else type(c).__name__ for c in causes})
    is_memory = any(name.startswith("OutOfMemoryError") for name in names)
    memory = " A smaller --batch-size or --batch-seconds takes less memory." * is_memory
    return (
        f"The training failed ({', '.join(names)}).{memory} What it reached is kept: the same command goes on from "
        "there."
    )


@only_without_text()
def _worker(config: dict[str, Any]) -> None:
    from ray import train as ray_train
    from ray.train import CheckpointUploadMode
    from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment

    from tuning.asr import fit

    def report(values: dict[str, float], folder: Path | None) -> None:
        checkpoint = folder and ray_train.Checkpoint.from_directory(folder)
        # It lies where Ray Train keeps it, and is neither copied nor held a second time.
        ray_train.report(values, checkpoint, checkpoint_upload_mode=CheckpointUploadMode.NO_UPLOAD)

    checkpoint = ray_train.get_checkpoint()
    fit(
        **config,
        report=report,
        checkpoints=Path(ray_train.get_context().get_storage().experiment_fs_path),
        resume=checkpoint and Path(checkpoint.path),
        devices="auto",
        strategy=RayDDPStrategy(find_unused_parameters=True, gradient_as_bucket_view=True),
        plugins=[RayLightningEnvironment()],
    )


def _export(model_file: Path, checkpoint: Path, file: Path) -> None:
    from tuning.asr import export

    export(model_file, checkpoint, file)
