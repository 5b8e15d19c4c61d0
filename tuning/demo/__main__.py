"""Train the demo's models and write their card: python -m tuning.demo --corpus CLINIC --work FOLDER

Both recognisers train side by side, each on half of the cores. The same command goes on where it was stopped.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.demo import CLIPS, MODELS
from tuning.demo.clips import ship
from tuning.demo.scores import hear, scores

RECOGNISERS = ("whisper", "parakeet")


@dataclass(frozen=True)
class Train:
    """Train the demo's models, from nothing, on the made-up clinic."""

    corpus: Path
    """Folder of the clinic's corpus, as `jobs.demo --make-corpus` writes it."""

    work: Path
    """Folder for checkpoints and logs."""

    out: Path = MODELS
    """Folder for the models and their card."""


def main(job: Train) -> None:
    """Train, ship clips, score on them and on the corpus' test part, and write the card."""
    job.work.mkdir(parents=True, exist_ok=True)
    out = {"whisper": job.out / "whisper", "parakeet": job.out / "parakeet.nemo"}
    threads = str(max((os.cpu_count() or 2) // 2, 1))
    running = {}
    for name in RECOGNISERS:
        if not (job.work / f"{name}.json").exists():
            log = job.work / f"{name}.log"
            print(f"Training {name}: progress is in {log}")
            command = [sys.executable, "-m", f"tuning.demo.{name}", "--corpus", str(job.corpus)]
            command += ["--out", str(out[name]), "--work", str(job.work)]
            with log.open("a") as stream:
                running[name] = subprocess.Popen(
                    command, stdout=stream, stderr=subprocess.STDOUT, env=os.environ | {"OMP_NUM_THREADS": threads}
                )
    failed = [name for name, process in running.items() if process.wait()]
    if failed:
        sys.exit(f"The training of {failed[0]} failed; {job.work / failed[0]}.log says why.")
    ship(job.corpus / "test", CLIPS)
    write_card(job)


def write_card(job: Train) -> None:
    """Score the models and write scores.json and README.md beside them."""
    models = str(job.out / "whisper"), str(job.out / "parakeet.nemo")
    measured = {
        name: scores(hear(folder, *models)) for name, folder in (("test", job.corpus / "test"), ("clips", CLIPS))
    }
    (job.out / "scores.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    facts = {name: json.loads((job.work / f"{name}.json").read_text()) for name in RECOGNISERS}
    environment = Environment(
        loader=PackageLoader("tuning.demo", "."), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    card = environment.get_template("card.md").render(facts=facts, **measured)
    (job.out / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Train))
