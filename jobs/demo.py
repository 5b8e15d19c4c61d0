"""Make the corpus of the demo: a made-up bilingual clinic that speaks.

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
    """Make the demo's corpus, English and Taiwanese Mandarin by turns, spoken by espeak-ng.

    The folder gets phase1/, phase2/, valid/ and test/, each in the competition's layout (audio/, task1_answer.txt,
    task2_answer.txt), with transcripts.parquet (exact times of all words) and entities.parquet beside. Half of the
    names in test/ are in no other part, nor are the numbers and identifiers that are drawn for it. The same seed gives
    the same corpus.
    """

    make_corpus: str
    """Folder for the corpus; it must not exist yet, or be empty."""

    phase_size: int = 6000
    """Recordings in each of the two training phases."""

    valid_size: int = 300
    """Recordings in valid/."""

    test_size: int = 600
    """Recordings in test/."""

    seed: int = 2025
    """Of all that is drawn."""


def main(arguments: list[str]) -> None:
    """Run the job; see ``python -m jobs.demo --help``."""
    job = tyro.cli(Demo, prog="python -m jobs.demo", args=arguments)
    folder = check_local("--make-corpus", job.make_corpus)
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
