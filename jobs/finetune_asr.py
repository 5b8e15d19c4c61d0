"""Fine-tune Parakeet on the recordings that jobs.prepare made ready.

python -m jobs.finetune_asr --manifests FOLDER --out FOLDER [--profile demo|rtx4090|reference]
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from jobs.command_line import check_local, check_paths, connect_to_ray, parse, run_job
from jobs.folders import names_in, take_up
from jobs.progress import follow
from pipeline import models, tables
from pipeline.errors import UserError
from pipeline.run_folder import write_json
from tuning import curves, manifests
from tuning.asr_on_ray import CHECKPOINTS, Trained, train
from tuning.progress import FILE as PROGRESS
from tuning.settings import ASR_PROFILES, Asr, check_asr

OPTIONS = "training.json"
CARD = "card.json"

_MADE_HERE = [CHECKPOINTS, "parakeet.nemo", "metrics", "tensorboard", "curves.png", PROGRESS]


@dataclass(frozen=True)
class FinetuneAsr:
    """Fine-tune Parakeet on the recordings that jobs.prepare made ready.

    The out folder gets parakeet.nemo, which jobs.predict takes as --parakeet, card.json (data, settings, error rates,
    seconds, memory), the metrics as Parquet, curves.png, TensorBoard's logs and the best checkpoints. After every epoch
    the model is validated; the checkpoint with the lowest word error rate becomes parakeet.nemo. An interrupted
    training goes on from its last checkpoint when the same command is given again.
    """

    manifests: str
    """Folder with train.jsonl and valid.jsonl: manifests/ in the out folder of jobs.prepare."""

    out: str
    """Folder for the results; on a cluster, on storage that every node mounts."""

    profile: str = "demo"
    """Set of values for all settings below: demo (a small model, CPU), rtx4090 (one 24 GB card) or reference (the
    reference method's settings). The defaults shown are those of the profile given."""

    overwrite: bool = False
    """Replace the training that the out folder holds."""

    settings: Annotated[Asr, tyro.conf.arg(name="")] = field(default_factory=Asr)


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.finetune_asr --help``."""
    start = time.perf_counter()
    job = parse(FinetuneAsr, arguments, "python -m jobs.finetune_asr", ASR_PROFILES)
    settings = job.settings
    folder, out = check_local("--manifests", job.manifests), check_local("--out", job.out)
    if Path(settings.parakeet).exists():
        check_paths({"--parakeet": settings.parakeet})
    check_asr(settings)
    data = manifests.check(folder, settings.min_duration_s, settings.max_duration_s)
    model_file = models.locate_parakeet(settings.parakeet)
    names_in(job.out, OPTIONS)
    options = {
        "settings": asdict(settings) | {"parakeet": str(model_file)},
        "sha256": {file.name: _sha256(file) for file in (model_file, folder / "train.jsonl", folder / "valid.jsonl")},
    }
    if take_up(job.out, OPTIONS, CARD, _MADE_HERE, options, job.overwrite):
        print("Going on with an interrupted training.")

    (out / PROGRESS).unlink(missing_ok=True)
    connect_to_ray()
    import ray.train

    with follow({"Parakeet": out / PROGRESS}):
        try:
            trained = train(model_file, folder, settings, out)
        except SystemExit:  # Ray Train ends so when it is interrupted
            raise KeyboardInterrupt from None
        except ray.train.TrainingFailedError as error:
            raise UserError(
                f"The training failed {_why(error)} What it reached is kept: the same command goes on from there."
            ) from None
    card = _card(options, data, trained, time.perf_counter() - start)
    tables.write(trained.metrics, str(out / "metrics"))
    curves.draw(trained.metrics, int(trained.chosen["step"]), "Parakeet", out / "curves.png")
    (out / PROGRESS).unlink(missing_ok=True)
    write_json(str(out / CARD), card)
    _print(out, card)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _why(error: Exception) -> str:
    causes = getattr(error, "worker_failures", {}) or {0: error}
    names = sorted({type(getattr(cause, "cause", None) or cause).__name__ for cause in causes.values()})
    room = (
        " With a smaller --batch-size or --batch-seconds it takes less memory." if "OutOfMemoryError" in names else ""
    )
    return f"({', '.join(names)}).{room}"


def _card(
    options: Mapping[str, Any], data: Mapping[str, manifests.Counts], trained: Trained, seconds: float
) -> dict[str, Any]:
    rows = trained.metrics.to_pylist()
    before = {row["name"]: row["value"] for row in rows if row["step"] == 0}
    memory = [row["value"] for row in rows if row["name"] == "gpu_memory_gib"]
    return {
        "data": {split: counts._asdict() for split, counts in data.items()},
        "chosen": trained.chosen,
        "chosen_by": "valid_wer" if trained.chosen["score"] < 1 else "valid_loss, as no checkpoint has a WER below 1",
        "before": {name: before[name] for name in ("valid_wer", "valid_loss") if name in before},
        "kept": trained.kept,
        "steps": max(row["step"] for row in rows),
        "training_seconds": round(max(row["seconds"] for row in rows), 1),
        "job_seconds": round(seconds, 1),
        "workers": trained.workers,
        "gpu_memory_gib": round(max(memory), 2) if memory else None,
        **options,
    }


def _print(out: Path, card: Mapping[str, Any]) -> None:
    chosen, before = card["chosen"], card["before"].get("valid_wer", float("nan"))
    print(
        f"Validation WER {before:.3f} before, {chosen['valid_wer']:.3f} after epoch {chosen['epoch']:.0f}, the "
        f"checkpoint chosen by {card['chosen_by']}; {card['steps']} steps in {card['training_seconds']:.0f} s: {out}"
    )
    if chosen["valid_wer"] >= before:
        print("The model to begin with was not worse: keep it, or train otherwise.")


if __name__ == "__main__":
    run_job(main)
