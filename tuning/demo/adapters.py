"""The six adapters of the demo's tagger, trained by the same commands that anyone would give.

Half of what they learn from is what the recognisers heard: recordings of a corpus of its own, which no recogniser was
trained on.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from safetensors.torch import load_file

from pipeline import tables
from pipeline.speech.language import language_of
from tuning.demo.scores import hear

CORPUS = ["--phase-size", "500", "--valid-size", "200", "--test-size", "2", "--seed", "2026"]
SETS = ["--few-shot", "0", "--negatives", "1"]
TRAINING = ["--few-shot", "0", "--rank", "8", "--alpha", "16", "--epochs", "1", "--learning-rate", "1e-4"]


def train_adapters(base_model: Path, whisper: Path, parakeet: Path, work: Path, out: Path) -> dict[str, Any]:
    """Train the adapters, or go on with their training, and put them into a folder.

    Args:
        base_model: Folder of the tagger's base.
        whisper: Folder of the recogniser that hears all.
        parakeet: The .nemo file for English.
        work: Folder for the corpus, what is heard of it, sets and checkpoints.
        out: Gets one folder for each group.

    Returns:
        What the card says of them: parameters, recordings, steps and seconds of all together.
    """
    corpus, heard, sets, trained = work / "corpus", work / "heard", work / "sets", work / "taggers"
    if not corpus.exists():
        _job("demo", "--make-corpus", corpus, *CORPUS)
    phases = [corpus / phase for phase in ("phase1", "phase2", "valid")]
    if not heard.exists():
        table = pa.concat_tables([transcribe(phase, whisper, parakeet) for phase in phases])
        tables.write(table, str(heard))
    *training, validation = phases
    if not sets.exists():
        folders = [option for phase in training for option in ("--phase", phase)]
        _job("prepare", *folders, "--valid", validation, "--transcripts", heard, "--out", sets, *SETS)
    _job("finetune_taggers", "--sets", sets, "--base-model", base_model, "--out", trained, *TRAINING)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(trained / "adapters", out)
    for file in (*out.glob("*/*.json"), *out.glob("*/*.md")):  # another machine has another path
        file.write_text(file.read_text(encoding="utf-8").replace(str(base_model), base_model.name), encoding="utf-8")
    about = json.loads((trained / "card.json").read_text())["adapters"].values()
    weights = [weight for file in out.glob("*/*.safetensors") for weight in load_file(file).values()]
    return {
        "parameters": sum(weight.numel() for weight in weights),
        "recordings": sum(len(list((phase / "audio").iterdir())) for phase in training),
        "steps": sum(one["step"] for one in about),
        "seconds": round(sum(one["seconds"] for one in about)),
    }


def transcribe(folder: Path, whisper: Path, parakeet: Path) -> pa.Table:
    """Return the table of transcripts of a folder of the clinic."""
    rows = [
        {
            "recording_id": Path(item.clip.path).stem,
            "language": language_of(item.transcript.text),
            "text": item.transcript.text,
            "words": [asdict(word) for word in item.transcript.words],
            "recognizer": item.transcript.recognizer,
        }
        for item in hear(folder, str(whisper), str(parakeet))
    ]
    return tables.from_rows(rows, tables.TRANSCRIPTS)


def _job(name: str, *arguments: str | Path) -> None:
    """Run a job as a command, which is what its users do."""
    subprocess.run([sys.executable, "-m", f"jobs.{name}", *map(str, arguments)], check=True)
