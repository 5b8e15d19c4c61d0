"""Try the whole system on recordings of a made-up bilingual clinic: no GPU, no download.

python -m jobs.demo
python -m jobs.demo --train
python -m jobs.demo --make-corpus FOLDER
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tyro

from jobs.command_line import check_local, run_job
from jobs.progress import track
from pipeline.errors import UserError
from pipeline.settings import check_numbers


@dataclass(frozen=True)
class Demo:
    """Try the whole system on recordings of a made-up bilingual clinic: no GPU, no download.

    Without an option, the shipped clips are transcribed, tagged and compared with the reference. The out folder gets
    the run as jobs.predict writes it, the reference in reference/, scores.json and report.html.

    --train shows the training: the demo's models are trained on recordings of a new clinic with new names.

    --make-corpus makes the corpus that the demo's models were trained on: English and Taiwanese Mandarin by turns,
    spoken by espeak-ng. The folder gets train1/, train2/, valid/ and test/, each in the competition's layout (audio/,
    task1_answer.txt, task2_answer.txt), with transcripts.parquet (exact times of all words) and entities.parquet. Half
    of the names in test/ occur in no other folder, and neither do the numbers and identifiers drawn for it. The same
    seed gives the same corpus.
    """

    out: str | None = None
    """Folder for the results, by default runs/demo or runs/demo-train. The results of an earlier demo are replaced."""

    train: bool = False
    """Train the demo's models further on recordings of a new clinic, and score them before and after."""

    make_corpus: str | None = None
    """Folder for the corpus. It must be empty or not exist yet."""

    train_size: int = 6000
    """Number of recordings in each of the two training folders of the corpus."""

    valid_size: int = 300
    """Number of recordings in valid/ of the corpus."""

    test_size: int = 600
    """Number of recordings in test/ of the corpus."""

    seed: int = 2025
    """Random seed of the corpus."""


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.demo --help``."""
    job = tyro.cli(Demo, prog="python -m jobs.demo", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    if job.make_corpus is not None:
        if job.train or job.out is not None:
            raise UserError("--make-corpus makes a corpus and nothing else: leave out --train and --out.")
        make_corpus(job, check_local("--make-corpus", job.make_corpus))
        return
    # Imported late: every process that synthesises a recording of the corpus imports this module again.
    from jobs import demo_clips, demo_training

    if job.train:
        demo_training.show(job.out or "runs/demo-train")
    else:
        demo_clips.show(job.out or "runs/demo")


def make_corpus(job: Demo, folder: Path) -> None:
    """Make the corpus that the demo's models were trained on.

    Raises:
        UserError: A size is out of range, the folder is not empty or cannot be written.
    """
    sizes = {name: getattr(job, name) for name in ("train_size", "valid_size", "test_size")}
    check_numbers(sizes, dict.fromkeys(sizes, 1), dict.fromkeys(sizes, 100_000))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--make-corpus {folder} is there already: give another folder, or remove it.")
    from pipeline.synthetic import corpus as synthetic

    numbers = {"train1": job.train_size, "train2": job.train_size, "valid": job.valid_size, "test": job.test_size}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        workshop = tempfile.TemporaryDirectory(
            dir=folder.parent, prefix=f"unfinished-{folder.name}-", ignore_cleanup_errors=True
        )
    except OSError as error:
        raise UserError(f"--make-corpus {folder} cannot be written ({error.strerror}): give another folder.") from None
    total = sum(numbers.values())
    with workshop:
        made = Path(workshop.name, folder.name)
        drawn = synthetic.utterances(numbers, job.seed)
        synthetic.make(made, drawn, lambda items: track(items, total, "recordings"))
        os.replace(made, folder)
    print(f"{total} recordings: {folder}")


if __name__ == "__main__":
    run_job(main)
