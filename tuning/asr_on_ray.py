"""Parakeet's training on a Ray cluster: a worker for each GPU, and new workers for dead ones."""

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from tuning.settings import Asr

CHECKPOINTS = "checkpoints"
"""Folder of checkpoints within a training's own, by which Ray Train knows what it goes on from."""


class Trained(NamedTuple):
    """What a training found.

    Attributes:
        chosen: The chosen checkpoint's values, as ``tuning.asr_reports.Report`` gets them.
        kept: Those of all checkpoints that are kept, the best first.
        metrics: Rows of ``tuning.curves.METRICS``.
        workers: How many processes trained.
    """

    chosen: dict[str, float]
    kept: list[dict[str, float]]
    metrics: pa.Table
    workers: int


def train(model_file: Path, manifests: Path, settings: Asr, out: Path) -> Trained:
    """Train, or go on with an interrupted training, and write ``parakeet.nemo``.

    Args:
        model_file: The .nemo file to begin with.
        manifests: Folder of ``train.jsonl`` and ``valid.jsonl``.
        settings: All knobs.
        out: Folder of the training, which every node sees.

    Raises:
        ray.train.TrainingFailedError: Workers failed more often than could be mended.
    """
    import ray
    from ray import train as ray_train
    from ray.train.torch import TorchTrainer

    gpus = int(ray.cluster_resources().get("GPU", 0))
    workers = max(1, gpus)
    result = TorchTrainer(
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
    ).fit()
    found = sorted(result.best_checkpoints or [], key=lambda it: (it[1]["score"], it[1]["step"]))
    best, chosen = found[0]
    # In a process of its own: the driver need not hold the model.
    ray.get(ray.remote(num_cpus=1)(_export).remote(model_file, Path(best.path), out / "parakeet.nemo"))
    last, _ = max(found, key=lambda it: it[1]["step"])
    metrics = pq.read_table(f"{last.path}/metrics.parquet")
    return Trained(chosen, [values for _, values in found[: settings.keep]], metrics, workers)


def _worker(config: dict[str, Any]) -> None:
    from ray import train as ray_train
    from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment

    from tuning.asr import fit

    def report(values: dict[str, float], folder: Path | None) -> None:
        ray_train.report(values, checkpoint=folder and ray_train.Checkpoint.from_directory(folder))

    checkpoint = ray_train.get_checkpoint()
    fit(
        **config,
        report=report,
        resume=checkpoint and Path(checkpoint.path),
        devices="auto",
        strategy=RayDDPStrategy(find_unused_parameters=True),
        plugins=[RayLightningEnvironment()],
    )


def _export(model_file: Path, checkpoint: Path, file: Path) -> None:
    from tuning.asr import export

    export(model_file, checkpoint, file)
