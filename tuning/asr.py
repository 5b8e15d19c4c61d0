"""Fine-tuning of Parakeet: NeMo's model and data, trained by Lightning.

``fit`` knows nothing of Ray and runs in a plain process; ``tuning.asr_on_ray`` runs it on a cluster.
"""

import logging
import math
from pathlib import Path
from typing import Any

import torch

from pipeline.speech.audio import SAMPLE_RATE
from tuning.asr_validation import Report, Validation
from tuning.settings import AsrSettings
from tuning.tdt_loss import replace_loss

_PRECISIONS: dict[str, Any] = {"float32": "32-true", "bfloat16": "bf16-mixed"}  # Lightning's names
_MASKS = "nemo.collections.asr.modules.SpectrogramAugmentation"
_BUCKETS = 30


def fit(
    model_file: Path,
    manifests: Path,
    settings: AsrSettings,
    report: Report,
    out: Path,
    checkpoints: Path,
    resume: Path | None = None,
    **trainer_options: Any,
) -> None:
    """Train on ``train.jsonl`` and validate on ``valid.jsonl`` after every epoch.

    Args:
        model_file: The .nemo file to begin with; the new model keeps its tokenizer.
        manifests: Folder of the two manifests.
        settings: The settings.
        report: Called after every epoch, in every process of the training; see ``tuning.asr_validation``.
        out: Folder for ``tensorboard/`` and ``progress.json``.
        checkpoints: Folder that gets one of each epoch; they take three times the model's weights each.
        resume: Folder of a checkpoint to go on from, as ``report`` got it.
        trainer_options: Further arguments of Lightning's Trainer, such as a strategy for several processes.
    """
    import lightning.pytorch as pl

    model = load(model_file)
    options: dict[str, Any] = {"devices": 1} | trainer_options
    trainer = pl.Trainer(
        max_epochs=settings.epochs,
        precision=_PRECISIONS[settings.dtype],
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10**9,  # NeMo would transcribe a training batch each time
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.accumulate_grad_batches = max(1, settings.accumulation // trainer.world_size)
    pl.seed_everything(settings.seed, verbose=False)
    model.set_trainer(trainer)
    model.world_size = trainer.world_size  # NeMo sets it only in models that are made with a trainer
    replace_loss(model)
    model.compute_eval_loss = True  # NVIDIA's models have it off; then validation has no loss
    model.wer.log_prediction = False
    masks = {key: getattr(settings, key) for key in ("freq_masks", "freq_width", "time_masks", "time_width")}
    model.spec_augmentation = model.from_config_dict({"_target_": _MASKS, **masks})
    model.setup_training_data(data(manifests / "train.jsonl", settings, train=True))
    model.setup_validation_data(data(manifests / "valid.jsonl", settings, train=False))
    batches = count_batches(model.train_dataloader())
    steps = settings.epochs * math.ceil(batches / trainer.accumulate_grad_batches)
    model.setup_optimization(_optimizer(settings, steps))
    validation = Validation(settings, report, out, checkpoints, resume, steps, batches)
    trainer.callbacks.append(validation)  # type: ignore[attr-defined]
    if resume is None:
        trainer.validate(model, verbose=False)
    trainer.fit(model, ckpt_path=resume and str(resume / "checkpoint.ckpt"))


def load(model_file: Path) -> Any:
    """Load a .nemo file, on the CPU."""
    from nemo.collections.asr.models import ASRModel
    from nemo.utils import logging as nemo_logging

    nemo_logging.set_verbosity(nemo_logging.ERROR)
    for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return ASRModel.restore_from(str(model_file), map_location=torch.device("cpu"))


def export(model_file: Path, checkpoint: Path, file: Path) -> None:
    """Write the model of ``model_file`` with the weights of a checkpoint and nothing else changed.

    Args:
        model_file: The .nemo file that the training began with.
        checkpoint: Folder of the checkpoint.
        file: The new .nemo file.
    """
    model = load(model_file)
    saved = torch.load(checkpoint / "checkpoint.ckpt", map_location="cpu", weights_only=False, mmap=True)
    model.load_state_dict(saved["state_dict"])
    save(model, file)


def save(model: Any, file: Path) -> None:
    """Write a model as a .nemo file, which appears whole or not at all."""
    unfinished = file.with_name(f"unfinished-{file.name}")
    model.save_to(str(unfinished))
    unfinished.replace(file)


def count_batches(loader: Any) -> int:
    """Count the batches of the first epoch without reading audio; those of later epochs differ by a few at most."""
    loader.sampler.set_epoch(0)
    return sum(1 for _ in loader.sampler)


def data(manifest: Path, settings: AsrSettings, train: bool) -> dict[str, Any]:
    """Return NeMo's configuration of a data loader with Lhotse's samplers.

    All GPUs get the same number of batches, and an epoch has the same batches in every run. Where recordings run out
    before the last batches, some take part twice.
    """
    batches: dict[str, Any] = {"batch_size": settings.batch_size}
    if settings.batch_seconds:
        batches |= {"batch_duration": settings.batch_seconds, "use_bucketing": train, "num_buckets": _BUCKETS}
    return batches | {
        "use_lhotse": True,
        "manifest_filepath": str(manifest),
        "sample_rate": SAMPLE_RATE,
        "min_duration": settings.min_duration_s,
        "max_duration": settings.max_duration_s,
        "shuffle": train,
        "seed": settings.seed,
        "shard_seed": settings.seed,
        "force_finite": True,
        "concurrent_bucketing": False,
        "pretokenize": False,
        "num_workers": settings.loaders,
        "pin_memory": torch.cuda.is_available(),
    }


def _optimizer(settings: AsrSettings, steps: int) -> dict[str, Any]:
    return {
        "name": "adamw",
        "lr": settings.learning_rate,
        "betas": list(settings.betas),
        "weight_decay": settings.weight_decay,
        "fused": torch.cuda.is_available(),  # or AdamW takes the memory of all weights once more, in each step
        "sched": {
            "name": "CosineAnnealing",
            "max_steps": steps,
            "warmup_steps": min(settings.warmup_steps, int(settings.warmup_share * steps)),
            "min_lr": settings.min_learning_rate,
        },
    }
