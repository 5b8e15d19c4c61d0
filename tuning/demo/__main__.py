"""Train the demo's models and write their card: python -m tuning.demo --corpus CLINIC --work FOLDER

The recognisers train side by side, each on one core; then the tagger's base, and its adapters on what was said and
what the recognisers hear. The same command goes on where it was stopped.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import tyro
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.corpus.synthetic import PHASES
from pipeline.demo import CLIPS, MODELS, model_paths
from tuning.demo import parakeet, tagger, whisper
from tuning.demo.adapters import train_adapters
from tuning.demo.clips import ship
from tuning.demo.measure import measure

FIRST_TRAININGS = {"whisper": whisper, "parakeet": parakeet, "base_model": tagger}
CARD, SCORES = "README.md", "scores.json"


@dataclass(frozen=True)
class Train:
    """Train the demo's models, from nothing, on the made-up clinic, and put them and new clips into the project."""

    corpus: Path
    """Folder of the clinic's corpus, as `jobs.demo --make-corpus` writes it."""

    work: Path
    """Folder for the trainings of this corpus: checkpoints and logs."""


def main(job: Train) -> None:
    """Train, ship models and clips, and write the card."""
    missing = [phase for phase in PHASES if not (job.corpus / phase / "transcripts.parquet").is_file()]
    if missing:
        sys.exit(f"--corpus {job.corpus} lacks {missing[0]}/transcripts.parquet: make it with jobs.demo --make-corpus.")
    job.work.mkdir(parents=True, exist_ok=True)
    out = {name: Path(path) for name, path in model_paths().items()}
    adapters = out.pop("adapters")
    base_model = {"base_model": out.pop("base_model")}
    train(job, out)
    train(job, base_model)
    of_adapters = train_adapters(**base_model, **out, work=job.work, out=adapters)
    ship(job.corpus / "test", CLIPS)
    measured = {name: measure(folder) for name, folder in (("test", job.corpus / "test"), ("clips", CLIPS))}
    facts = {name: json.loads((job.work / module.FACTS).read_text()) for name, module in FIRST_TRAININGS.items()}
    facts["adapters"] = of_adapters
    (MODELS / SCORES).write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    (MODELS / CARD).write_text(card(facts, measured), encoding="utf-8")


def train(job: Train, out: dict[str, Path]) -> None:
    """Run the trainings that are not finished, each in a process of its own, until all are or one fails."""
    running = {}
    for name, folder in out.items():
        module = FIRST_TRAININGS[name]
        if (job.work / module.FACTS).exists() and folder.exists():
            continue
        log = job.work / f"{name}.log"
        print(f"Training {name}: {log} says how far it is.", flush=True)
        command = [sys.executable, "-m", module.__name__, "--out", str(folder), "--work", str(job.work)]
        command += [] if module is tagger else ["--corpus", str(job.corpus)]
        with log.open("a") as stream:
            running[name] = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    failed: list[str] = []
    try:
        while not failed and any(process.poll() is None for process in running.values()):
            time.sleep(1)
            failed = [name for name, process in running.items() if process.poll()]
    finally:
        for process in running.values():
            process.terminate()
    if failed:
        sys.exit(f"The training of {failed[0]} failed: {job.work / failed[0]}.log says why.")


def card(facts: dict[str, dict], measured: dict[str, dict]) -> str:
    """Write the card of models: how they were made, and their scores."""
    loader = PackageLoader("tuning.demo", ".")
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("card.md").render(facts=facts, **measured)


if __name__ == "__main__":
    try:
        main(tyro.cli(Train, prog="python -m tuning.demo"))
    except KeyboardInterrupt:
        sys.exit("Interrupted: the same command goes on.")
