"""Fine-tune Parakeet on recordings prepared by jobs.prepare.

python -m jobs.finetune_asr --manifests FOLDER --out FOLDER [--profile demo|rtx4090|reference]
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from jobs.command_line import check_local, check_paths, parse, run_job
from jobs.dry_run import print_work
from jobs.progress import follow
from jobs.ray_cluster import connect_to_ray
from jobs.run_progress import duration
from pipeline import models, tables
from pipeline.files import sha256, write_json
from pipeline.out_folder import OutFolder
from tuning import curves, manifests
from tuning.asr_on_ray import CHECKPOINTS, epochs_done, train
from tuning.progress import FILE as PROGRESS
from tuning.settings import ASR_PROFILES, AsrSettings, check_asr

STATE, CARD = "training.json", "card.json"

_MADE = [CHECKPOINTS, "parakeet.nemo", "metrics", "tensorboard", "curves.png", PROGRESS]


@dataclass(frozen=True)
class FinetuneAsr:
    """Fine-tune Parakeet on recordings prepared by jobs.prepare.

    The out folder gets parakeet.nemo, which jobs.predict takes as --parakeet, card.json (data, settings, error rates,
    seconds, memory), the metrics as Parquet, curves.png, TensorBoard's logs and the best checkpoints. The model is
    validated after every epoch; the checkpoint with the lowest word error rate becomes parakeet.nemo. An interrupted
    training goes on from its last checkpoint when the same command is given again.
    """

    manifests: str
    """Folder with train.jsonl and valid.jsonl: manifests/ in the out folder of jobs.prepare."""

    out: str
    """Folder for the results; on a cluster, on storage that every node mounts."""

    profile: str = "demo"
    """Values of the settings: demo (a small model, CPU), rtx4090 (one 24 GB card) or reference (the reference
    method's). The defaults shown below are those of the given profile."""

    dry_run: bool = False
    """Check everything and print what would be done: recordings and epochs, the model, GPUs, free disk, and what is
    finished."""

    overwrite: bool = False
    """Replace the training that the out folder holds. To go on with an interrupted one, leave it out."""

    settings: Annotated[AsrSettings, tyro.conf.arg(name="")] = field(default_factory=AsrSettings)


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.finetune_asr --help``."""
    start = time.perf_counter()
    job = parse(FinetuneAsr, arguments, "python -m jobs.finetune_asr", ASR_PROFILES)
    settings, folder = job.settings, OutFolder(job.out, STATE, CARD, _MADE)
    data_folder, out = check_local("--manifests", job.manifests), check_local("--out", job.out)
    if Path(settings.parakeet).exists():
        check_paths({"--parakeet": settings.parakeet})
    check_asr(settings)
    counts = manifests.check(data_folder, settings.min_duration_s, settings.max_duration_s)
    model_file = models.locate_parakeet(settings.parakeet)
    folder.check(job.overwrite)
    files = [model_file, *(data_folder / f"{split}.jsonl" for split in manifests.SPLITS)]
    asked: dict[str, Any] = {
        "settings": asdict(settings) | {"parakeet": str(model_file)},
        "sha256": {file.name: sha256(file) for file in files},
    }
    if resumed := folder.resume(asked, job.overwrite, job.dry_run):
        print(resumed)
    if job.dry_run:
        work = {split: _in_words(of) for split, of in counts.items()}
        work["epochs"] = f"{settings.epochs}, {epochs_done(out) if resumed else 0} of them finished"
        print_work(work, {"parakeet": str(model_file)}, ["one process on each that Ray has"], job.out)
        return

    (out / PROGRESS).unlink(missing_ok=True)
    connect_to_ray()
    with follow({"Parakeet": out / PROGRESS}):
        trained = train(model_file, data_folder, settings, out)
    (out / PROGRESS).unlink(missing_ok=True)
    tables.write(trained.metrics, str(out / "metrics"))
    curves.draw(trained.metrics, int(trained.chosen["step"]), "Parakeet", out / "curves.png")
    card = {"data": {split: of._asdict() for split, of in counts.items()}, **trained.card()}
    write_json(str(out / CARD), card | {"job_seconds": round(time.perf_counter() - start, 1), **asked})
    _print(out, card)


def _in_words(counts: manifests.Counts) -> str:
    said = f"{counts.recordings} recordings, {duration(counts.hours * 3600)}"
    return said + f"; {counts.left_out} more are too short or too long" * (counts.left_out > 0)


def _print(out: Path, card: Mapping[str, Any]) -> None:
    chosen, before = card["chosen"], card["before"].get("valid_wer", float("nan"))
    print(
        f"Validation WER {before:.3f} before, {chosen['valid_wer']:.3f} after epoch {chosen['epoch']:.0f}, the "
        f"checkpoint chosen by {card['chosen_by']}; {card['steps']} steps in {card['training_seconds']:.0f} s: {out}"
    )
    if chosen["valid_wer"] >= before:
        print("The error rate did not fall: keep the model that the training began with, or try other settings.")


if __name__ == "__main__":
    run_job(main)
