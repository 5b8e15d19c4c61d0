"""See the whole system at work on a made-up bilingual clinic that speaks: no GPU, no download.

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


@dataclass(frozen=True)
class Demo:
    """See the whole system at work on a made-up bilingual clinic that speaks: no GPU, no download.

    Without an option, the shipped clips are transcribed and tagged and compared with what is said in them. The out
    folder gets the run as jobs.predict leaves it, the right answers in reference/, scores.json and report.html.

    --train is the other half: a new clinic joins, and the demo's models learn its names.

    --make-corpus makes the corpus that the demo's models learned from, English and Taiwanese Mandarin by turns, spoken
    by espeak-ng. The folder gets phase1/, phase2/, valid/ and test/, each in the competition's layout (audio/,
    task1_answer.txt, task2_answer.txt), with transcripts.parquet (exact times of all words) and entities.parquet
    beside. Half of the names in test/ are in no other part, nor are the numbers and identifiers that are drawn for it.
    The same seed gives the same corpus.
    """

    out: str | None = None
    """Folder for the results, runs/demo or runs/demo-train by default. What an earlier demo left there is replaced."""

    train: bool = False
    """Train the demo's models further, on recordings of a new clinic, and compare them with what they were."""

    make_corpus: str | None = None
    """Folder for the corpus; it must not exist yet, or be empty."""

    phase_size: int = 6000
    """Recordings in each of the corpus' two training phases."""

    valid_size: int = 300
    """Recordings in the corpus' valid/."""

    test_size: int = 600
    """Recordings in the corpus' test/."""

    seed: int = 2025
    """Of all that is drawn for the corpus."""


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.demo --help``."""
    job = tyro.cli(Demo, prog="python -m jobs.demo", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    if job.make_corpus is not None:
        if job.train or job.out is not None:
            raise UserError("--make-corpus makes a corpus and nothing else: leave out --train and --out.")
        make_corpus(job, check_local("--make-corpus", job.make_corpus))
        return
    # Not imported above: each process that speaks a recording of a corpus imports this module again.
    from jobs import demo_clips, demo_training

    if job.train:
        demo_training.show(job.out or "runs/demo-train")
    else:
        demo_clips.show(job.out or "runs/demo")


def make_corpus(job: Demo, folder: Path) -> None:
    """Make the corpus of the demo's models.

    Raises:
        UserError: A size is out of its range, the folder is in use or cannot be written, or a library is missing.
    """
    for option, size in (("phase", job.phase_size), ("valid", job.valid_size), ("test", job.test_size)):
        if not 1 <= size <= 100_000:
            raise UserError(f"--{option}-size {size}: give a number from 1 to 100000.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--make-corpus {folder} is there already: give another folder, or remove it.")
    try:
        import espeakng_loader  # noqa: F401
        import num2words  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed: pip install espeakng-loader num2words. Only making this corpus needs them."
        ) from None
    from pipeline.corpus import synthetic

    sizes = {"phase1": job.phase_size, "phase2": job.phase_size, "valid": job.valid_size, "test": job.test_size}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        workshop = tempfile.TemporaryDirectory(
            dir=folder.parent, prefix=f"unfinished-{folder.name}-", ignore_cleanup_errors=True
        )
    except OSError as error:
        raise UserError(f"--make-corpus {folder} cannot be written ({error.strerror}): give another folder.") from None
    total = sum(sizes.values())
    with workshop:
        made = Path(workshop.name, folder.name)
        synthetic.make(made, sizes, job.seed, track=lambda items: track(items, total, "recordings"))
        os.replace(made, folder)
    print(f"{total} recordings: {folder}")


if __name__ == "__main__":
    run_job(main)
